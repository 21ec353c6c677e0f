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

_NARROW = 500.0
"""Measured by the same script on scenes of three sizes: larger values soon cost the image."""


@built_in
class MMDVAE(InfoVAE):
    """MMD-VAE: loss = reconstruction + lambda * MMD^2(q(z), p(z)).

    The reconstruction is -E log p(x|z) in nats per image x. MMD^2 is the squared maximum mean
    discrepancy between q(z), the latent variables z of all images together, and the prior p(z). The
    rate KL(q(z|x) || p(z)) has weight 0. So the mutual information I_q(x;z) of images and latents
    is not penalized. No term keeps the standard deviations of single posteriors q(z|x) from
    shrinking; only the encoder's `min_stddev` limits I_q(x;z). Training is bit-identical to that of
    `InfoVAE(alpha=1)`.

    Source: Zhao, Song and Ermon, "InfoVAE", 2017, section 3. The WAE-MMD of Tolstikhin et al.,
    2018, has the same objective.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"}, the
            mean and standard deviation of q(z|x), each (batch, latent_dim). An encoder that returns
            {"loc"} alone is deterministic.
        decoder: Keras model. Maps latent variables z (batch, latent_dim) to a dict of the
            parameters that `likelihood` needs, such as {"logits"} for Bernoulli pixels.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z) of
            the latent variables. `None` is the standard normal N(0, I).
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        lambda_: float or "auto". Weight of the divergence. "auto" is 1000 for 28x28x1 images with
            Bernoulli or continuous Bernoulli pixels and proportional to the number of pixels. For
            other likelihoods it is 500: q(z) is then unlike the prior, so call `fit_prior`.
        divergence: str or `Divergence`. Divergence of q(z) from p(z): a key of
            `divergences.DIVERGENCES`, or an object. `None` is `MMD()`.
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
        """Returns the `[model]` table of a recipe, with defaults for settings that are missing.

        Args:
            table: dict. Table `[model]` of a recipe.
            image_shape: (height, width, channels). Shape of an image.
        """
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
        lambda_ = scaled_weight(lambda_, DEFAULT_LAMBDA, encoder, likelihood, _NARROW)
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )

    def get_config(self) -> dict:
        return {k: v for k, v in super().get_config().items() if k != "alpha"}
