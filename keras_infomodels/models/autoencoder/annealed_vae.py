"""The annealed-capacity beta-VAE: a VAE whose rate is held to a capacity that grows."""

from collections.abc import Mapping

import tensorflow as tf

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_nonnegative
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["AnnealedVAE"]


@built_in
class AnnealedVAE(InfoVAE):
    """Annealed-capacity beta-VAE: keeps the rate near a capacity that grows in training.

        loss = reconstruction + gamma |rate - C|,    C = capacity * min(step / warmup, 1)

        reconstruction = -E log p(x|z)            nats per example, summed over pixels
        rate           = E KL(q(z|x) || p(z))     nats per example
        C              = the metric `capacity`    nats per example

    Early in training C is small, so the encoder spends its few nats on the factors that lower the
    reconstruction term most, such as the position of a sprite. As C grows, less important factors
    are encoded in latent variables that are still unused. Evaluation uses the final capacity. With
    `capacity` 0 training is bit-identical to that of `BetaVAE(beta=gamma)`.

    The rate is the sum of I_q(x;z), the mutual information of images x and latents z, and
    KL(q(z) || p(z)), the divergence of the latents' distribution q(z) over all images from the
    prior p(z). So the rate bounds I_q(x;z) from above, and the capacity does too where gamma keeps
    the rate at its value.

    Source: Burgess et al., "Understanding disentangling in beta-VAE", 2018, equation 8.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"}, each
            (batch, latent_dim).
        decoder: Keras model. Maps z (batch, latent_dim) to a dict of the parameters that
            `likelihood` needs.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z).
            `None` is the standard normal.
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, or an object.
        gamma: float, above 0. Weight of |rate - C|.
        capacity: float, at least 0. Final capacity C in nats.
        warmup: `Warmup` or int. Number of training steps in which C rises from 0 to `capacity`.
            `None` means that C is constant.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If `gamma` is not above 0, `capacity` is negative, or settings or shapes do not
            fit together.

    Example:
        sizes = {"image_shape": (28, 28, 1), "latent_dim": 10}
        encoder, decoder = ki.networks.MLPEncoder(**sizes), ki.networks.MLPDecoder(**sizes)
        model = ki.AnnealedVAE(encoder, decoder, gamma=100.0, capacity=25.0, warmup=10_000)
        model.compile("adam")
    """

    title = "Annealed-capacity beta-VAE"
    citation = (
        "C. Burgess et al., Understanding disentangling in beta-VAE, 2018, "
        "https://arxiv.org/abs/1804.03599"
    )

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        gamma: float = 100.0,
        capacity: float = 25.0,
        warmup: Warmup | int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        check_nonnegative("gamma", gamma)
        if gamma == 0:
            raise ValueError("gamma is above 0: without it the rate is not controlled; got 0.")
        check_nonnegative("capacity", capacity)
        super().__init__(encoder, decoder, prior, likelihood, seed=seed, **kwargs)
        self.gamma = float(gamma)
        self.capacity = float(capacity)
        self.warmup = warmup_of(warmup)

    def term_names(self) -> list[str]:
        return [*super().term_names(), "capacity"]

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        return (
            f"{super().describe_metrics(metrics)} The capacity is the one at the end of training."
        )

    def current_rate_weight(self, training: bool):
        return 0.0  # `terms` adds what the rate costs

    def terms(self, x, labels, seed, training):
        terms = super().terms(x, labels, seed, training)
        capacity = self.capacity * self.warmup(self, training)
        apart = tf.abs(terms["rate"] - capacity)
        loss = terms["loss"] + self.gamma * apart
        return terms | {"loss": loss, "capacity": tf.convert_to_tensor(capacity, tf.float32)}

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
        own = {"gamma": self.gamma, "capacity": self.capacity, "warmup": self.warmup.steps}
        return config | own
