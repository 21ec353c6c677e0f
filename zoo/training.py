"""Training a recipe into a preset folder, with a run folder of history, checkpoints, pictures."""

import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import plots
from keras_infomodels.callbacks import AtomicBackup, History, Pictures, WeightAverage
from keras_infomodels.io import held_alone, write_atomically
from keras_infomodels.log import LOGGER
from keras_infomodels.presets import save_to_preset
from keras_infomodels.replicas import is_chief, wait_for_all
from keras_infomodels.weights import weights_bytes
from keras_infomodels.zoo.build import build_model, load_split, resolve_splits
from keras_infomodels.zoo.card import write_card
from keras_infomodels.zoo.choices import described
from keras_infomodels.zoo.figures import (
    SHOWN,
    clusters,
    doubt_of_few,
    load_images,
    metric_figures,
    sound_figures,
)
from keras_infomodels.zoo.recipes import Recipe, differences
from keras_infomodels.zoo.starts import choose_start

__all__ = ["train"]


def train(
    recipe: Recipe,
    out: str | Path,
    data_dir: str | Path | None = None,
    resume: bool = False,
    pictures_every: int = 0,
    strategy: tf.distribute.Strategy | None = None,
) -> keras.Model:
    """Trains the model of a recipe, and saves it as a preset folder.

    Args:
        recipe: `Recipe`. Data, model and training.
        out: str or Path. Preset folder to write: config.json, metadata.json, model.weights.h5,
            README.md and recipe.toml. The subfolder run/ holds history.csv, checkpoints/ and the
            pictures.
        data_dir: str or path. Folder of the data; see `datasets.load`.
        resume: bool. `True` continues an interrupted run from its last finished epoch. The result
            is bit-identical to that of an uninterrupted run.
        pictures_every: int. Number of epochs between pictures in run/pictures/. 0 draws them only
            at the end.
        strategy: `tf.distribute.Strategy`. Distribution of each batch over several devices or
            workers. All workers call this function with the same arguments; only the chief writes
            files. `None` is one device.

    Returns:
        The trained model.

    Raises:
        FileExistsError: If the folder holds a run and `resume` is `False`.
        BlockingIOError: If another process is training into the folder.
        ValueError: If `resume` is `True`, and the recipe or the data differ from the run's, or no
            backup is complete.
    """
    out = Path(out).expanduser()
    strategy = tf.distribute.get_strategy() if strategy is None else strategy
    chief = is_chief(strategy)
    recipe = resolve_splits(recipe, data_dir)
    splits = tuple(
        load_split(recipe, split, data_dir)
        for split in (recipe.data.train, recipe.data.validation, recipe.data.test)
    )
    model = _build(recipe, splits[0], strategy)
    if chief:
        LOGGER.info(described(recipe, model, len(splits[0])))
        _claim(out, recipe, resume)
    with held_alone(out, "trains into") if chief else nullcontext():
        model, rows, facts = _fit(recipe, model, splits, out, data_dir, resume, pictures_every)
        _, _, test = splits
        metrics = model.evaluate(test, return_dict=True, verbose=0)  # by all workers
        if chief:
            _leave(recipe, model, rows, facts, metrics, splits, out, data_dir)
        wait_for_all(strategy)
    return model


def _build(
    recipe: Recipe, training: tf.data.Dataset, strategy: tf.distribute.Strategy
) -> keras.Model:
    image_shape = tuple(keras.tree.flatten(training.element_spec)[0].shape[1:])
    with strategy.scope() if strategy.num_replicas_in_sync > 1 else nullcontext():
        return build_model(recipe, image_shape, recipe.training.epochs * len(training))


