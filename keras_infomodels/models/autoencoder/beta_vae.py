"""The beta-VAE: InfoVAE at alpha = 1 - beta, lambda = beta."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.old_arguments import renew_and_warn
from keras_infomodels.registry import built_in
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["BetaVAE"]


@built_in
class BetaVAE(InfoVAE):
    """The beta-VAE: loss = reconstruction + beta rate, in nats per example.

    `InfoVAE(alpha=1 - beta, lambda_=beta)`, to the bit: both the mutual information and the
    aggregated posterior's distance from the prior have weight beta, so that beta above 1 *lowers*
    I_q(x;z). Source: Higgins et al., "beta-VAE", 2017, equation 4.

    Args:
        encoder, decoder, prior, likelihood, seed: see `InfoVAE`; the encoder is stochastic.
        beta: the rate's weight, above 0.
        warmup: Warmup or int. Training steps over which that weight rises from 0 to beta in a
            line, so that no latent variable is given up before the decoder has learned to use it.
            Evaluation always weighs with beta. None is no warm-up.
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
        """0: 1 - beta + beta - 1, without rounding."""
        return 0.0

    def current_rate_weight(self, training: bool):
        return self.rate_weight * self.warmup(self, training)

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
        return config | {"beta": self.beta, "warmup": self.warmup.steps}
