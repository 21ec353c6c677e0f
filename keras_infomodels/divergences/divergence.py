"""What every divergence is."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.spec import Spec

__all__ = ["Divergence"]

tfd = tfp.distributions


class Divergence(Spec):
    """D(q(z), p(z)), estimated from a batch of z; a subclass says in which unit.

    Attributes:
        discriminators: the networks that the divergence trains, by the model's name for each.
        needs_density: whether it needs log q(z|x), which a deterministic encoder lacks.
        smallest_batch: examples that a batch needs for the divergence to have a value.
    """

    needs_density = False
    smallest_batch = 1

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        return {}

    def check(self, prior: tfd.Distribution, latent_dim: int):
        """Raises ValueError where the divergence is not defined for this prior."""

    def __call__(
        self, z: tf.Tensor, posterior: tfd.Distribution, prior: tfd.Distribution, seed: tf.Tensor
    ) -> tf.Tensor:
        """The estimate that the encoder descends.

        Args:
            z: samples of q(z), shape (n, d), from one draw of each of the batch's posteriors.
            posterior: the batch's q(z|x), batch shape (n,).
            prior: p(z), batch shape ().
            seed: int32 of shape (2,).

        Returns:
            A scalar.
        """
        raise NotImplementedError

    def terms(self, z, posterior, prior, seed, training: bool = True) -> dict[str, tf.Tensor]:
        """What a model's ledger shows: "divergence", which the encoder descends, and its parts.

        Args:
            z, posterior, prior, seed: see `__call__`.
            training: of the layers of `discriminators`.
        """
        return {"divergence": self(z, posterior, prior, seed)}

    def term_names(self) -> list[str]:
        """The keys of `terms`."""
        return ["divergence"]
