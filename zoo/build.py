"""Creation of the data and the model that a recipe describes."""

from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels import datasets
from keras_infomodels.log import LOGGER
from keras_infomodels.names import nearest
from keras_infomodels.optimizers import FusedAdam
from keras_infomodels.zoo.recipe_tables import Data
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.tables import count_steps, make

__all__ = ["build_for_images", "build_model", "load_split", "resolve_splits"]


def load_split(
    recipe: Recipe, split: str, data_dir: str | Path | None, labels: bool = False
) -> tf.data.Dataset:
    """Loads one of a recipe's splits, with labels if the model needs them.

    Only the training split is shuffled.
    """
    if recipe.data.labeled is not None or recipe.model_class.needs_labels:
        return _load_pairs(recipe, split, data_dir)
    return datasets.load(
        recipe.data.name,
        split,
        recipe.training.batch_size,
        data_dir=data_dir,
        seed=recipe.training.seed,
        labels=labels,
        shuffle=split == recipe.data.train,
        **recipe.data.options(),
    )


def _load_pairs(recipe: Recipe, split: str, data_dir) -> tf.data.Dataset:
    """Pairs of images and labels; where only some are labeled, most are -1 for training."""
    data, training = recipe.data, recipe.training
    images, labels = datasets.load_arrays(data.name, split, data_dir=data_dir, **data.options())
    if labels is None:
        raise ValueError(f"{data.name} has no labels to train with.")
    if recipe.model_class.needs_labels:
        _check_labels(recipe, labels.max())
    if split != data.train:
        return datasets.from_arrays(images, labels, training.batch_size, shuffle=False)
    labeled = {}
    if data.labeled is not None:
        labels = datasets.keep_labels(labels, data.labeled, training.seed)
        labeled = {"labeled_per_batch": data.labeled_per_batch}
    return datasets.from_arrays(images, labels, training.batch_size, seed=training.seed, **labeled)


def _check_labels(recipe: Recipe, largest: int):
    classes = recipe.completed((28, 28, 1)).get("network", {}).get("classes", largest + 1)
    if largest >= classes:
        raise ValueError(
            f"A classifier of {classes} classes takes labels from 0 to {classes - 1}, and "
            f"{recipe.data.name} has labels up to {largest}; set model.network.classes, or "
            "--num-categories."
        )


def resolve_splits(recipe: Recipe, data_dir: str | Path | None) -> Recipe:
    """Returns the recipe with splits that its data set has.

    A change of default splits is logged.

    Raises:
        ValueError: If the recipe names splits that the set does not have.
    """
    parts, data = datasets.split_names(recipe.data.name, data_dir=data_dir), recipe.data
    usual = Data(data.name)
    defaults = (data.train, data.validation, data.test) == (
        usual.train,
        usual.validation,
        usual.test,
    )
    if not defaults or not parts:
        return recipe
    if {"train", "validation", "test"} <= set(parts):
        return recipe.change(train_split="train", validation_split="validation")
    if {"train", "test"} <= set(parts):
        return recipe
    part = "train" if "train" in parts else parts[0]
    LOGGER.info(
        f"{data.name} has no split 'test': the last tenth of {part!r}, in the order of names, "
        "takes its place."
    )
    return recipe.change(
        train_split=f"{part}[:80%]",
        validation_split=f"{part}[80%:90%]",
        test_split=f"{part}[90%:]",
    )


def build_for_images(cls: type, image_shape: tuple[int, int, int], settings: dict) -> keras.Model:
    """Creates a model of a class for images of a shape.

    The settings are those of `Recipe.of`. Objects, such as codes and likelihoods, may be given
    instead of tables.

    Args:
        cls: class. Class of the model.
        image_shape: (height, width, channels). Shape of an image.
        settings: dict. Settings by short name.
    """
    settings = dict(settings)
    seed = settings.pop("seed", 0)
    recipe = Recipe.of(cls.__name__, dataset="images", **_tables(settings))
    return make({**recipe.completed(image_shape), "seed": seed})


def _tables(value):
    """Objects with a config as tables of a recipe."""
    if isinstance(value, dict):
        return {key: _tables(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tables(item) for item in value]
    if hasattr(value, "get_config"):
        config = keras.saving.serialize_keras_object(value)["config"]
        return {"class": type(value).__name__, **_plain(config)}
    return value


def _plain(value):
    """A config of Keras as a table: {"class": name, ...} for an object in it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = {key: _plain(item) for key, item in value.get("config", value).items()}
    own = {key: item for key, item in own.items() if item is not None}
    return {"class": value["class_name"], **own} if "class_name" in value else own


def build_model(recipe: Recipe, image_shape: tuple[int, int, int], steps: int) -> keras.Model:
    """Builds and compiles the model of a recipe.

    Args:
        recipe: `Recipe`. Description of the model.
        image_shape: (height, width, channels). Shape of an image.
        steps: int. Number of training steps, for learning rate schedules and warm-ups.

    Raises:
        ValueError: If networks do not fit the images, or arguments are not allowed.
    """
    training = recipe.training
    keras.utils.set_random_seed(training.seed)
    table = {**recipe.completed(image_shape), "seed": training.seed}
    model = make(count_steps(table, steps, training.epochs))
    adversary = None
    if len(model.optimizer_groups()) > 1:
        moves = getattr(model, "discriminator_steps", 1)
        own = training.discriminator_optimizer or training.optimizer
        adversary = _optimizer(recipe, own, moves * steps)
    # Keras' own work between steps costs up to a twentieth of a step of a GAN and more of a smaller
    # network's; with fewer steps in an epoch its progress bar would count to ten of them.
    together = max(1, min(10, steps // training.epochs)) if model.replicas == 1 else 1
    optimizer = _optimizer(recipe, training.optimizer, steps)
    jit_compile = training.jit_compile or "auto"
    model.compile(optimizer, adversary, steps_per_execution=together, jit_compile=jit_compile)
    return model


def _optimizer(recipe: Recipe, table: dict, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a table with its class and arguments."""
    arguments = dict(table)
    name = arguments.pop("class", "FusedAdam" if "dtype" in recipe.model else "Adam")
    known = {"FusedAdam": FusedAdam} | {
        name: cls
        for name, cls in vars(keras.optimizers).items()
        if isinstance(cls, type) and issubclass(cls, keras.optimizers.Optimizer)
    }
    if name not in known:
        raise ValueError(f"There is no optimizer {name!r}; {nearest(str(name), known)}")
    arguments["learning_rate"] = _schedule(
        recipe.training.schedule, arguments.get("learning_rate", 1e-3), steps
    )
    try:
        return known[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The arguments of the optimizer {name} do not fit it: {error}") from error


def _schedule(name: str, rate: float, steps: int):
    """A learning rate, or its schedule over so many steps."""
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    if name == "late_cosine":
        half = steps // 2
        # Its warm-up from the rate to the rate holds it.
        return keras.optimizers.schedules.CosineDecay(
            rate, steps - half, warmup_target=rate, warmup_steps=half
        )
    return rate
