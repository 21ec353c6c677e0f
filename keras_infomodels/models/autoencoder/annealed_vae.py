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
    """The annealed-capacity beta-VAE: the rate is held to a capacity that grows in training.

        loss = reconstruction + gamma |rate - C|,    C = capacity * min(step / warmup, 1)

        capacity = C of the step                     nats per example; a metric

    A small capacity lets through what saves most reconstruction for a nat, such as the position of
    a sprite; factors that matter less follow in latent variables that are still free. With
    `capacity` 0 this is the `BetaVAE` of beta = gamma, to the bit. Evaluation takes the final
    capacity. Since the rate is I_q(x;z) + KL(q(z) || p(z)), the capacity bounds I_q(x;z) as far as
    gamma holds the rate to it.
    Source: Burgess et al., "Understanding disentangling in beta-VAE", 2018, equation 8.

    Args:
        encoder: Keras model. A stochastic encoder; see `InfoVAE`.
        decoder: Keras model. Decoder; see `InfoVAE`.
        prior: `Prior`. Prior of z; see `InfoVAE`.
        likelihood: str or likelihood. Distribution of pixels; see `InfoVAE`.
        gamma: float above 0. Weight of the rate's distance from the capacity.
        capacity: float, at least 0. Final capacity C in nats.
        warmup: Warmup or int. Training steps in which C rises from 0 to `capacity`. None is none.
        seed: int. Seed of all randomness.

    Raises:
        ValueError: a weight that is not above 0, a negative capacity, or what `InfoVAE` raises.

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
            raise ValueError("gamma is above 0: without it nothing holds the rate; got 0.")
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
