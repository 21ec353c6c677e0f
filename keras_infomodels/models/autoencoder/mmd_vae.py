"""The MMD-VAE: InfoVAE at alpha = 1, where the penalty on mutual information is gone."""

from collections.abc import Mapping
from typing import Literal

from keras_infomodels import distributions
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.tables import scale_weight
from keras_infomodels.models.autoencoder.weights import scaled_weight
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
    Tolstikhin et al., 2018.

    Args:
        encoder, decoder, prior, likelihood, divergence, seed: see `InfoVAE`; `divergence` defaults
            to `MMD()`.
        lambda_: float or "auto". Weight of the divergence. "auto" is 1000 at 28x28x1 and grows with
            the number of pixels and what a likelihood makes of one: see `weights.scaled_weight`.
    """

    title = "MMD-VAE"

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """The `[model]` table of a recipe with what it leaves out."""
        return scale_weight(super().complete(table, image_shape), image_shape)

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        lambda_: float | Literal["auto"] = DEFAULT_LAMBDA,
        divergence=None,
        seed: int = 0,
        **kwargs,
    ):
        likelihood = distributions.likelihood(likelihood)
        lambda_ = scaled_weight(lambda_, DEFAULT_LAMBDA, encoder, likelihood)
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )

    def get_config(self) -> dict:
        return {k: v for k, v in super().get_config().items() if k != "alpha"}
