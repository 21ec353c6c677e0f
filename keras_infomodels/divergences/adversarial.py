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
    """Divergence measured by a discriminator T of latents z against draws of the prior p(z).

    T(z) is a logit: high for draws of the prior, low for the encoder's latents, whose distribution
    is q(z). E_p is the mean over draws of the prior, E_q over latents, D is sigmoid(T), and JSD the
    Jensen-Shannon divergence of q(z) and p(z). The losses, and what they are for an optimal
    discriminator, T = log p(z)/q(z), in nats:

        discriminator's loss = E_p softplus(-T) + E_q softplus(T)      2 ln 2 - 2 JSD
        "saturating"         E_q [-softplus(T)] = E_q log(1 - D)       2 JSD - 2 ln 2 - E_p log D
        "non_saturating"     E_q softplus(-T)   = E_q [-log D]         gradient of KL(q||p) - 2 JSD
        "log_ratio"          E_q [-T]                                  KL(q(z) || p(z))

    Only the value of "log_ratio" is itself an estimate of a divergence. The method
    `estimates` estimates KL(q(z) || p(z)) and the JSD, whatever the loss.

    Source: Makhzani et al., "Adversarial autoencoders", 2015; Goodfellow et al., 2014.

    Args:
        discriminator: Keras model. Maps latents z (batch, d) to logits (batch, 1).
        loss: str. The encoder's loss: "saturating", "non_saturating" or "log_ratio".
        noise: float, at least 0. Standard deviation of Gaussian noise that is added to the
            discriminator's inputs (instance noise). The discriminator then compares two blurred
            distributions. Use it for a categorical latent: a discriminator can separate one-hot
            draws from the encoder's probabilities perfectly, and then gives the encoder no useful
            gradient.
            Source: Sonderby et al., "Amortised MAP inference for image super-resolution", 2017.

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
        """Draws n samples of the prior, with which the discriminator compares z.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. Prior p(z) of the latents.
            seed: int32 tensor (2,). Seed of the draws.

        Returns:
            Tensor (n, d).
        """
        draws = replicas.own_rows(lambda n: prior.sample(n, seed=seed), tf.shape(z)[0])
        return tf.cast(draws, z.dtype)

    def discriminator_loss(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        """Computes the discriminator's loss on latents z and draws of the prior, a scalar in nats.

        No gradient flows to z.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. Prior p(z) of the latents.
            seed: int32 tensor (2,). Seed of the draws and of the noise.
            training: bool. Training mode of the discriminator's layers.
        """
        reference = self._blur(self.reference(z, prior, seed), seed, 1)
        real = self._logits(reference, training)
        fake = self._logits(self._blur(tf.stop_gradient(z), seed, 0), training)
        return replicas.mean(tf.nn.softplus(-real)) + replicas.mean(tf.nn.softplus(fake))

    def estimates(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor
    ) -> dict[str, Estimate]:
        """Estimates the divergence of q(z) from p(z) with the current discriminator, in nats.

        The estimates are accurate only if the discriminator is near its optimum.

        Args:
            z: tensor (n, d). Latents that the discriminator was not trained on.
            prior: TFP distribution of batch shape () and event shape (d,). p(z).
            seed: int32 tensor (2,). Seed of the draws from the prior.

        Returns:
            dict of `Estimate`. "jensen_shannon" is ln 2 - discriminator_loss / 2. In expectation it
            is a lower bound on the Jensen-Shannon divergence, at most ln 2. "log_ratio" is the mean
            of -T over z, an estimate of KL(q(z) || p(z)) that is not a bound.
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
    """Total correlation KL(q(z) || prod_j q(z_j)), measured by FactorVAE's discriminator, in nats.

    q(z) is the distribution of the latents z of all images, and q(z_j) that of one latent variable.
    The total correlation is 0 if the latent variables are independent. The discriminator compares z
    with a copy in which each latent variable is shuffled over the batch, which makes the variables
    independent. The encoder minimizes the discriminator's estimate of E_q [log q(z) / prod_j
    q(z_j)].

    In an `InfoVAE` with alpha = 0 and lambda = beta, the loss is that of the beta-TCVAE: the
    reconstruction, the rate, and beta - 1 times the total correlation.
    `information.AggregatedPosterior` estimates the total correlation from the latents of a whole
    data set, without a discriminator.
    Source: Kim and Mnih, "Disentangling by factorising", 2018; Chen et al., 2018, equation 4.

    Args:
        discriminator: Keras model. Maps latents z (batch, d) to logits (batch, 1).

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
        """Estimates the total correlation with the current discriminator, in nats.

        The estimates are accurate only if the discriminator is near its optimum.

        Args:
            z: tensor (n, d). Latents that the discriminator was not trained on.
            prior: Ignored; may be None.
            seed: int32 tensor (2,). Seed of the shuffles.

        Returns:
            dict of `Estimate`. "jensen_shannon" is ln 2 - discriminator_loss / 2. In expectation
            and for large n it is a lower bound on the Jensen-Shannon divergence of q(z) and prod_j
            q(z_j), at most ln 2. "log_ratio" is the mean of -T over z, an estimate of the total
            correlation that is not a bound.
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
    """Shuffles every column of z (n, d) by itself."""
    order = tf.argsort(tf.random.stateless_uniform(tf.shape(z), seed), axis=0)
    columns, order = tf.transpose(z), tf.transpose(order)
    return tf.transpose(tf.gather(columns, order, axis=1, batch_dims=1))
