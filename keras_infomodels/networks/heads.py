"""Last layers of networks: parameters of distributions, always in float32."""

from collections.abc import Callable, Mapping, Sequence

import keras

__all__ = [
    "CHANNELS_LAST",
    "check_shape",
    "check_widths",
    "count_categories",
    "crop",
    "image_head",
    "posterior_head",
]

CHANNELS_LAST = "channels_last"
"""Order of all images here, whatever `image_data_format` in keras.json says."""


def count_categories(usual: int) -> Callable[[Mapping], dict]:
    """Returns a function that converts an encoder's arguments of version 0.1.

    In version 0.1 `latent_dim` was the number of continuous latent variables, without `categories`.

    Args:
        usual: int. Default of `latent_dim`.
    """

    def renew(arguments: Mapping) -> dict:
        new = dict(arguments)
        if "categories" in new:
            new["num_categories"] = new.pop("categories")
            new["latent_dim"] = new.get("latent_dim", usual) + new["num_categories"]
        return new

    return renew


def posterior_head(
    x: keras.KerasTensor, latent_dim: int, min_stddev: float | None, num_categories: int = 0
) -> dict:
    """Adds the last layer of an encoder, with the outputs {"loc", "scale"}.

    "scale" is softplus(.) + min_stddev, or absent if `min_stddev` is None. With categories the
    layer also has "logits".
    """
    continuous_dim = latent_dim - num_categories
    if continuous_dim < 1:
        raise ValueError(
            f"latent_dim is at least {num_categories + 1}, one more than num_categories; got "
            f"{latent_dim}."
        )
    outputs = {}
    if num_categories:
        outputs["logits"] = keras.layers.Dense(num_categories, dtype="float32", name="logits")(x)
    outputs["loc"] = keras.layers.Dense(continuous_dim, dtype="float32", name="loc")(x)
    if min_stddev is None:
        return outputs
    if min_stddev < 0:
        raise ValueError(f"min_stddev is 0 or above, or None; got {min_stddev}.")
    raw_scale = keras.layers.Dense(continuous_dim, dtype="float32", name="raw_scale")(x)
    return outputs | {"scale": _positive(raw_scale, min_stddev)}


def image_head(
    last_layer: Callable[[str], keras.layers.Layer],
    x: keras.KerasTensor,
    image_shape: Sequence[int],
    parameters: Sequence[str],
    min_stddev: float,
) -> dict:
    """Adds the last layers of a decoder: one output of `image_shape` for each parameter.

    Args:
        last_layer: function. Returns a layer, given its name. The output of the layer is at least
            as large as the image.
        x: Keras tensor. Last hidden activations.
        image_shape: (height, width, channels). Shape of an image.
        parameters: sequence of str. "logits", "loc" (through a sigmoid, as pixels are in [0, 1]) or
            "scale" (softplus + min_stddev).
        min_stddev: float. Smallest "scale".
    """
    finish = {
        "logits": lambda y: y,
        "loc": keras.layers.Activation("sigmoid", dtype="float32", name="sigmoid"),
        "scale": lambda y: _positive(y, min_stddev),
    }
    if unknown := set(parameters) - set(finish):
        raise ValueError(f"parameters are among {', '.join(finish)}; got {sorted(unknown)}.")
    raw = {name: last_layer(f"raw_{name}")(x) for name in parameters}
    return {name: finish[name](crop(raw[name], image_shape, name)) for name in parameters}


def check_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Returns (height, width, channels) as a tuple of positive ints."""
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"image_shape is (height, width, channels), got {tuple(image_shape)}.")
    return tuple(int(size) for size in image_shape)


def check_widths(widths: Sequence[int], name: str) -> tuple[int, ...]:
    """Returns widths of hidden layers as a tuple of at least one positive int."""
    if not widths or min(widths) < 1:
        raise ValueError(f"{name} are positive widths of hidden layers, got {tuple(widths)}.")
    return tuple(int(width) for width in widths)


def _positive(x: keras.KerasTensor, floor: float) -> keras.KerasTensor:
    x = keras.layers.Activation("softplus", dtype="float32", name="softplus")(x)
    return keras.layers.Rescaling(1.0, offset=floor, dtype="float32", name="scale")(x)


def crop(x: keras.KerasTensor, image_shape: Sequence[int], name: str) -> keras.KerasTensor:
    """Crops images to (height, width), evenly on both sides."""
    height, width = (x.shape[axis] - image_shape[axis - 1] for axis in (1, 2))
    if not height and not width:
        return x
    margins = ((height // 2, height - height // 2), (width // 2, width - width // 2))
    return keras.layers.Cropping2D(margins, CHANNELS_LAST, dtype="float32", name=f"crop_{name}")(x)
