"""Residual networks for images of any size, down to a grid of about 4x4."""

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

__all__ = ["ResidualDecoder", "ResidualEncoder", "usual_filters"]


def usual_filters(image_shape: Sequence[int]) -> tuple[int, ...]:
    """Returns default filters: enough stride-2 convolutions to reduce an image to 3x3 or 4x4.

    An encoder has about 270,000 parameters at 64x64x3 and 300,000 at 128x128x3.

    Args:
        image_shape: (height, width, channels). Shape of an image.
    """
    count = max(2, math.ceil(math.log2(max(image_shape[:2]) / 4)))
    return ((12,) * (count - 6) + (12, 16, 24, 40, 64, 80))[-count:]


@built_in
@takes_old_arguments(count_categories(32))
class ResidualEncoder(Network):
    """Encoder q(z|x) with stride-2 convolutions and residual blocks between them.

    The input is images x (batch, height, width, channels). The output is {"loc", "scale"}, the mean
    and standard deviation of the latent variables z, each (batch, latent_dim - num_categories). A
    residual block adds the output of two 3x3 convolutions to its input. The second convolution is
    initialized to zero, so no normalization is needed.
    Source: He et al., "Identity mappings in deep residual networks", 2016; Zhang et al., "Fixup
    initialization", 2019.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the decoder's input: number of continuous latent variables plus
            `num_categories`.
        filters: sequence of int. Filters of the convolutions; each halves height and width. `None`
            chooses them by the size of the image.
        activation: str. Keras activation of the hidden layers.
        min_stddev: float. Smallest "scale". `None` makes the encoder deterministic: it returns
            {"loc"} only.
        num_categories: int. Number of values of a discrete latent variable. Its "logits" (batch,
            num_categories) are returned too. 0 means that there is none.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        encoder = ki.networks.ResidualEncoder((64, 64, 3), latent_dim=32)
        encoder(tf.zeros((2, 64, 64, 3)))["loc"].shape  # (2, 32)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 32,
        filters: Sequence[int] | None = None,
        activation: str = "gelu",
        min_stddev: float | None = 0.01,
        num_categories: int = 0,
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
        super().__init__(
            inputs, posterior_head(x, latent_dim, min_stddev, num_categories), **kwargs
        )
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "activation": activation,
            "min_stddev": min_stddev,
            "num_categories": num_categories,
            "dtype": dtype,
        }


@built_in
class ResidualDecoder(Network):
    """Decoder p(x|z) with 4x4 transposed convolutions of stride 2 and residual blocks between them.

    The input is latent variables z (batch, latent_dim). The output is a dict of the parameters of
    p(x|z), each (batch, height, width, channels). If height or width is not a multiple of
    2^len(filters), a larger image is computed and cropped.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the input.
        filters: sequence of int. Filters of the convolutions; each doubles height and width. `None`
            chooses them by the size of the image.
        activation: str. Keras activation of the hidden layers.
        parameters: sequence of str. Names of the outputs, which must be those of the likelihood,
            such as ("logits",) or ("loc", "scale"); see `Likelihood.parameters`.
        min_stddev: float. Smallest "scale", if it is one of the parameters.
        position_scale: bool. `True` learns one "scale" for each pixel and channel, the same for all
            images. `False` computes "scale" from z; the decoder may then use a large scale for
            details that are hard to draw.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        decoder = ki.networks.ResidualDecoder((64, 64, 3), latent_dim=32, parameters=("loc",))
        decoder(tf.zeros((2, 32)))["loc"].shape  # (2, 64, 64, 3)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 32,
        filters: Sequence[int] | None = None,
        activation: str = "gelu",
        parameters: Sequence[str] = ("logits",),
        min_stddev: float = 0.002,
        position_scale: bool = False,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_shape(image_shape)
        filters = check_widths(filters or usual_filters(image_shape)[::-1], "filters")
        if position_scale and not {"loc", "scale"} <= set(parameters):
            raise ValueError(
                "position_scale is for a likelihood with a location and a scale; the parameters "
                f"are {tuple(parameters)}."
            )
        grid = [math.ceil(size / 2 ** len(filters)) for size in image_shape[:2]]
        dtype = keras.dtype_policies.get(dtype).name

        def double(count, x, name, dtype):
            # Each output is a sum of 2x2 taps; Keras' initializers count all 4x4, of the outputs.
            stddev = math.sqrt(2 / (4 * x.shape[-1]))
            return Conv2DTranspose(
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
            [name for name in parameters if name != "scale" or not position_scale],
            min_stddev,
        )
        if position_scale:
            outputs["scale"] = _PositionScale(min_stddev, name="scale")(outputs["loc"])
        super().__init__(inputs, outputs, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "activation": activation,
            "parameters": list(parameters),
            "min_stddev": min_stddev,
            **({"position_scale": True} if position_scale else {}),
            "dtype": dtype,
        }


class _PositionScale(keras.layers.Layer):
    """Returns a positive variable of the shape of an image, for each image of a batch."""

    # Steps of Adam change a variable by about the learning rate, and a scale falls from 0.1 to
    # 0.002, where e^-4 is. As e^(10 v) that takes hundreds of steps of 1e-3, and not thousands.
    _speed = 10.0

    def __init__(self, floor: float, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self._floor = floor

    def build(self, input_shape):
        start = keras.initializers.Constant(math.log(0.1) / self._speed)
        self.log_scale = self.add_weight(input_shape[1:], start, name="log_scale")

    def call(self, loc):
        scale = keras.ops.exp(self._speed * self.log_scale) + self._floor
        return keras.ops.zeros_like(loc) + scale


def _block(x: keras.KerasTensor, name: str, activation: str, dtype) -> keras.KerasTensor:
    """Computes f(x + g(f(x))) for the activation f; g is two convolutions with f between them."""

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
