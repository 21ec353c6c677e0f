"""Divergences measured by a discriminator that is trained beside the model."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import replicas
from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_nonnegative

__all__ = ["Adversarial", "TotalCorrelation"]

tfd = tfp.distributions
fold_in = tf.random.experimental.stateless_fold_in


@built_in
class Adversarial(Divergence):
    """Divergence by a discriminator T that tells draws of the prior (real) from latents, on logits.

        discriminator's loss = E_p softplus(-T) + E_q softplus(T)      2 ln 2 - 2 JSD at its optimum
        "saturating"         E_q [-softplus(T)] = E_q log(1 - D)       2 JSD - 2 ln 2, less p's term
        "non_saturating"     E_q softplus(-T)   = E_q [-log D]         descends KL(q||p) - 2 JSD
        "log_ratio"          E_q [-T]                                  KL(q(z) || p(z))

    with D = sigmoid(T); at the optimum T = log p(z)/q(z). In nats. Only "log_ratio" is itself an
    estimate of a divergence. `estimates` gives KL(q(z) || p(z)) and the JSD for all three losses.
    Source: Makhzani et al., "Adversarial autoencoders", 2015; Goodfellow et al., 2014.

    Args:
        discriminator: Keras model from z (batch, d) to logits (batch, 1).
        loss: str. The encoder's loss: "saturating", "non_saturating" or "log_ratio".
        noise: float. Standard deviation of Gaussian noise on the discriminator's inputs (instance
            noise), so that it compares the two blurred distributions. A category needs it: one-hot
            draws and the encoder's probabilities have disjoint supports, and a discriminator that
            separates them perfectly gives the encoder no useful gradient. Source: Sonderby et al.,
            "Amortised MAP inference for image super-resolution", 2017.

    Raises:
        ValueError: If the loss is unknown, or the noise is negative.

    Example:
        discriminator = ki.networks.MLPDiscriminator(latent_dim=10)
        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            alpha=1.0,
            divergence=ki.divergences.Adversarial(discriminator),
        )
    """

    def __init__(
        self, discriminator: keras.Model, loss: str = "non_saturating", noise: float = 0.0
    ):
        if loss not in ("saturating", "non_saturating", "log_ratio"):
            raise ValueError(
                f'loss is "saturating", "non_saturating" or "log_ratio", got {loss!r}.'
            )
        check_nonnegative("noise", noise)
        self.discriminator = discriminator
        self.loss = loss
        self.noise = float(noise)

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        return {"discriminator": self.discriminator}

    def check(self, prior: tfd.Distribution, latent_dim: int):
        shape = tuple(
            self.discriminator.compute_output_spec(keras.KerasTensor((2, latent_dim))).shape
        )
        if shape != (2, 1):
            raise ValueError(
                f"The discriminator returns one logit for each z, shape (batch, 1), got {shape}."
            )

    def __call__(self, z, posterior, prior, seed):
        return self.terms(z, posterior, prior, seed)["divergence"]

    def terms(self, z, posterior, prior, seed, training=True):
        logits = self._logits(self._blur(z, seed, 0), training)
        losses = {
            "saturating": -tf.nn.softplus(logits),
            "non_saturating": tf.nn.softplus(-logits),
            "log_ratio": -logits,
        }
        return {"divergence": replicas.mean(losses[self.loss])}

    def reference(self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor) -> tf.Tensor:
        """Returns the samples that the discriminator compares with z: n draws of the prior.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. p(z).
            seed: int32 tensor (2,). Seed of the draws.
        """
        draws = replicas.own_rows(lambda n: prior.sample(n, seed=seed), tf.shape(z)[0])
        return tf.cast(draws, z.dtype)

    def discriminator_loss(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        """Computes the discriminator's loss, a scalar in nats; no gradient flows to z.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. p(z).
            seed: int32 tensor (2,). Seed of the draws and of the noise.
            training: bool. Whether the discriminator's layers are in training mode.
        """
        reference = self._blur(self.reference(z, prior, seed), seed, 1)
        real = self._logits(reference, training)
        fake = self._logits(self._blur(tf.stop_gradient(z), seed, 0), training)
        return replicas.mean(tf.nn.softplus(-real)) + replicas.mean(tf.nn.softplus(fake))

    def estimates(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor
    ) -> dict[str, Estimate]:
        """Estimates divergences with the discriminator's present weights, in nats.

        Both estimates are right if the discriminator is optimal.

        Args:
            z: tensor (n, d). Latents that the discriminator was not trained on.
            prior: TFP distribution of batch shape () and event shape (d,). p(z).
            seed: int32 tensor (2,). Seed of the draws from the prior.

        Returns:
            dict of `Estimate`. "jensen_shannon" is ln 2 - loss / 2, a lower bound in expectation
            with the ceiling ln 2. "log_ratio" is E_q [-T], an estimate of KL(q(z) || p(z)) that is
            not a bound.
        """
        reference = self._blur(self.reference(z, prior, seed), seed, 1)
        real = self._logits(reference, training=False)
        fake = self._logits(self._blur(z, seed, 0), training=False)
        losses = (tf.nn.softplus(-real) + tf.nn.softplus(fake))[:, 0]
        ceiling = math.log(2)
        return {
            "jensen_shannon": mean_estimate(ceiling - losses / 2, "lower bound", ceiling),
            "log_ratio": mean_estimate(-fake[:, 0]),
        }

    def _logits(self, z: tf.Tensor, training: bool) -> tf.Tensor:
        # Under mixed precision the logits may be float16 or bfloat16.
        return tf.cast(self.discriminator(z, training=training), tf.float32)

    def _blur(self, z: tf.Tensor, seed: tf.Tensor, stream: int) -> tf.Tensor:
        if not self.noise:
            return z
        normal = _normal(z, fold_in(seed, stream))
        return z + self.noise * normal

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {
            "discriminator": serialize(self.discriminator),
            "loss": self.loss,
            "noise": self.noise,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Adversarial":
        revive = keras.saving.deserialize_keras_object
        return cls(**config | {"discriminator": revive(config["discriminator"])})


@built_in
class TotalCorrelation(Adversarial):
    """Total correlation KL(q(z) || prod_j q(z_j)) by FactorVAE's discriminator, in nats.

    The discriminator compares z with a copy in which every dimension is shuffled over the batch,
    which keeps the marginal distributions. The encoder descends E_q [log q(z) / prod_j q(z_j)] as
    estimated by the discriminator. With alpha = 0 and lambda = beta the loss is that of beta-TCVAE:
    the rate plus beta - 1 times the total correlation. `information.AggregatedPosterior` estimates
    the total correlation itself from the latents of a whole data set. Source: Kim and Mnih,
    "Disentangling by factorising", 2018; Chen et al., 2018, equation 4.

    Args:
        discriminator: Keras model from z (batch, d) to logits (batch, 1).

    Example:
        discriminator = ki.networks.MLPDiscriminator(latent_dim=10)
        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            lambda_=4.0,
            divergence=ki.divergences.TotalCorrelation(discriminator),
        )
    """

    smallest_batch = 2

    def __init__(self, discriminator: keras.Model):
        super().__init__(discriminator, "log_ratio")

    def reference(self, z, prior, seed):
        points = replicas.gather({"z": tf.stop_gradient(z)})["z"]
        shuffled = _shuffled(points, seed)
        return replicas.own_rows(lambda _: shuffled, tf.shape(z)[0])

    def estimates(self, z, prior, seed):
        """Estimates divergences with the discriminator's present weights, in nats.

        Both estimates are right if the discriminator is optimal.

        Args:
            z: tensor (n, d). Latents that the discriminator was not trained on.
            prior: Ignored; may be None.
            seed: int32 tensor (2,). Seed of the shuffles.

        Returns:
            dict of `Estimate`. "jensen_shannon" is ln 2 - loss / 2, a lower bound (in expectation
            and for large n) on JSD(q(z), prod_j q(z_j)), with the ceiling ln 2. "log_ratio" is E_q
            [-T], an estimate of the total correlation that is not a bound.
        """
        return super().estimates(z, prior, seed)

    def get_config(self) -> dict:
        return {"discriminator": super().get_config()["discriminator"]}


def _normal(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws from N(0, I), one for each row of z (n, d)."""

    def draw(n):
        return tf.random.stateless_normal((n, z.shape[1]), seed, dtype=z.dtype)

    return replicas.own_rows(draw, tf.shape(z)[0])


def _shuffled(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shuffles every column of z (n, d) by itself, without a gradient."""
    order = tf.argsort(tf.random.stateless_uniform(tf.shape(z), seed), axis=0)
    columns, order = tf.transpose(z), tf.transpose(order)
    return tf.stop_gradient(tf.transpose(tf.gather(columns, order, axis=1, batch_dims=1)))
