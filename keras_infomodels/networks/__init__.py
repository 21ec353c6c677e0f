"""Encoders and decoders: registered functional Keras models with JSON configs.

An encoder returns {"loc", "scale"}; a decoder returns the parameters that its likelihood names.
"""

from keras_infomodels.networks.conv import ConvDecoder, ConvEncoder
from keras_infomodels.networks.mlp import MLPDecoder, MLPDiscriminator, MLPEncoder
from keras_infomodels.networks.network import Network

__all__ = ["ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPDiscriminator", "MLPEncoder", "Network"]
