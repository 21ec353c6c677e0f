"""The beta-VAE: InfoVAE with alpha = 1 - beta and lambda = beta."""

from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.old_arguments import renew_and_warn
from keras_infomodels.registry import built_in
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["BetaVAE"]


@built_in
class BetaVAE(InfoVAE):
    """Beta-VAE: loss = reconstruction + beta * rate, in nats per example.

    The reconstruction is -E log p(x|z). The rate is E KL(q(z|x) || p(z)), with images x and latent
    variables z. The rate equals I_q(x;z) + KL(q(z) || p(z)): the mutual information of images and
    latents, and the divergence of q(z), the latents of all images together, from the prior. Both
    parts have weight beta. So beta above 1 *lowers* the mutual information. Training is
    bit-identical to that of `InfoVAE(alpha=1 - beta, lambda_=beta)`.

    Source: Higgins et al., "beta-VAE", 2017, equation 4.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"}, the
            mean and standard deviation of q(z|x), each (batch, latent_dim).
        decoder: Keras model. Maps latent variables z (batch, latent_dim) to a dict of the
            parameters that `likelihood` needs, such as {"logits"} for Bernoulli pixels.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z) of
            the latent variables. `None` is the standard normal N(0, I).
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        beta: float, above 0. Weight of the rate.
        warmup: `Warmup` or int. Number of training steps over which the weight rises linearly from
            0 to beta. A warm-up keeps latent variables from collapsing to the prior before the
            decoder uses them. Evaluation always uses beta. `None` means no warm-up.
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
        """Weight of the rate in the loss, beta."""
        return self.lambda_

    @property
    def divergence_weight(self) -> float:
        """Weight of the divergence in the loss: 0, because a beta-VAE has only the rate."""
        return 0.0

    def current_rate_weight(self, training: bool):
        return self.rate_weight * self.warmup(self, training)

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
        return config | {"beta": self.beta, "warmup": self.warmup.steps}
