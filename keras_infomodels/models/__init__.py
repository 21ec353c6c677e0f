"""Models: autoencoders, GANs and a classifier, and the base class of a model of your own."""

# ruff: noqa: F401 - `names` says which of the imports are public
from keras_infomodels import names
from keras_infomodels.models.autoencoder.adversarial_autoencoder import AdversarialAutoencoder
from keras_infomodels.models.autoencoder.beta_vae import BetaVAE
from keras_infomodels.models.autoencoder.dip_vae import DIPVAE
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.mmd_vae import MMDVAE
from keras_infomodels.models.autoencoder.vae import VAE
from keras_infomodels.models.base import InfoModel
from keras_infomodels.models.classifier.classifier import Classifier
from keras_infomodels.models.gan.gan import GAN
from keras_infomodels.models.gan.infogan import InfoGAN

__all__ = ["MODELS", "InfoModel", *names.MODELS.values()]

MODELS = {name: globals()[cls] for name, cls in names.MODELS.items()}
"""Class of each name in the command."""
