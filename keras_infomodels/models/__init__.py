"""The models: one file a model."""

from keras_infomodels.models.infovae import InfoVAE
from keras_infomodels.models.mmd_vae import MMDVAE
from keras_infomodels.models.vae import VAE

MODELS = {"vae": VAE, "infovae": InfoVAE, "mmd_vae": MMDVAE}
"""Command-line names."""

__all__ = ["MMDVAE", "MODELS", "VAE", "InfoVAE"]
