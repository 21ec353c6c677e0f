"""Convolutional networks for images of about 28x28 to 64x64 pixels."""

import math
from collections.abc import Sequence

import keras

from keras_infomodels.networks.convolutions import Conv2DTranspose
from keras_infomodels.networks.heads import (
    CHANNELS_LAST,
    check_shape,
    check_widths,
    count_categories,
    image_head,
    posterior_head,
)
from keras_infomodels.networks.network import Network
from keras_infomodels.registry import built_in
from keras_infomodels.renames import takes_old_arguments

__all__ = ["ConvDecoder", "ConvEncoder"]


@built_in
@takes_old_arguments(count_categories(10))
class ConvEncoder(Network):
    """Encoder q(z|x) with 4x4 convolutions of stride 2 and one dense layer.

    The input is images x (batch, height, width, channels). The output is {"loc", "scale"}, the mean
    and standard deviation of the latent variables z, each (batch, latent_dim - num_categories).

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the decoder's input: number of continuous latent variables plus
            `num_categories`.
        filters: sequence of int. Filters of the convolutions; each halves height and width.
        width: int. Units of the dense layer.
        activation: str. Keras activation of the hidden layers.
        min_stddev: float. Smallest "scale". `None` makes the encoder deterministic: it returns
            {"loc"} only.
        num_categories: int. Number of values of a discrete latent variable. Its "logits" (batch,
            num_categories) are returned too. 0 means that there is none.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        encoder = ki.networks.ConvEncoder((28, 28, 1), latent_dim=10)
        encoder(tf.zeros((2, 28, 28, 1)))["loc"].shape  # (2, 10)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 10,
        filters: Sequence[int] = (16, 32, 64),
        width: int = 128,
        activation: str = "gelu",
        min_stddev: float | None = 0.01,
        num_categories: int = 0,
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        dtype = keras.dtype_policies.get(dtype).name
        inputs = x = keras.Input(image_shape, name="image")
        for i, count in enumerate(filters):
            options = {"activation": activation, "dtype": dtype, "name": f"convolution_{i}"}
            x = keras.layers.Conv2D(
                count, 4, 2, padding="same", data_format=CHANNELS_LAST, **options
            )(x)
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(x)
        x = keras.layers.Dense(width, activation, dtype=dtype, name="hidden")(x)
        super().__init__(
            inputs, posterior_head(x, latent_dim, min_stddev, num_categories), **kwargs
        )
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "width": width,
            "activation": activation,
            "min_stddev": min_stddev,
            "num_categories": num_categories,
            "dtype": dtype,
        }


@built_in
class ConvDecoder(Network):
    """Decoder p(x|z) with one dense layer and 4x4 transposed convolutions of stride 2.

    The input is latent variables z (batch, latent_dim). The output is a dict of the parameters of
    p(x|z), each (batch, height, width, channels). If height or width is not a multiple of
    2^len(filters), a larger image is computed and cropped.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the input.
        filters: sequence of int. Filters of the convolutions; each doubles height and width.
        width: int. Units of the dense layer.
        activation: str. Keras activation of the hidden layers.
        parameters: sequence of str. Names of the outputs, which must be those of the likelihood,
            such as ("logits",) or ("loc", "scale"); see `Likelihood.parameters`.
        min_stddev: float. Smallest "scale", if it is one of the parameters.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        decoder = ki.networks.ConvDecoder((28, 28, 1), latent_dim=10)
        decoder(tf.zeros((2, 10)))["logits"].shape  # (2, 28, 28, 1)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 10,
        filters: Sequence[int] = (64, 32, 16),
        width: int = 128,
        activation: str = "gelu",
        parameters: Sequence[str] = ("logits",),
        min_stddev: float = 0.01,
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        height, width_, channels = image_shape
        grid = [math.ceil(size / 2 ** len(filters)) for size in (height, width_)]
        dtype = keras.dtype_policies.get(dtype).name
        inputs = x = keras.Input((latent_dim,), name="z")
        x = keras.layers.Dense(width, activation, dtype=dtype, name="hidden")(x)
        units = math.prod(grid) * filters[0]
        x = keras.layers.Dense(units, activation, dtype=dtype, name="grid")(x)
        x = keras.layers.Reshape((*grid, filters[0]), dtype=dtype, name="reshape")(x)

        def double(count, **options):
            return Conv2DTranspose(
                count, 4, 2, padding="same", data_format=CHANNELS_LAST, **options
            )

        for i, count in enumerate(filters[1:]):
            x = double(count, activation=activation, dtype=dtype, name=f"convolution_{i}")(x)
        outputs = image_head(
            lambda name: double(channels, dtype="float32", name=name),
            x,
            image_shape,
            parameters,
            min_stddev,
        )
        super().__init__(inputs, outputs, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "width": width,
            "activation": activation,
            "parameters": list(parameters),
            "min_stddev": min_stddev,
            "dtype": dtype,
        }
