"""The MMD-VAE: InfoVAE at alpha = 1, where the penalty on mutual information is gone."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.registry import built_in

__all__ = ["DEFAULT_LAMBDA", "MMDVAE"]

DEFAULT_LAMBDA = 1000.0
"""Measured on MNIST by benchmarks/mmd_vae_lambda.py: at 1 the MMD does nothing, from 300 on q(z)
has the prior's moments, and 1000 is the first at which posteriors are wider than their floor."""


@built_in
class MMDVAE(InfoVAE):
    """The MMD-VAE: loss = reconstruction + lambda MMD^2(q(z), p(z)).

    `InfoVAE(alpha=1)`, to the bit: the rate has weight 0, so nothing penalizes I_q(x;z), and the
    aggregated posterior alone is held to the prior. The posterior's width has no pressure to stay
    wide but the MMD's, so the encoder's `min_stddev` bounds I_q.
    Source: Zhao, Song and Ermon, "InfoVAE", 2017, section 3; the same objective is the WAE-MMD of
    Tolstikhin et al., 2018. The arguments are those of `InfoVAE`; `divergence` defaults to `MMD()`.
    """

    title = "MMD-VAE"

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        lambda_: float = DEFAULT_LAMBDA,
        divergence=None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )

    def get_config(self) -> dict:
        return {k: v for k, v in super().get_config().items() if k != "alpha"}
