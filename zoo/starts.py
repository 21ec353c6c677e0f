"""Short runs that choose the seed of a long one, without labels."""

import json
from contextlib import nullcontext
from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels.io import write_atomically
from keras_infomodels.log import LOGGER
from keras_infomodels.replicas import is_chief
from keras_infomodels.zoo.build import build_model, load_split
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["choose_start"]

_APART = 1000
"""Difference between the seeds that are tried; runs of seeds 0 to 999 share none."""


def choose_start(
    recipe: Recipe,
    data_dir: str | Path | None,
    table: Path,
    strategy: tf.distribute.Strategy,
) -> Recipe:
    """Returns the recipe with the seed of the best short run.

    The best run has the category with the most information about real images. Training with its
    seed begins with bit-identical steps. Runs that are already in `table` are not repeated.

    Args:
        recipe: `Recipe`. Recipe of an InfoGAN with the seed s. The number of short runs is
            `training.starts`, and each has `training.start_epochs` epochs, with the schedules of
            the whole run. Their seeds are s, s + 1000, s + 2000, ...
        data_dir: str or path. Folder of the data; see `datasets.load`.
        table: Path. JSON file with the seed and score of every short run. The score is H(mean Q) -
            mean H(Q) in nats on validation images, or 0 for a run that failed.
        strategy: `tf.distribute.Strategy`. Distribution over devices.
    """
    if recipe.training.starts == 1:
        return recipe
    rows = json.loads(table.read_text()) if table.exists() else []
    for index in range(len(rows), recipe.training.starts):
        own = recipe.change(seed=recipe.training.seed + _APART * index)
        LOGGER.info("Start %d of %d, seed %d", index + 1, recipe.training.starts, own.training.seed)
        rows.append(
            {"seed": own.training.seed, "information_real": _score(own, data_dir, strategy)}
        )
        if is_chief(strategy):
            table.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(table, json.dumps(rows, indent=1) + "\n")
    best = max(rows, key=lambda row: row["information_real"])
    return recipe.change(seed=best["seed"])


def _score(recipe: Recipe, data_dir, strategy: tf.distribute.Strategy) -> float:
    training = load_split(recipe, recipe.data.train, data_dir)
    image_shape = tuple(keras.tree.flatten(training.element_spec)[0].shape[1:])
    with strategy.scope() if strategy.num_replicas_in_sync > 1 else nullcontext():
        model = build_model(recipe, image_shape, recipe.training.epochs * len(training))
    try:
        model.fit(training, epochs=recipe.training.start_epochs)
    except FloatingPointError as error:  # it diverged, or its discriminator is always right
        LOGGER.warning("%s", error)
        return 0.0
    validation = load_split(recipe, recipe.data.validation, data_dir)
    logs = model.evaluate(validation, return_dict=True, verbose=0)
    return logs[f"information_real_{model.categorical_codes[0].name}"]
