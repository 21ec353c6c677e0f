"""What every divergence is."""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.spec import Spec

__all__ = ["Divergence"]

tfd = tfp.distributions


class Divergence(Spec):
    """D(q(z), p(z)), estimated from a batch of z; a subclass says in which unit.

    Attributes:
        discriminator: the network that the divergence trains, or None.
        needs_density: whether it needs log q(z|x), which a deterministic encoder lacks.
    """

    discriminator = None
    needs_density = False

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
