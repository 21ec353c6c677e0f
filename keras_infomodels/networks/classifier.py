"""Network of a classifier."""

from collections.abc import Sequence

import keras

from keras_infomodels.networks.heads import CHANNELS_LAST, check_shape, check_widths
from keras_infomodels.networks.network import Network
from keras_infomodels.networks.normalization import BatchNormalization
from keras_infomodels.registry import built_in

__all__ = ["ConvClassifier"]


@built_in
class ConvClassifier(Network):
    """Convolutional classifier network for images.

    The input is (batch, height, width, channels). The output is a dict of float32 tensors: "logits"
    (batch, classes) and "features" (batch, width). Each 3x3 convolution is followed by batch
    normalization, ReLU and pooling by 2. Then comes a dense layer, whose activations are the
    features.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        classes: int. Number of classes, at least 2.
        filters: sequence of int. Number of filters of each convolution.
        width: int. Units of the dense layer.
        dtype: str or Keras dtype policy of the hidden layers. `None` means Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        ValueError: If there are fewer than 2 classes, or a shape or width is not positive.

    Example:
        network = ki.networks.ConvClassifier((28, 28, 1), classes=10)
        network(tf.zeros((2, 28, 28, 1)))["logits"].shape  # (2, 10)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        classes: int = 10,
        filters: Sequence[int] = (32, 64, 128),
        width: int = 128,
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        if classes < 2:
            raise ValueError(f"A classifier has at least 2 classes, got {classes}.")
        dtype = keras.dtype_policies.get(dtype).name

        def normalize(x, name):
            x = BatchNormalization(dtype=dtype, name=f"{name}_norm")(x)
            return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(x)

        inputs = x = keras.Input(image_shape, name="image")
        for i, count in enumerate(filters):
            name = f"convolution_{i}"
            options = {
                "padding": "same",
                "use_bias": False,
                "dtype": dtype,
                "data_format": CHANNELS_LAST,
            }
            x = normalize(keras.layers.Conv2D(count, 3, name=name, **options)(x), name)
            x = keras.layers.MaxPooling2D(
                2, padding="same", data_format=CHANNELS_LAST, dtype=dtype, name=f"pool_{i}"
            )(x)
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(x)
        x = keras.layers.Dense(width, use_bias=False, dtype=dtype, name="hidden")(x)
        x = normalize(x, "hidden")
        features = keras.layers.Activation("linear", dtype="float32", name="features")(x)
        logits = keras.layers.Dense(classes, dtype="float32", name="logits")(features)
        super().__init__(inputs, {"logits": logits, "features": features}, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "classes": classes,
            "filters": list(filters),
            "width": width,
            "dtype": dtype,
        }
