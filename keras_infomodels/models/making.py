"""Constructors of a model: from the shape of images, or from a preset."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from keras_infomodels import hooks

__all__ = ["from_images", "from_preset", "save_to_preset"]


def from_images(cls, images, **settings) -> keras.Model:
    """Creates a model with default networks that fit the shape of your images.

    Small gray images get the networks of the MNIST presets. Other images get residual or deeper
    convolutional networks and a likelihood for color. `infomodels train` uses the same defaults.

    Args:
        cls: class of the model.
        images: array (n, height, width, channels), or dataset of images. Only the shape is used, so
            the model is not trained yet.
        **settings: arguments of the constructor other than networks, or short names such as
            `latent_dim`, `network` ("mlp", "conv", "residual") and `widths`.

    Raises:
        ValueError: If the model has no such setting, or the images are not of rank 4.

    Example:
        x_train = np.random.default_rng(0).uniform(size=(64, 28, 28, 1)).astype("float32")
        model = ki.MMDVAE.from_images(x_train, latent_dim=16)
    """
    spec = getattr(images, "element_spec", None)
    shape = np.shape(images) if spec is None else keras.tree.flatten(spec)[0].shape
    if len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            "images are (n, height, width, channels), an array or a dataset of one size; got "
            f"the shape {tuple(shape)}."
        )
    return hooks.zoo().build_for_images(cls, tuple(shape[1:]), settings)


def from_preset(
    cls,
    name_or_dir: str | Path,
    load_weights: bool = True,
    dtype=None,
    custom_objects: Mapping[str, type] | None = None,
) -> keras.Model:
    """Loads a preset of this class; see `keras_infomodels.from_preset`.

    Args:
        cls: class of the model.
        name_or_dir: str or path. Name of a preset, such as "vae_mnist", or path of a preset folder.
        load_weights: bool. `False` keeps the initial weights.
        dtype: str or Keras dtype policy. `None` keeps the preset's own.
        custom_objects: dict from str to class. Your own classes that the preset uses, by name.
            `None` allows the registered classes only.

    Raises:
        ValueError: If the preset is a model of another class.

    Example:
        model = ki.MMDVAE.from_preset("mmd_vae_2d_mnist")
    """
    presets = hooks.presets()
    model = presets.from_preset(name_or_dir, load_weights, dtype, custom_objects)
    if not isinstance(model, cls):
        raise ValueError(
            f"{name_or_dir} is a {type(model).__name__}, not a {cls.__name__}; use "
            f"{type(model).__name__}.from_preset or keras_infomodels.from_preset."
        )
    return model


def save_to_preset(model, folder: str | Path, half_precision: bool = False, **metadata) -> Path:
    """Writes the model as a preset folder; see `keras_infomodels.presets.save_to_preset`.

    Args:
        model: a model of this library.
        folder: str or path. Folder to create.
        half_precision: bool. `True` stores float32 weights as float16.
        **metadata: JSON values for `metadata.json`.

    Returns:
        The folder.

    Example:
        ki.from_preset("mmd_vae_2d_mnist").save_to_preset("copy")
        model = ki.load_model("copy")
    """
    return hooks.presets().save_to_preset(model, folder, half_precision, **metadata)
