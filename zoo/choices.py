"""Default settings of `train` that depend on the images."""

import inspect
import math
from collections.abc import Collection
from pathlib import Path

import keras

from keras_infomodels import datasets
from keras_infomodels.defaults import MOST_CORRELATED
from keras_infomodels.models.tables import is_small_gray
from keras_infomodels.zoo.build import resolve_splits
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["choose", "described", "for_pictures"]

_LARGEST = 128
"""Height and width up to which images of one size keep it."""

_USUAL = 64
_STEPS = 3000
"""Training steps that a small set gets, in epochs of few steps each."""
_FITTED = {
    "crop": "resized to it, what does not fit is cropped",
    "pad": "resized to it, with bars",
    "stretch": "resized to it, stretched",
}

_MOST_EPOCHS = 300

_RATE = 2e-3
"""Learning rate of autoencoders; with 1e-3, errors after as many steps were a sixth larger."""

_FEW = 10_000
"""Number of images below which batches are smaller, epochs more, and a GAN's images augmented."""


def choose(recipe: Recipe, given: Collection[str], data_dir: str | Path | None) -> Recipe:
    """Returns the recipe with defaults for splits, image size, epochs and batch size.

    Images that differ in size, or are larger than 128x128, are resized to 64x64. A set of fewer
    than 10,000 images that are in color or larger than 32x32 is trained on in batches of 64, for
    3,000 steps or at most 300 epochs; so is a GAN of fewer small gray images. All models except
    GANs then keep the weights of the best validation loss.

    Args:
        recipe: `Recipe`. Recipe without these settings.
        given: collection of str. Short names of settings that the user gave, which are not changed.
        data_dir: str or path. Folder of the data; see `datasets.load`.
    """
    recipe = resolve_splits(recipe, data_dir)
    height, width, channels = datasets.image_shape(
        recipe.data.name, data_dir=data_dir, skip_broken=recipe.data.skip_broken
    )
    changes = {}
    if recipe.data.image_size is not None:
        height, width = recipe.data.image_size
    elif height is None or max(height, width) > _LARGEST:
        changes["image_size"] = [_USUAL, _USUAL]
        height = width = _USUAL
    recipe = recipe.change(**changes)
    small = is_small_gray((height, width, channels))
    if small and not _is_gan(recipe):
        return recipe
    count = datasets.count_images(recipe.data.name, recipe.data.train, data_dir=data_dir)
    if small and count >= _FEW:
        return recipe
    return for_pictures(_for_few(recipe, given) if small else recipe, given, count)


def for_pictures(recipe: Recipe, given: Collection[str], count: int) -> Recipe:
    """Returns the recipe with training settings for images in color or larger than 32x32.

    Args:
        recipe: `Recipe`. Recipe without settings for color or large images.
        given: collection of str. Short names of settings that the user gave.
        count: int. Number of training images.
    """
    changes = {}
    if count < _FEW:
        batch_size = recipe.training.batch_size if "batch_size" in given else 64
        changes["batch_size"] = batch_size
        if "epochs" not in given:
            least = math.ceil(_STEPS / math.ceil(count / batch_size))
            changes["epochs"] = max(recipe.training.epochs, min(least, _MOST_EPOCHS))
    recipe = recipe.change(**changes)
    if _is_gan(recipe):
        return recipe.change(**_for_a_gan(recipe, given, count))
    if "decoder" in inspect.signature(recipe.model_class).parameters:
        recipe = _faster(recipe, given)
    if "fit_prior" not in given and _prior_fits(recipe):
        recipe = recipe.put({"training.fit_prior": True})
    alone = recipe.data.labeled is None and recipe.training.weight_average is None
    if count < _FEW and alone and "patience" not in given:
        # Few pictures are soon learned by heart.
        return recipe.change(patience=max(10, recipe.training.epochs // 5))
    return recipe


def _faster(recipe: Recipe, given: Collection[str]) -> Recipe:
    """A higher learning rate for an autoencoder with the default networks, which are residual."""
    if {"learning_rate", "class", "optimizer", "network", "widths"} & set(given):
        return recipe
    return recipe.change(learning_rate=_RATE)


def _is_gan(recipe: Recipe) -> bool:
    return "generator" in inspect.signature(recipe.model_class).parameters


def _prior_fits(recipe: Recipe) -> bool:
    prior = recipe.model.get("prior", {}).get("class", "StandardNormal")
    latent_dim = recipe.model.get("encoder", {}).get("latent_dim", 0)
    normal = recipe.model_class.takes_fitted_prior and prior == "StandardNormal"
    return normal and latent_dim <= MOST_CORRELATED


def _for_few(recipe: Recipe, given: Collection[str]) -> Recipe:
    """Networks for a GAN of few small gray images; with those for MNIST it ends in noise."""
    if {"normalization", "network", "widths"} & set(given):
        return recipe
    changes = {"model.discriminator.normalization": "none"}
    if "upsampling" not in given:
        changes["model.generator.upsampling"] = "bilinear"
    return recipe.put(changes)


def _for_a_gan(recipe: Recipe, given: Collection[str], count: int) -> dict:
    """A faster discriminator, averaged weights, and for few images augmentation of what it sees.

    Without batch normalization a discriminator with a rate of 2e-4 does not keep up.
    """
    changes = {}
    if not {"discriminator_learning_rate", "normalization"} & set(given):
        changes["discriminator_learning_rate"] = 1e-3
    if "weight_average" not in given and recipe.training.patience is None:
        changes["weight_average"] = 0.999
    if "augmentation" not in given and count < _FEW:
        changes["augmentation"] = {"class": "Augmentation"}
    return changes


def described(recipe: Recipe, model: keras.Model, steps: int) -> str:
    """Describes a model and its training in one line, with the flags that change them.

    Args:
        recipe: `Recipe`. Description of the model and its training.
        model: keras.Model. The model.
        steps: int. Number of training steps in an epoch.
    """
    height, width, channels = model.data_shape
    size = "their own size" if recipe.data.image_size is None else _FITTED[recipe.data.fit]
    parts = [
        f"images of {height}x{width}x{channels} ({size}; --image-size)",
        f"{_networks(model)} (--network, --widths)",
    ]
    if (latent_dim := getattr(model, "latent_dim", None)) is not None:
        parts.append(f"{latent_dim} latent variables (--latent-dim)")
    if (likelihood := getattr(model, "likelihood", None)) is not None:
        name = getattr(likelihood, "description", "").split("`")[1:2] or [repr(likelihood)]
        parts.append(f"likelihood {name[0]} (--likelihood)")
    training = recipe.training
    if training.fit_prior:
        parts.append("prior fitted after training (--set training.fit_prior=false)")
    parts.append(
        f"{_count(training.epochs, 'epoch')} (--epochs) of {_count(steps, 'step')} of "
        f"{_count(training.batch_size, 'image')} (--batch-size)"
    )
    return f"Training {type(model).__name__} on {', '.join(parts)}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _networks(model: keras.Model) -> str:
    """Names of a model's networks and the size of all."""
    networks = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    names = ", ".join(type(network).__name__ for network in networks)
    return f"{names} of {model.count_params() / 1e6:.2f} million parameters"
