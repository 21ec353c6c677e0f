"""The models: one file a model."""

from keras_infomodels.models.adversarial_autoencoder import AdversarialAutoencoder
from keras_infomodels.models.beta_vae import BetaVAE
from keras_infomodels.models.classifier import Classifier
from keras_infomodels.models.gan import GAN
from keras_infomodels.models.infogan import InfoGAN
from keras_infomodels.models.infovae import InfoVAE
from keras_infomodels.models.mmd_vae import MMDVAE
from keras_infomodels.models.vae import VAE

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
