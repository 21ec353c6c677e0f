"""Makes a preset of the zoo from its recipe: train, choose a seed, measure, export, describe."""

import csv
import json
import shutil
import tempfile
from pathlib import Path

import keras

from keras_infomodels.export import check_parity, to_saved_model, to_tflite
from keras_infomodels.io import write_atomically
from keras_infomodels.preset_files import fingerprint
from keras_infomodels.presets import load_model, save_to_preset
from keras_infomodels.zoo import PRESETS, registry
from keras_infomodels.zoo.card import write_card
from keras_infomodels.zoo.figures import load_images, measure
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.seeds import train_seeds

__all__ = ["exported_differences", "release", "renew_exports"]

_OWN = ("format", "versions", "parameters", "files")
"""What `save_to_preset` writes by itself."""

_LICENSE = "Apache-2.0"
"""Of the weights, as of the code."""

_IMAGES = 1000
"""How many test images exported files are compared on."""


def release(
    name: str,
    seeds: list[int],
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    resume: bool = False,
    presets: Path = PRESETS,
    table: Path = registry.PATH,
) -> Path:
    """Trains a preset's recipe with several seeds and makes the best one the preset.

    The best is chosen after training by what is known without labels, on the validation images: the
    highest `val_information_real_<category>`, or of an autoencoder trained with labels
    `val_information_category`, or the lowest `val_loss` of the others (of a classifier it holds
    their labels). The test images take no part. The card lists every seed. Seeds that are finished
    are not trained again.

    Args:
        name: of a folder of `presets` with a recipe.toml, which says a `description`.
        seeds: to train.
        runs: where the runs go; None is runs/NAME.
        data_dir: see `datasets.load`.
        resume: goes on with a run that was interrupted.
        presets: the folder of all presets.
        table: the registry.

    Returns:
        The preset's folder, with config, weights, metadata, card, pictures and a float16 `.tflite`.
        Each build is a revision of its own, counted from 1.

    Raises:
        FileNotFoundError: no such recipe.
        ValueError: a recipe without description.
    """
    folder = Path(presets) / name
    if not (folder / "recipe.toml").is_file():
        known = sorted(path.parent.name for path in Path(presets).glob("*/recipe.toml"))
        raise FileNotFoundError(f"There is no recipe {name!r}; there are: {', '.join(known)}.")
    recipe = Recipe.load(folder / "recipe.toml")
    if recipe.description is None:
        raise ValueError(f"{folder / 'recipe.toml'} has no description: a line of what it is for.")
    runs = Path("runs") / name if runs is None else Path(runs)
    rows = train_seeds(recipe, seeds, runs, data_dir, resume)
    chosen = _choose(rows, runs, recipe)
    source = runs / f"seed_{chosen['seeds']['chosen']}"
    facts = json.loads((source / "metadata.json").read_text())
    facts = {key: value for key, value in facts.items() if key not in _OWN} | chosen
    model = load_model(source)
    figures = measure(model, recipe, data_dir)
    facts |= {
        "revision": _last_revision(folder) + 1,
        "description": recipe.description,
        "headline": _headline(model, figures, recipe),
        "license": _LICENSE,
        "figures": figures,
        "exports": exported_differences(model, recipe, data_dir),
    }
    save_to_preset(model, folder, **facts)
    for picture in folder.glob("*.png"):  # of codes that the recipe may not have any more
        picture.unlink()
    for picture in sorted((source / "run").glob("*.png")):
        shutil.copyfile(picture, folder / picture.name)
    _export(model, folder, recipe, chosen["seeds"]["chosen"], table)
    return folder


def renew_exports(
    folder: str | Path, data_dir: str | Path | None = None, table: Path = registry.PATH
):
    """Makes the `.tflite` of a preset anew, measures exported files again, and registers it.

    For a change of the exporters: weights, figures of the model and revision stay.

    Args:
        folder: the preset's.
        data_dir: see `datasets.load`.
        table: the registry.
    """
    folder = Path(folder)
    recipe, model = Recipe.load(folder / "recipe.toml"), load_model(folder)
    facts = json.loads((folder / "metadata.json").read_text())
    facts["exports"] = exported_differences(model, recipe, data_dir)
    write_atomically(folder / "metadata.json", json.dumps(facts, indent=1) + "\n")
    _export(model, folder, recipe, facts["seeds"]["chosen"], table)


def _export(model: keras.Model, folder: Path, recipe: Recipe, seed: int, table: Path):
    """Writes what a preset folder has beside its model: the card, the `.tflite`, its entry."""
    write_card(folder, recipe.change(seed=seed))
    to_tflite(model, folder / "model.tflite", "float16", preset=folder)
    _state_files(folder)
    registry.register(folder, table)


def _state_files(folder: Path):
    """Lets metadata.json give size and SHA-256 of all other files, not of the model's alone."""
    names = [name for name in registry.file_names(folder) if name != "metadata.json"]
    facts = json.loads((folder / "metadata.json").read_text())
    facts["files"] = {name: fingerprint(folder, name) for name in names}
    write_atomically(folder / "metadata.json", json.dumps(facts, indent=1) + "\n")


def _last_revision(folder: Path) -> int:
    """That of the preset which a build replaces; 0 where there is none."""
    path = folder / "metadata.json"
    return json.loads(path.read_text()).get("revision", 0) if path.exists() else 0


def _choose(rows: list[dict], runs: Path, recipe: Recipe) -> dict:
    """{"seeds": which was chosen, by what, and the figures of all}."""
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
    """How far each format is from Keras: {format: {"bytes", "inputs", "signatures"}}.

    Exports the model anew and compares it on 1,000 images of the test split; a difference is
    relative to max(1, |value|).
    """
    images = load_images(recipe, recipe.data.test, data_dir)[0][:_IMAGES]
    with tempfile.TemporaryDirectory() as temporary:
        # These go away: the card goes into the file that is shipped, and holds what is found here.
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
    """The most telling figure, with its unit."""
    categories = recipe.completed((28, 28, 1)).get("prior", {}).get("categories")
    for name, words in (
        ("test_error", f"from {recipe.data.labeled} labels"),
        ("most_confident_error", f"of {categories} clusters, named by a label each"),
        ("one_to_one_error", "without labels"),
    ):
        if name in figures:
            return f"{100 * figures[name]['value']:.2f} % test error {words}"
    if "accuracy" in model.card_figures:
        return f"{100 * figures['accuracy']['value']:.2f} % test accuracy"
    if nll := figures.get("nll"):
        return f"NLL {nll['value']:.2f} ± {nll['standard_error']:.2f} nats"
    if distance := figures.get("frechet_distance"):
        return f"Fréchet distance {distance['value']:.1f} to real images"
    name = "reconstruction" if "reconstruction" in figures else "discriminator_loss"
    return f"{name.replace('_', ' ')} {figures[name]['value']:.1f} nats"
