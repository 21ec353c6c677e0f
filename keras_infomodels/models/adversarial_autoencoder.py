"""The adversarial autoencoder: InfoVAE at alpha = 1, lambda = 1 with an adversary."""

import keras

from keras_infomodels.divergences import Adversarial
from keras_infomodels.models.infovae import InfoVAE
from keras_infomodels.networks import MLPDiscriminator

__all__ = ["AdversarialAutoencoder"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class AdversarialAutoencoder(InfoVAE):
    """The AAE: loss = reconstruction + lambda times the encoder's adversarial loss.

    `InfoVAE(alpha=1, lambda_, divergence=Adversarial(...))`, to the bit. A discriminator tells z
    from draws of the prior, which therefore needs no density: any spec of
    `keras_infomodels.distributions` serves. The encoder is what it returns: {"loc", "scale"} makes
    it stochastic, {"loc"} alone deterministic (`model.deterministic` says which), and then the
    rate is absent. `discriminator_loss` is 2 ln 2 - 2 JSD(q(z), p(z)) at the discriminator's
    optimum: 1.386 nats where they match.
    Source: Makhzani et al., "Adversarial autoencoders", 2015.

    Args:
        encoder, decoder, prior, likelihood, seed: see `InfoVAE`.
        discriminator: Keras model from z to a logit (batch, 1); None is `MLPDiscriminator`.
        loss: the encoder's loss by name, see `divergences.Adversarial`.
        lambda_: weight of that loss beside the reconstruction, which is summed over pixels.
    """

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        discriminator=None,
        loss: str = "non_saturating",
        lambda_: float = 1.0,
        seed: int = 0,
        **kwargs,
    ):
        if discriminator is None:
            (latent_dim,) = decoder.input_shape[1:]
            discriminator = MLPDiscriminator(latent_dim=latent_dim)
        divergence = Adversarial(discriminator, loss)
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "divergence")}
        serialize = keras.saving.serialize_keras_object
        return config | {
            "discriminator": serialize(self.discriminator),
            "loss": self.divergence.loss,
        }
