"""Creates a preset of the zoo from its recipe: train, choose a seed, measure, export, describe."""

import csv
import io
import json
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_infomodels import plots
from keras_infomodels.export import check_parity, to_saved_model, to_tflite
from keras_infomodels.io import write_atomically
from keras_infomodels.names import nearest
from keras_infomodels.presets import load_model, save_to_preset
from keras_infomodels.zoo import PRESETS, registry
from keras_infomodels.zoo.build import load_split
from keras_infomodels.zoo.card import write_card
from keras_infomodels.zoo.figures import (
    SHOWN,
    clusters,
    load_images,
    measure,
    sound_figures,
)
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.seeds import train_seeds

__all__ = ["exported_differences", "release", "renew"]

_OWN = ("format", "versions", "parameters", "files")
"""Facts that `save_to_preset` writes itself."""

_LICENSE = "Apache-2.0"
"""License of the weights, the same as of the code."""

_LARGE_PICTURE = 50_000
"""Bytes from which on a picture is stored with a palette."""

_IMAGES = 1000
"""Number of test images on which exported files are compared."""


def release(
    name: str,
    seeds: list[int],
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    resume: bool = False,
    presets: Path = PRESETS,
    table: Path = registry.PATH,
) -> Path:
    """Trains a preset's recipe with several seeds, and publishes the best run as the preset.

    The best run is chosen after training, without test images, by a validation metric: the highest
    `val_information_real_<category>`; for an autoencoder trained with labels the highest
    `val_information_category`; otherwise the lowest `val_loss` (which uses the labels for a
    classifier). The card lists every seed. Finished runs are not repeated.

    Args:
        name: str. Folder of `presets` with a recipe.toml that has a `description`.
        seeds: list of int. Seeds of the runs.
        runs: str or Path. Folder of the runs; `None` means runs/NAME.
        data_dir: str or path. Folder of the data; see `datasets.load`.
        resume: bool. `True` continues an interrupted run.
        presets: Path. Folder of all presets.
        table: Path. Registry file.

    Returns:
        Path of the preset's folder, with config, weights, metadata, card, pictures and a float16
        `.tflite`. Each build has a new revision number, from 1.

    Raises:
        FileNotFoundError: If there is no such recipe.
        ValueError: If the recipe has no description.
    """
    folder = Path(presets) / name
    if not (folder / "recipe.toml").is_file():
        known = sorted(path.parent.name for path in Path(presets).glob("*/recipe.toml"))
        raise FileNotFoundError(f"There is no recipe {name!r}; {nearest(name, known)}")
    recipe = Recipe.load(folder / "recipe.toml")
    if recipe.description is None:
        raise ValueError(f"{folder / 'recipe.toml'} has no description: a line of what it is for.")
    runs = Path("runs") / name if runs is None else Path(runs)
    rows = train_seeds(recipe, seeds, runs, data_dir, resume)
    chosen = _choose(rows, runs, recipe)
    source = runs / f"seed_{chosen['seeds']['chosen']}"
    facts = json.loads((source / "metadata.json").read_text()) | chosen
    pictures = sorted((source / "run").glob("*.png"))
    _publish(load_model(source), folder, recipe, facts, pictures, data_dir, table)
    return folder


def renew(
    name: str,
    data_dir: str | Path | None = None,
    presets: Path = PRESETS,
    table: Path = registry.PATH,
) -> Path:
    """Measures a preset again and writes its files as a new revision, without training.

    Use it after a change of the measured figures, of the exporters, or of `weights` or `fit_prior`
    in the recipe. All pictures but the learning curves are drawn again.

    Args:
        name: str. Folder of `presets` with weights.
        data_dir: str or path. Folder of the data; see `datasets.load`.
        presets: Path. Folder of all presets.
        table: Path. Registry file.

    Returns:
        Path of the preset's folder.

    Raises:
        FileNotFoundError: If the folder is not a preset with a recipe.
    """
    folder = Path(presets) / name
    recipe = Recipe.load(folder / "recipe.toml")
    facts = json.loads((folder / "metadata.json").read_text())
    model = load_model(folder)
    if recipe.training.fit_prior:
        model.fit_prior(load_split(recipe, recipe.data.train, data_dir))
    with tempfile.TemporaryDirectory() as drawn:
        images, labels = load_images(recipe, recipe.data.test, data_dir, SHOWN)
        for picture, figure in plots.model_pictures(model, images, labels).items():
            plots.save(figure, Path(drawn, f"{picture}.png"))
        pictures = [*folder.glob("learning_curves.png"), *sorted(Path(drawn).iterdir())]
        _publish(model, folder, recipe, facts, pictures, data_dir, table)
    return folder


