"""Generators, discriminators and the recognition head of the GAN family."""

import math
from collections.abc import Sequence

import keras

from keras_infomodels.networks.convolutions import Conv2D, Conv2DTranspose
from keras_infomodels.networks.heads import CHANNELS_LAST, check_shape, check_widths, crop
from keras_infomodels.networks.network import Network
from keras_infomodels.networks.normalization import BatchNormalization
from keras_infomodels.networks.upsampling import UpsamplingConv2D
from keras_infomodels.registry import built_in
from keras_infomodels.renames import rename, takes_old_arguments

__all__ = ["ConvDiscriminator", "ConvGenerator", "RecognitionHead"]


@built_in
class ConvGenerator(Network):
    """Generator with one dense layer and convolutions that double height and width.

    The input is latents (batch, latent_dim). The output is images in [0, 1], (batch, height, width,
    channels). Batch normalization follows every hidden layer.
    Source: Chen et al., "InfoGAN", 2016, appendix C, with a narrower dense layer.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        latent_dim: int. Length of the input, the sum of `noise_dim` and the lengths of the codes.
        filters: sequence of int. Number of input channels of each convolution.
        width: int. Units of the dense layer.
        upsampling: str. "transposed" uses 4x4 transposed convolutions of stride 2, which may draw
            checkerboard artifacts. "nearest" repeats pixels in blocks of 2x2 and uses 3x3
            convolutions, which avoids them. "bilinear" uses bilinear interpolation and 3x3
            convolutions: smoother, and slower.
            Source: Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", 2016.
        dtype: str or Keras dtype policy of the hidden layers; the images are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        ValueError: If `upsampling` is unknown, or a shape or width is not positive.

    Example:
        generator = ki.networks.ConvGenerator((28, 28, 1), latent_dim=74)
        generator(tf.zeros((2, 74))).shape  # (2, 28, 28, 1)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 74,
        filters: Sequence[int] = (64, 32),
        width: int = 216,
        upsampling: str = "transposed",
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        if upsampling not in ("transposed", "nearest", "bilinear"):
            raise ValueError(
                f'upsampling is "transposed", "nearest" or "bilinear", got {upsampling!r}.'
            )
        dtype = keras.dtype_policies.get(dtype).name
        grid = [math.ceil(size / 2 ** len(filters)) for size in image_shape[:2]]

        def normalize(x, name):
            x = BatchNormalization(dtype=dtype, name=f"{name}_norm")(x)
            return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(x)

        def double(count, name, dtype):
            if upsampling == "nearest":
                return UpsamplingConv2D(count, dtype=dtype, name=name)
            options = {"padding": "same", "data_format": CHANNELS_LAST, "dtype": dtype}
            if upsampling == "transposed":
                return Conv2DTranspose(count, 4, 2, name=name, **options)
            larger = keras.layers.UpSampling2D(
                data_format=CHANNELS_LAST,
                interpolation="bilinear",
                dtype=dtype,
                name=f"{name}_larger",
            )
            convolution = keras.layers.Conv2D(count, 3, name=name, **options)
            return lambda x: convolution(larger(x))

        inputs = x = keras.Input((latent_dim,), name="latents")
        x = keras.layers.Dense(width, use_bias=False, dtype=dtype, name="hidden")(x)
        x = normalize(x, "hidden")
        units = math.prod(grid) * filters[0]
        x = keras.layers.Dense(units, use_bias=False, dtype=dtype, name="grid")(x)
        x = normalize(x, "grid")
        x = keras.layers.Reshape((*grid, filters[0]), dtype=dtype, name="reshape")(x)
        for i, count in enumerate(filters[1:]):
            x = normalize(double(count, f"convolution_{i}", dtype)(x), f"convolution_{i}")
        x = double(image_shape[2], "image", dtype)(x)
        x = keras.layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
        super().__init__(inputs, crop(x, image_shape, "image"), **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "filters": list(filters),
            "width": width,
            "upsampling": upsampling,
            "dtype": dtype,
        }


@built_in
@takes_old_arguments(rename(judging="return_logits"))
class ConvDiscriminator(Network):
    """Convolutional discriminator network for images.

    The input is (batch, height, width, channels). The output is a dict: "logits" (batch, 1), and
    "features" (batch, width), the input of an InfoGAN's recognition head Q. The layers are 4x4
    convolutions of stride 2 and one dense layer, with leaky ReLU.

    Args:
        image_shape: (height, width, channels). Shape of an image.
        filters: sequence of int. Filters of the convolutions; each halves height and width.
        width: int. Units of the dense layer.
        normalization: str or None. "batch" is batch normalization after every layer but the first;
            real and generated images are separate batches. "spectral" is spectral normalization of
            every kernel. `None` means no normalization. With a gradient penalty use "spectral" or
            `None`, because batch normalization couples the examples of a batch.
        return_logits: bool. `True` returns "logits" and "features". `False` returns "features"
            only, for a separate trunk of Q.
        dtype: str or Keras dtype policy of the hidden layers; the outputs are float32. `None` means
            Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        ValueError: If `normalization` is unknown, or a shape or width is not positive.

    Example:
        discriminator = ki.networks.ConvDiscriminator((28, 28, 1), normalization="spectral")
        discriminator(tf.zeros((2, 28, 28, 1)))["logits"].shape  # (2, 1)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        filters: Sequence[int] = (32, 64),
        width: int = 216,
        normalization: str | None = "batch",
        return_logits: bool = True,
        dtype=None,
        **kwargs,
    ):
        image_shape, filters = check_shape(image_shape), check_widths(filters, "filters")
        if normalization not in ("batch", "spectral", None):
            raise ValueError(
                f'normalization is "batch", "spectral" or None, got {normalization!r}.'
            )
        dtype = keras.dtype_policies.get(dtype).name
        batch = normalization == "batch"

        def weigh(layer):
            if normalization != "spectral":
                return layer
            # Always float32: SpectralNormalization would round the kernel itself to its dtype.
            name = f"{layer.name}_spectral"
            return keras.layers.SpectralNormalization(layer, dtype="float32", name=name)

        def activate(x, name, normalized):
            if normalized:
                x = BatchNormalization(dtype=dtype, name=f"{name}_norm")(x)
            return keras.layers.LeakyReLU(0.1, dtype=dtype, name=f"{name}_relu")(x)

        # Nothing else keeps activations from shrinking from layer to layer.
        initializer = "glorot_uniform" if normalization else "he_normal"
        inputs = x = keras.Input(image_shape, name="image")
        for i, count in enumerate(filters):
            options = {"use_bias": not (batch and i), "dtype": dtype, "name": f"convolution_{i}"}
            options["kernel_initializer"] = initializer
            x = weigh(Conv2D(count, 4, 2, padding="same", data_format=CHANNELS_LAST, **options))(x)
            x = activate(x, f"convolution_{i}", batch and i)
        x = keras.layers.Flatten(CHANNELS_LAST, dtype=dtype, name="flatten")(x)
        hidden = keras.layers.Dense(
            width,
            use_bias=not batch,
            kernel_initializer=initializer,
            dtype=dtype,
            name="hidden",
        )
        features = activate(weigh(hidden)(x), "hidden", batch)
        outputs = {"features": features}
        if return_logits:
            last = weigh(keras.layers.Dense(1, dtype="float32", name="logits"))
            outputs = {"logits": last(features), **outputs}
        super().__init__(inputs, outputs, **kwargs)
        self._arguments = {
            "image_shape": list(image_shape),
            "filters": list(filters),
            "width": width,
            "normalization": normalization,
            "return_logits": return_logits,
            "dtype": dtype,
        }


