"""Generative adversarial networks: the GAN and InfoGAN."""

from keras_infomodels.models.gan.gan import GAN
from keras_infomodels.models.gan.infogan import InfoGAN

__all__ = ["GAN", "InfoGAN"]
