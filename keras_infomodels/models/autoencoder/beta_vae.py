"""The beta-VAE: InfoVAE with alpha = 1 - beta and lambda = beta."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.old_arguments import renew_and_warn
from keras_infomodels.registry import built_in
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["BetaVAE"]


@built_in
class BetaVAE(InfoVAE):
    """Beta-VAE: loss = reconstruction + beta * rate, in nats per example.

    Equal to `InfoVAE(alpha=1 - beta, lambda_=beta)`, to the bit. Both the mutual information and
    the aggregated posterior's divergence from the prior have weight beta, so that beta above 1
    *lowers* I_q(x;z). Source: Higgins et al., "beta-VAE", 2017, equation 4.

    Args:
        encoder: Keras model from images to {"loc", "scale"}, each (batch, latent_dim).
        decoder: Keras model from z (batch, latent_dim) to the likelihood's parameters.
        prior: a prior of `keras_infomodels.distributions`, or a TFP distribution. `None` is the
            standard normal.
        likelihood: str or likelihood. A name of `distributions.LIKELIHOODS`, or an object.
        beta: float, above 0. Weight of the rate.
        warmup: `Warmup` or int. Training steps over which the weight rises linearly from 0 to beta,
            so that latent variables do not collapse before the decoder uses them. Evaluation always
            uses beta. `None` means no warm-up.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If `beta` is not positive, or settings or shapes do not fit together.

    Example:
        model = ki.from_preset("beta_vae_mnist")
        z = model.encode(model.generate(8, seed=0)).mean()  # shape (8, 10)

        # Or a new model to train:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.BetaVAE(encoder, decoder, beta=4.0, warmup=1000)
        model.compile("adam")
    """

    title = "beta-VAE"
    citation = (
        "I. Higgins et al., beta-VAE: learning basic visual concepts with a constrained "
        "variational framework, 2017, https://openreview.net/forum?id=Sy2fzU9gl"
    )

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        beta: float = 4.0,
        warmup: Warmup | int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        if not beta > 0:
            raise ValueError(f"beta is above 0, got {beta!r}.")
        kwargs = renew_and_warn(type(self), warmup=warmup, **kwargs)
        warmup = warmup_of(kwargs.pop("warmup"))
        super().__init__(
            encoder, decoder, prior, likelihood, 1 - float(beta), float(beta), seed=seed, **kwargs
        )
        self.beta = float(beta)
        self.warmup = warmup

    @property
    def rate_weight(self) -> float:
        """Weight of the rate, beta."""
        return self.lambda_

    @property
    def divergence_weight(self) -> float:
        """Weight alpha + lambda - 1 of the divergence: 0, without rounding."""
        return 0.0

    def current_rate_weight(self, training: bool):
        return self.rate_weight * self.warmup(self, training)

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
        return config | {"beta": self.beta, "warmup": self.warmup.steps}