@built_in
class RecognitionHead(Network):
    """Recognition head of an InfoGAN: computes the parameters of Q(c|x) for each code c.

    The input is features of images x, (batch, features), from a discriminator. The output is a dict
    from the name of a code to a float32 tensor (batch, number of outputs). The head has one hidden
    layer.

    Args:
        features: int. Length of the input.
        sizes: dict from code name to int. Number of outputs of each code: `Code.parameters`.
        width: int. Units of the hidden layer.
        normalization: str or None. "batch" is batch normalization after the hidden layer. `None`
            means no normalization.
        dtype: str or Keras dtype policy of the hidden layer. `None` means Keras' global policy.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        ValueError: If `normalization` is unknown, or a code has the name of a layer.

    Example:
        head = ki.networks.RecognitionHead(features=216, sizes={"digit": 10, "slant": 2})
        head(tf.zeros((5, 216)))["digit"].shape  # (5, 10)
    """

    def __init__(
        self,
        features: int,
        sizes: dict[str, int],
        width: int = 128,
        normalization: str | None = "batch",
        dtype=None,
        **kwargs,
    ):
        if normalization not in ("batch", None):
            raise ValueError(f'normalization is "batch" or None, got {normalization!r}.')
        dtype = keras.dtype_policies.get(dtype).name
        if taken := sizes.keys() & {"features", "hidden", "hidden_norm", "hidden_relu"}:
            raise ValueError(f"A layer of the head has the name {taken.pop()!r}; rename the code.")
        inputs = keras.Input((features,), name="features")
        batch = normalization == "batch"
        x = keras.layers.Dense(width, use_bias=not batch, dtype=dtype, name="hidden")(inputs)
        if batch:
            x = BatchNormalization(dtype=dtype, name="hidden_norm")(x)
        x = keras.layers.LeakyReLU(0.1, dtype=dtype, name="hidden_relu")(x)
        outputs = {
            name: keras.layers.Dense(size, dtype="float32", name=name)(x)
            for name, size in sizes.items()
        }
        super().__init__(inputs, outputs, **kwargs)
        self._arguments = {
            "features": features,
            "sizes": dict(sizes),
            "width": width,
            "normalization": normalization,
            "dtype": dtype,
        }
