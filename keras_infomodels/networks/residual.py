"""Residual networks for pictures of any size, down to a grid of about 4x4."""

import math
from collections.abc import Sequence

import keras

from keras_infomodels.networks.heads import (
    CHANNELS_LAST,
    check_shape,
    check_widths,
    image_head,
    posterior_head,
)
from keras_infomodels.networks.network import Network
from keras_infomodels.registry import built_in

__all__ = ["ResidualDecoder", "ResidualEncoder", "usual_filters"]


def usual_filters(image_shape: Sequence[int]) -> tuple[int, ...]:
    """Filters of convolutions of stride 2 that bring an image to a grid of 3x3 or 4x4.

    About 270,000 parameters an encoder at 64x64x3, 300,000 at 128x128x3.

    Args:
        image_shape: (height, width, channels).
    """
    count = max(2, math.ceil(math.log2(max(image_shape[:2]) / 4)))
    return ((12,) * (count - 6) + (12, 16, 24, 40, 64, 80))[-count:]


@built_in
class ResidualEncoder(Network):
    """q(z|x) by convolutions of stride 2 with a residual block after each but the first and last.

    Images to {"loc", "scale"}, each (batch, latent_dim). A block is two 3x3 convolutions beside the
    identity, of which the second begins at zero, so no normalization is needed.
    Source: He et al., "Identity mappings in deep residual networks", 2016; Zhang et al., "Fixup
    initialization", 2019.

    Args:
        image_shape: (height, width, channels).
        latent_dim: number of latent variables.
        filters: of the convolutions; each halves the image. None follows from its size.
        activation: of the hidden layers, a Keras name.
        min_stddev: floor of the posterior's standard deviation; None for a deterministic encoder,
            which returns {"loc"} alone.
        categories: of a category beside z, whose "logits" it then returns too; 0 for none.
        dtype: a Keras dtype or policy for the hidden layers; the outputs are float32.

    Example:
        encoder = ResidualEncoder((64, 64, 3), latent_dim=32)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 32,
        filters: Sequence[int] | None = None,
        activation: str = "gelu",
        min_stddev: float | None = 0.01,
        categories: int = 0,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_shape(image_shape)
        filters = check_widths(filters or usual_filters(image_shape), "filters")
        dtype = keras.dtype_policies.get(dtype).name
        inputs = x = keras.Input(image_shape, name="image")
        for i, count in enumerate(filters):
            x = keras.layers.Conv2D(
                count,
                4,
                2,
                "same",
                data_format=CHANNELS_LAST,
                kernel_initializer="he_normal",
                dtype=dtype,
                name=f"convolution_{i}",
            )(x)
            if 0 < i < len(filters) - 1:
                x = _block(x, f"block_{i}", activation, dtype)
            else:
                x = keras.layers.Activation(activation, dtype=dtype, name=f"activation_{i}")(x)
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(x)
        super().__init__(inputs, posterior_head(x, latent_dim, min_stddev, categories), **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "activation": activation,
            "min_stddev": min_stddev,
            "categories": categories,
            "dtype": dtype,
        }


@built_in
class ResidualDecoder(Network):
    """p(x|z) by 4x4 transposed convolutions of stride 2 and residual blocks, the encoder's mirror.

    (batch, latent_dim) to a dict of image-shaped parameters; sizes that are no multiple of
    2^len(filters) are cropped from the next one.

    Args:
        image_shape: (height, width, channels).
        latent_dim: number of latent variables.
        filters: of the convolutions; each doubles the image. None follows from its size.
        activation: of the hidden layers, a Keras name.
        parameters: what the likelihood needs, its `.parameters`.
        min_stddev: floor of "scale", where the likelihood has one.
        dtype: a Keras dtype or policy for the hidden layers; the outputs are float32.

    Example:
        decoder = ResidualDecoder((64, 64, 3), latent_dim=32, parameters=("loc",))
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 32,
        filters: Sequence[int] | None = None,
        activation: str = "gelu",
        parameters: Sequence[str] = ("logits",),
        min_stddev: float = 0.002,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_shape(image_shape)
        filters = check_widths(filters or usual_filters(image_shape)[::-1], "filters")
        grid = [math.ceil(size / 2 ** len(filters)) for size in image_shape[:2]]
        dtype = keras.dtype_policies.get(dtype).name

        def double(count, x, name, dtype):
            # Each output is a sum of 2x2 taps; Keras' initializers count all 4x4, of the outputs.
            stddev = math.sqrt(2 / (4 * x.shape[-1]))
            return keras.layers.Conv2DTranspose(
                count,
                4,
                2,
                "same",
                data_format=CHANNELS_LAST,
                kernel_initializer=keras.initializers.TruncatedNormal(0.0, stddev),
                dtype=dtype,
                name=name,
            )(x)

        inputs = x = keras.Input((latent_dim,), name="z")
        x = keras.layers.Dense(
            math.prod(grid) * filters[0], kernel_initializer="he_normal", dtype=dtype, name="grid"
        )(x)
        x = keras.layers.Reshape((*grid, filters[0]), dtype=dtype, name="reshape")(x)
        x = keras.layers.Activation(activation, dtype=dtype, name="activation")(x)
        for i, count in enumerate(filters[1:]):
            x = double(count, x, f"convolution_{i}", dtype)
            if i < len(filters) - 2:
                x = _block(x, f"block_{i}", activation, dtype)
            else:
                x = keras.layers.Activation(activation, dtype=dtype, name=f"activation_{i}")(x)
        outputs = image_head(
            lambda name: lambda x: double(image_shape[2], x, name, "float32"),
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
            "activation": activation,
            "parameters": list(parameters),
            "min_stddev": min_stddev,
            "dtype": dtype,
        }


def _block(x: keras.KerasTensor, name: str, activation: str, dtype) -> keras.KerasTensor:
    """f(x + g(f(x))) for the activation f and two convolutions g with f between them."""

    def convolution(i, **options):
        return keras.layers.Conv2D(
            x.shape[-1],
            3,
            padding="same",
            data_format=CHANNELS_LAST,
            dtype=dtype,
            name=f"{name}_{i}",
            **options,
        )

    def activate(y, i):
        return keras.layers.Activation(activation, dtype=dtype, name=f"{name}_activation_{i}")(y)

    y = convolution(0, kernel_initializer="he_normal")(activate(x, 0))
    y = convolution(1, kernel_initializer="zeros")(activate(y, 1))
    return activate(keras.layers.Add(dtype=dtype, name=f"{name}_sum")([x, y]), 2)
