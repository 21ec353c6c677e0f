"""The models: one folder a family, with all that is known of it."""

from keras_infomodels.models.autoencoder import (
    MMDVAE,
    VAE,
    AdversarialAutoencoder,
    BetaVAE,
    InfoVAE,
)
from keras_infomodels.models.classifier import Classifier
from keras_infomodels.models.gan import GAN, InfoGAN

MODELS = {
    "vae": VAE,
    "beta_vae": BetaVAE,
    "infovae": InfoVAE,
    "mmd_vae": MMDVAE,
    "aae": AdversarialAutoencoder,
    "gan": GAN,
    "infogan": InfoGAN,
    "classifier": Classifier,
}
"""Command-line names."""

__all__ = [
    "GAN",
    "MMDVAE",
    "MODELS",
    "VAE",
    "AdversarialAutoencoder",
    "BetaVAE",
    "Classifier",
    "InfoGAN",
    "InfoVAE",
]
