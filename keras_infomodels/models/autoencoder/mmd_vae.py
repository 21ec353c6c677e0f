"""The MMD-VAE: InfoVAE with alpha = 1, without a penalty on mutual information."""

from collections.abc import Mapping
from typing import Literal

from keras_infomodels import distributions
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.tables import scale_weight
from keras_infomodels.models.autoencoder.weights import scaled_weight
from keras_infomodels.registry import built_in

__all__ = ["DEFAULT_LAMBDA", "MMDVAE"]

DEFAULT_LAMBDA = 1000.0
"""Measured on MNIST by benchmarks/mmd_vae_lambda.py. At 1 the MMD has no effect, from 300 on q(z)
has the prior's moments, and from 1000 on posteriors are wider than `min_stddev`."""


@built_in
class MMDVAE(InfoVAE):
    """MMD-VAE: loss = reconstruction + lambda * MMD^2(q(z), p(z)).

    Equal to `InfoVAE(alpha=1)`, to the bit. The rate has weight 0, so that I_q(x;z) is not
    penalized and only the aggregated posterior is matched to the prior. Apart from the MMD nothing
    keeps posteriors wide, so that the encoder's `min_stddev` limits I_q(x;z).
    Source: Zhao, Song and Ermon, "InfoVAE", 2017, section 3. The WAE-MMD of Tolstikhin et al.,
    2018, has the same objective.

    Args:
        encoder: Keras model from images to {"loc", "scale"} or {"loc"}; see `InfoVAE`.
        decoder: Keras model from z (batch, latent_dim) to the likelihood's parameters.
        prior: a prior of `keras_infomodels.distributions`, or a TFP distribution. `None` is the
            standard normal.
        likelihood: str or likelihood. A name of `distributions.LIKELIHOODS`, or an object.
        lambda_: float or "auto". Weight of the divergence. "auto" is 1000 at 28x28x1 and grows with
            the number of pixels; see `weights.scaled_weight`.
        divergence: str or divergence. A name of `divergences.DIVERGENCES`, or an object. `None` is
            `MMD()`.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If settings or shapes do not fit together.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        images = model.generate(8, seed=0)  # shape (8, 28, 28, 1)
        z = model.encode(images).mean()  # shape (8, 2)

        # Or a new model to train:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.MMDVAE(encoder, decoder)
        model.compile("adam")
    """

    title = "MMD-VAE"

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """Returns the `[model]` table of a recipe with the settings that it leaves out."""
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
