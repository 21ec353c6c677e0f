"""Networks: functional Keras models with JSON configs.

An encoder returns {"loc", "scale"}. A decoder returns a dict of the parameters of its likelihood. A
generator returns images. A discriminator or classifier returns {"logits", "features"}.
"""

from keras_infomodels.networks.classifier import ConvClassifier
from keras_infomodels.networks.conv import ConvDecoder, ConvEncoder
from keras_infomodels.networks.gan import ConvDiscriminator, ConvGenerator, RecognitionHead
from keras_infomodels.networks.mlp import MLPDecoder, MLPDiscriminator, MLPEncoder
from keras_infomodels.networks.network import Network
from keras_infomodels.networks.pair_classifier import PairClassifier
from keras_infomodels.networks.residual import ResidualDecoder, ResidualEncoder

__all__ = [
    "ConvClassifier",
    "ConvDecoder",
    "ConvDiscriminator",
    "ConvEncoder",
    "ConvGenerator",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "Network",
    "PairClassifier",
    "RecognitionHead",
    "ResidualDecoder",
    "ResidualEncoder",
]
