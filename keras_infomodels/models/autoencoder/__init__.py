"""Autoencoders: InfoVAE and its named points."""

from keras_infomodels.models.autoencoder.adversarial_autoencoder import AdversarialAutoencoder
from keras_infomodels.models.autoencoder.beta_vae import BetaVAE
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.mmd_vae import MMDVAE
from keras_infomodels.models.autoencoder.vae import VAE

__all__ = ["MMDVAE", "VAE", "AdversarialAutoencoder", "BetaVAE", "InfoVAE"]
