"""Network that tells what two images have in common."""

from collections.abc import Sequence

import keras

from keras_infomodels.networks.heads import CHANNELS_LAST, check_shape, check_widths
from keras_infomodels.networks.network import Network
from keras_infomodels.registry import built_in

__all__ = ["PairClassifier"]


@built_in
class PairClassifier(Network):
    """Convolutional classifier of pairs of images.

    The input is pairs stacked along the channels, (batch, height, width, 2 channels). The output is
    logits (batch, classes). The layers are 4x4 convolutions of stride 2 and one dense layer, with
    leaky ReLU. There is no batch normalization, because it would couple the pairs of a batch.

    Args:
        image_shape: (height, width, channels). Shape of one image; a pair has twice its channels.
        classes: int. Number of classes, at least 2.
        filters: sequence of int. Filters of the convolutions; each halves height and width.
        width: int. Units of the dense layer.
        dtype: str or Keras dtype policy of the hidden layers; the logits are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        ValueError: If there are fewer than 2 classes, or a shape or width is not positive.

    Example:
        network = ki.networks.PairClassifier((28, 28, 1), classes=3)
        network(tf.zeros((2, 28, 28, 2))).shape  # (2, 3)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        classes: int = 2,
        filters: Sequence[int] = (32, 64),
        width: int = 216,
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        if classes < 2:
            raise ValueError(f"A classifier has at least 2 classes, got {classes}.")
        dtype = keras.dtype_policies.get(dtype).name
        *size, channels = image_shape
        inputs = x = keras.Input((*size, 2 * channels), name="pair")
        shared = {"kernel_initializer": "he_normal", "dtype": dtype}
        own = {"padding": "same", "data_format": CHANNELS_LAST, **shared}
        for i, count in enumerate(filters):
            x = keras.layers.Conv2D(count, 4, 2, name=f"convolution_{i}", **own)(x)
            x = keras.layers.LeakyReLU(0.1, dtype=dtype, name=f"convolution_{i}_relu")(x)
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(x)
        x = keras.layers.Dense(width, name="hidden", **shared)(x)
        x = keras.layers.LeakyReLU(0.1, dtype=dtype, name="hidden_relu")(x)
        logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
        super().__init__(inputs, logits, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "classes": classes,
            "filters": list(filters),
            "width": width,
            "dtype": dtype,
        }