def _publish(
    model: keras.Model,
    folder: Path,
    recipe: Recipe,
    facts: dict,
    pictures: list[Path],
    data_dir: str | Path | None,
    table: Path,
):
    """Measures a model and writes the preset, its card, its `.tflite` and its registry entry."""
    half = recipe.weights == "float16"
    if half:
        # Figures and exported files are those of the weights that are published.
        model.set_weights([_rounded(weight) for weight in model.get_weights()])
    figures = measure(model, recipe, data_dir)
    facts = {key: value for key, value in facts.items() if key not in _OWN}
    facts |= {
        "revision": _last_revision(folder) + 1,
        "description": recipe.description,
        "headline": _headline(model, figures, recipe),
        "license": _LICENSE,
        "figures": figures,
        "exports": exported_differences(model, recipe, data_dir),
    }
    images, labels = load_images(recipe, recipe.data.test, data_dir)
    facts["warnings"] = sound_figures(model, recipe, images, data_dir)[1]
    metrics = {name: figures[name]["value"] for name in facts["metrics"] if name in figures}
    facts["metrics"] |= metrics  # with the published weights, and a prior that was fitted since
    if "clusters" in facts:
        facts["clusters"] = clusters(model, images, labels)
    save_to_preset(model, folder, half, **facts)
    for picture in set(folder.glob("*.png")) - set(pictures):  # of codes that it has no more
        picture.unlink()
    for picture in pictures:
        if picture.parent != folder:
            _copy_picture(picture, folder / picture.name)
    _export(model, folder, recipe, facts["seeds"]["chosen"], table)


def _copy_picture(source: Path, to: Path):
    """Copies a PNG file; a large one gets a palette of 256 colors, in a third of the space."""
    if source.stat().st_size <= _LARGE_PICTURE:
        shutil.copyfile(source, to)
        return
    content = io.BytesIO()
    with Image.open(source) as image:
        image.convert("RGB").quantize(256).save(content, "PNG", optimize=True)
    write_atomically(to, content.getvalue())


def _rounded(weight: np.ndarray) -> np.ndarray:
    return weight.astype(np.float16).astype(np.float32) if weight.dtype == np.float32 else weight


def _export(model: keras.Model, folder: Path, recipe: Recipe, seed: int, table: Path):
    """Writes the files beside the model: the card, the `.tflite` and the registry entry."""
    write_card(folder, recipe.change(seed=seed))
    to_tflite(model, folder / "model.tflite", "float16", preset=folder)
    registry.state_files(folder)
    registry.register(folder, table)


def _last_revision(folder: Path) -> int:
    """Revision of the preset that a build replaces; 0 if there is none."""
    path = folder / "metadata.json"
    return json.loads(path.read_text()).get("revision", 0) if path.exists() else 0


def _choose(rows: list[dict], runs: Path, recipe: Recipe) -> dict:
    """Returns {"seeds": the chosen seed, the metric, and the figures of all seeds}."""
    for row in rows:
        with (runs / f"seed_{row['seed']}" / "run" / "history.csv").open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        others = "val_loss" if recipe.data.labeled is None else "val_information_category"
        by = next((key for key in last if key.startswith("val_information_real_")), others)
        row[by] = float(last[by])
    best = (min if by == "val_loss" else max)(rows, key=lambda row: row[by])
    shown = ["seed", by, *(["one_to_one_error", "nmi"] if "nmi" in best else ["loss"])]
    table = [{key: row[key] for key in shown} for row in rows]
    return {"seeds": {"chosen": best["seed"], "by": by, "rows": table}}


def exported_differences(
    model: keras.Model, recipe: Recipe, data_dir: str | Path | None
) -> dict[str, dict]:
    """Measures the difference of each export format from the Keras model.

    The model is exported, and its outputs are compared on 1,000 images of the test split.
    Differences are relative to max(1, |value|).

    Returns:
        {format: {"bytes", "inputs", "signatures"}}.
    """
    images, _ = load_images(recipe, recipe.data.test, data_dir, _IMAGES)
    with tempfile.TemporaryDirectory() as temporary:
        # Temporary files: the published file contains the card, which needs these differences.
        files = {
            "SavedModel": to_saved_model(model, Path(temporary) / "saved_model"),
            "float16 .tflite": to_tflite(model, Path(temporary) / "model.tflite", "float16"),
        }
        reports = {name: check_parity(model, path, images) for name, path in files.items()}
    return {
        name: {
            "bytes": report.bytes,
            "inputs": report.inputs,
            "signatures": {key: parity.largest for key, parity in report.signatures.items()},
        }
        for name, report in reports.items()
    }


def _headline(model: keras.Model, figures: dict, recipe: Recipe) -> str:
    """Most important figure, with its unit."""
    categories = recipe.completed((28, 28, 1)).get("prior", {}).get("num_categories")
    for name, words in (
        ("test_error", f"from {recipe.data.labeled} labels"),
        ("most_confident_error", f"of {categories} clusters, named by a label each"),
        ("one_to_one_error", "without labels"),
    ):
        if name in figures:
            return f"{100 * figures[name]['value']:.2f} % test error {words}"
    if "accuracy" in model.card_figures:
        return f"{100 * figures['accuracy']['value']:.2f} % test accuracy"
    if bits := figures.get("bits_per_dim"):
        return f"{bits['value']:.2f} bits per 8-bit value"
    if nll := figures.get("nll"):
        return f"NLL {nll['value']:.2f} ± {nll['standard_error']:.2f} nats"
    if distance := figures.get("frechet_distance"):
        return f"Fréchet distance {distance['value']:.1f} to real images"
    if distance := figures.get("kernel_distance"):
        mean = figures["kernel_distance_of_the_mean_image"]["value"]
        return (
            f"kernel distance {distance['value']:.3f} to real images ({mean:.3f}: the mean image)"
        )
    name = "reconstruction" if "reconstruction" in figures else "discriminator_loss"
    return f"{name.replace('_', ' ')} {figures[name]['value']:.1f} nats"
