"""Fully connected networks."""

import math
from collections.abc import Sequence

import keras

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

__all__ = ["MLPDecoder", "MLPDiscriminator", "MLPEncoder"]


@built_in
@takes_old_arguments(count_categories(10))
class MLPEncoder(Network):
    """Encoder q(z|x) with fully connected layers.

    The input is images x (batch, height, width, channels). The output is {"loc", "scale"}, the mean
    and standard deviation of the latent variables z, each (batch, latent_dim - num_categories).

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the decoder's input: number of continuous latent variables plus
            `num_categories`.
        widths: sequence of int. Units of the hidden layers.
        activation: str. Keras activation of the hidden layers.
        min_stddev: float. Smallest "scale". `None` makes the encoder deterministic: it returns
            {"loc"} only.
        num_categories: int. Number of values of a discrete latent variable. Its "logits" (batch,
            num_categories) are returned too. 0 means that there is none.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        encoder(tf.zeros((2, 28, 28, 1)))["loc"].shape  # (2, 10)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 10,
        widths: Sequence[int] = (256, 256),
        activation: str = "gelu",
        min_stddev: float | None = 0.01,
        num_categories: int = 0,
        dtype=None,
        **kwargs,
    ):
        image_shape, widths = check_shape(image_shape), check_widths(widths, "widths")
        dtype = keras.dtype_policies.get(dtype).name
        inputs = keras.Input(image_shape, name="image")
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(inputs)
        for i, width in enumerate(widths):
            x = keras.layers.Dense(width, activation, dtype=dtype, name=f"hidden_{i}")(x)
        super().__init__(
            inputs, posterior_head(x, latent_dim, min_stddev, num_categories), **kwargs
        )
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "widths": list(widths),
            "activation": activation,
            "min_stddev": min_stddev,
            "num_categories": num_categories,
            "dtype": dtype,
        }


@built_in
class MLPDecoder(Network):
    """Decoder p(x|z) with fully connected layers.

    The input is latent variables z (batch, latent_dim). The output is a dict of the parameters of
    p(x|z), each (batch, height, width, channels).

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the input.
        widths: sequence of int. Units of the hidden layers.
        activation: str. Keras activation of the hidden layers.
        parameters: sequence of str. Names of the outputs, which must be those of the likelihood,
            such as ("logits",) or ("loc", "scale"); see `Likelihood.parameters`.
        min_stddev: float. Smallest "scale", if it is one of the parameters.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        decoder(tf.zeros((2, 10)))["logits"].shape  # (2, 28, 28, 1)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 10,
        widths: Sequence[int] = (256, 256),
        activation: str = "gelu",
        parameters: Sequence[str] = ("logits",),
        min_stddev: float = 0.01,
        dtype=None,
        **kwargs,
    ):
        image_shape, widths = check_shape(image_shape), check_widths(widths, "widths")
        dtype = keras.dtype_policies.get(dtype).name
        inputs = x = keras.Input((latent_dim,), name="z")
        for i, width in enumerate(widths):
            x = keras.layers.Dense(width, activation, dtype=dtype, name=f"hidden_{i}")(x)

        def last_layer(name):
            dense = keras.layers.Dense(math.prod(image_shape), dtype="float32", name=name)
            reshape = keras.layers.Reshape(image_shape, dtype="float32", name=f"{name}_image")
            return lambda y: reshape(dense(y))

        outputs = image_head(last_layer, x, image_shape, parameters, min_stddev)
        super().__init__(inputs, outputs, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "widths": list(widths),
            "activation": activation,
            "parameters": list(parameters),
            "min_stddev": min_stddev,
            "dtype": dtype,
        }


@built_in
class MLPDiscriminator(Network):
    """Discriminator of latent variables z, with fully connected layers.

    The input is z (batch, latent_dim), and the output logits (batch, 1).

    Args:
        latent_dim: int. Length of z.
        widths: sequence of int. Units of the hidden layers.
        activation: str. Keras activation of the hidden layers.
        dtype: str or Keras dtype policy of the hidden layers; the logits are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Example:
        discriminator = ki.networks.MLPDiscriminator(latent_dim=10)
        divergence = ki.divergences.Adversarial(discriminator)
    """

    def __init__(
        self,
        latent_dim: int = 10,
        widths: Sequence[int] = (128, 128),
        activation: str = "leaky_relu",
        dtype=None,
        **kwargs,
    ):
        widths = check_widths(widths, "widths")
        dtype = keras.dtype_policies.get(dtype).name
        inputs = x = keras.Input((latent_dim,), name="z")
        for i, width in enumerate(widths):
            x = keras.layers.Dense(width, activation, dtype=dtype, name=f"hidden_{i}")(x)
        super().__init__(inputs, keras.layers.Dense(1, dtype="float32", name="logit")(x), **kwargs)
        self._arguments = {
            "latent_dim": latent_dim,
            "widths": list(widths),
            "activation": activation,
            "dtype": dtype,
        }