def _fit(
    recipe: Recipe,
    model: keras.Model,
    splits: tuple[tf.data.Dataset, ...],
    out: Path,
    data_dir,
    resume: bool,
    pictures_every: int,
) -> tuple[keras.Model, list[dict[str, float]], dict]:
    """Returns the trained model, its history, and what metadata.json says of its training."""
    training, validation, test = splits
    run = out / "run"
    strategy = model.distribute_strategy
    chosen = choose_start(recipe, data_dir, run / "starts.json", strategy)
    if chosen != recipe:
        training = load_split(chosen, chosen.data.train, data_dir)
        model = _build(chosen, training, strategy)

    kept = _kept_callbacks(recipe)
    history = History(run / "history.csv")
    data = {"training": training, "validation": validation, "test": test}
    data = {name: dataset.fingerprint() for name, dataset in data.items()}
    backup = AtomicBackup(run / "checkpoints", [*kept, history], data)
    first, stopped = backup.restore(model) if resume else (0, False)
    # The card is written last.
    if first and (out / "README.md").exists():
        raise FileExistsError(f"The run in {out} is finished: there is nothing to resume.")
    pictures = []
    if pictures_every:
        examples = keras.tree.flatten(next(iter(validation)))[0]
        pictures.append(Pictures(run / "pictures", examples, pictures_every))
    start = time.monotonic()
    try:
        model.fit(
            training,
            validation_data=validation,
            epochs=first if stopped else recipe.training.epochs,
            initial_epoch=first,
            callbacks=[*kept, *pictures, history, backup],
        )
    except FloatingPointError as error:
        if is_chief(strategy):
            write_atomically(run / "last_good.weights.h5", weights_bytes(model))
        raise FloatingPointError(
            f"{error} The last good weights are in {run / 'last_good.weights.h5'}."
        ) from error
    if recipe.training.fit_prior:
        model.fit_prior(training)
    seconds = time.monotonic() - start
    history.rows = history.rows or History(run / "history.csv", first).rows
    facts = {
        "dataset": recipe.data.name,
        "epochs": len(history.rows),
        "steps_per_epoch": len(training),
        "seed": recipe.training.seed,
        **({"chosen_start": chosen.training.seed} if recipe.training.starts > 1 else {}),
        **({"jit_compile": True} if recipe.training.jit_compile else {}),
        "seconds": round(seconds, 1),
        "epochs_in_these_seconds": len(history.rows) - first,
    }
    return model, history.rows, facts


def _leave(
    recipe: Recipe,
    model: keras.Model,
    rows: list[dict[str, float]],
    training: dict,
    metrics: dict[str, float],
    splits: tuple[tf.data.Dataset, ...],
    out: Path,
    data_dir,
):
    """Writes the preset, the pictures and the card of a trained model."""
    _, validation, _ = splits
    clustering = _clusters(model, recipe, data_dir)
    images, labels = load_images(recipe, recipe.data.test, data_dir, SHOWN)
    sound, doubts = sound_figures(model, recipe, images, data_dir)
    few = doubt_of_few(model, len(images))
    stated = [few, *doubts] if few else doubts
    facts = {
        "training": training,
        "metrics": {"split": recipe.data.test, **metrics},
        "figures": metric_figures(metrics, model) | sound,
        **({"warnings": stated} if stated else {}),
        **({"clusters": clustering} if clustering else {}),
    }
    save_to_preset(model, out, **facts)
    examples = sum(len(keras.tree.flatten(batch)[0]) for batch in validation)
    curves = plots.learning_curves(rows, model.ceilings(examples))
    shown = plots.model_pictures(model, images, labels)
    for name, figure in {"learning_curves": curves, **shown}.items():
        plots.save(figure, out / "run" / f"{name}.png")
    write_card(out, recipe)
    if "pixel_error" in sound:
        errors = sound["pixel_error"]["value"], sound["pixel_error_of_the_mean_image"]["value"]
        LOGGER.info("Pixel error of test images: %.3f; of the mean image: %.3f.", *errors)
    if few:
        LOGGER.warning("Note: %s.", few)
    for doubt in doubts:
        warnings.warn(f"Do not trust this model's information alone: {doubt}.", stacklevel=2)


def _kept_callbacks(recipe: Recipe) -> list[keras.callbacks.Callback]:
    """Those whose state a backup keeps."""
    callbacks = []
    if recipe.training.weight_average is not None:
        callbacks.append(WeightAverage(recipe.training.weight_average))
    if recipe.training.schedule == "plateau":
        callbacks.append(keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=3))
    if recipe.training.patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=recipe.training.patience, restore_best_weights=True
            )
        )
    return callbacks


def _clusters(model: keras.Model, recipe: Recipe, data_dir) -> dict | None:
    """The category as a classifier of the test images, where there are one and labels."""
    if model.category is None:
        return None
    images, labels = load_images(recipe, recipe.data.test, data_dir)
    if labels is None:
        return None
    found = clusters(model, images, labels)
    table = np.array(found["table"])
    LOGGER.info(
        f"Test images: one row for each {found['code']}, one column for each label.\n{table}"
    )
    return found


def _claim(out: Path, recipe: Recipe, resume: bool):
    path = out / "recipe.toml"
    if path.exists():
        if not resume:
            raise FileExistsError(
                f"{out} holds a run already: go on with it with --resume, or choose another --out."
            )
        if differing := differences(Recipe.load(path), recipe):
            raise ValueError(
                f"{path} differs from the recipe asked for in {', '.join(differing)}; --resume "
                "takes the run's own settings, so leave others out, or choose another --out."
            )
        return
    if resume:
        raise FileNotFoundError(f"{out} holds no run to resume.")
    taken = [
        name for name in ("README.md", "config.json", "metadata.json") if (out / name).exists()
    ]
    if taken:
        raise FileExistsError(
            f"{out} holds {', '.join(taken)}, and no run that wrote them; choose another --out."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, recipe.to_toml())
