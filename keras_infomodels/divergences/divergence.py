"""Base class of the divergences."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.spec import Spec

__all__ = ["Divergence"]

tfd = tfp.distributions


class Divergence(Spec):
    """Base class of divergences D(q(z), p(z)) that are estimated from a batch of z.

    q(z) is the distribution of the latents z of all images, and p(z) the prior. A subclass
    implements two methods: `__call__(z, posterior, prior, seed)`, which returns a scalar tensor,
    and `get_config`. Its docstring states the unit of the scalar.

    Attributes:
        discriminators: dict from name to Keras model. Networks that the divergence trains. Empty
            for none.
        needs_density: bool. `True` if the density q(z|x) is needed. A deterministic encoder has
            none.
        smallest_batch: int. Smallest number of examples for which the estimate is defined.

    Example:
        @ki.registry.register
        class Moments(ki.divergences.Divergence):  # squared distance of the means and deviations
            def __call__(self, z, posterior, prior, seed):
                mean, variance = tf.nn.moments(z, 0)
                return tf.reduce_sum(mean**2 + (tf.sqrt(variance) - 1) ** 2)

            def get_config(self):
                return {}

        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            lambda_=10.0,
            divergence=Moments(),
        )
    """

    needs_density = False
    smallest_batch = 1

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        return {}

    def check(self, prior: tfd.Distribution, latent_dim: int):
        """Raises ValueError if the divergence is not defined for this prior.

        Args:
            prior: TFP distribution. Prior p(z) of the latents.
            latent_dim: int. Number of latent variables.
        """

    def __call__(
        self, z: tf.Tensor, posterior: tfd.Distribution, prior: tfd.Distribution, seed: tf.Tensor
    ) -> tf.Tensor:
        """Estimates the divergence; the encoder descends its gradient.

        Args:
            z: tensor (n, d). Samples of q(z), one of each posterior of the batch.
            posterior: TFP distribution of batch shape (n,). q(z|x) of the batch.
            prior: TFP distribution of batch shape (). p(z).
            seed: int32 tensor (2,). Seed of random draws.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def terms(self, z, posterior, prior, seed, training: bool = True) -> dict[str, tf.Tensor]:
        """Computes the terms that a model shows as metrics: "divergence" and its parts.

        Args:
            z: tensor (n, d). Latents.
            posterior: TFP distribution with batch shape (n,). q(z|x) of each example.
            prior: TFP distribution with batch shape (). p(z).
            seed: int32 tensor (2,). Seed of all random numbers.
            training: bool. Training mode of the layers of `discriminators`.

        Returns:
            dict from name to scalar tensor.
        """
        return {"divergence": self(z, posterior, prior, seed)}

    def term_names(self) -> list[str]:
        """Returns the names of the metrics that `terms` computes."""
        return ["divergence"]
