"""The variational autoencoder: InfoVAE at alpha = 0, lambda = 1."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.registry import built_in

__all__ = ["VAE"]


@built_in
class VAE(InfoVAE):
    """The VAE: loss = reconstruction + rate, the negative ELBO in nats per example.

    `InfoVAE(alpha=0, lambda_=1)`, to the bit. Source: Kingma and Welling, "Auto-encoding
    variational Bayes", 2013, equation 10. The arguments are those of `InfoVAE`.
    """

    title = "VAE"
    citation = (
        "D. P. Kingma and M. Welling, Auto-encoding variational Bayes, 2013, "
        "https://arxiv.org/abs/1312.6114"
    )

    def __init__(
        self, encoder, decoder, prior=None, likelihood="bernoulli", seed: int = 0, **kwargs
    ):
        super().__init__(encoder, decoder, prior, likelihood, seed=seed, **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
