"""The variational autoencoder: InfoVAE with alpha = 0 and lambda = 1."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.registry import built_in

__all__ = ["VAE"]


@built_in
class VAE(InfoVAE):
    """Variational autoencoder: loss = reconstruction + rate, the negative ELBO in nats per example.

    The reconstruction is -E log p(x|z), summed over the pixels of an image x. The rate is E
    KL(q(z|x) || p(z)), with latent variables z. Training is bit-identical to that of
    `InfoVAE(alpha=0, lambda_=1)`.

    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2013, equation 10.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"}, the
            mean and standard deviation of q(z|x), each (batch, latent_dim).
        decoder: Keras model. Maps latent variables z (batch, latent_dim) to a dict of the
            parameters that `likelihood` needs, such as {"logits"} for Bernoulli pixels.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z) of
            the latent variables. `None` is the standard normal N(0, I).
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If settings or shapes do not fit together.

    Example:
        model = ki.from_preset("vae_mnist")
        images = model.generate(8, seed=0)  # shape (8, 28, 28, 1)
        reconstructions = model.reconstruct(images)

        # Or a new model to train:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.VAE(encoder, decoder)
        model.compile("adam")
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
