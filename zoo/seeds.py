"""Training of one recipe with several seeds, and a summary."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_infomodels import plots
from keras_infomodels.io import write_atomically
from keras_infomodels.log import LOGGER
from keras_infomodels.replicas import has_workers
from keras_infomodels.zoo.build import resolve_splits
from keras_infomodels.zoo.recipes import Recipe, differences
from keras_infomodels.zoo.training import train

__all__ = ["train_seeds"]


def train_seeds(
    recipe: Recipe,
    seeds: list[int],
    out: str | Path,
    data_dir: str | Path | None = None,
    resume: bool = False,
    pictures_every: int = 0,
    strategy: tf.distribute.Strategy | None = None,
) -> list[dict[str, float]]:
    """Trains a recipe once for each seed, into OUT/seed_N, and summarizes the runs in OUT.

    Finished runs are not repeated. After every run `summary.json`, `summary.md` and `summary.png`
    contain all finished ones.

    Args:
        recipe: `Recipe`. Its own seed is ignored.
        seeds: list of int. Seeds of the runs.
        out: str or Path. Folder of the runs.
        data_dir: str or path. Folder of the data; see `datasets.load`.
        resume: bool. `True` continues an interrupted run.
        pictures_every: int. Number of epochs between pictures; see `train`.
        strategy: `tf.distribute.Strategy`. Distribution over devices; see `train`.

    Returns:
        list of dicts, the figures of each seed by name.
    """
    if strategy is not None and has_workers(strategy):
        raise ValueError("Workers train one seed at a time; give --seed instead of --seeds.")
    out, rows = Path(out), []
    recipe = resolve_splits(recipe, data_dir)  # as `train` writes it
    for seed in seeds:
        folder = out / f"seed_{seed}"
        own = recipe.change(seed=seed)
        if not (folder / "README.md").exists():
            begun = (folder / "recipe.toml").exists()
            train(own, folder, data_dir, resume and begun, pictures_every, strategy)
        elif (done := Recipe.load(folder / "recipe.toml")) != own:
            raise ValueError(
                f"{folder} is a run with other settings ({', '.join(differences(done, own))}); "
                "choose another --out."
            )
        rows.append({"seed": seed, **_figures(folder)})
        _sum_up(rows, out)
    LOGGER.info("%s", (out / "summary.md").read_text())
    return rows


def _figures(folder: Path) -> dict[str, float]:
    facts = json.loads((folder / "metadata.json").read_text())
    figures = facts["metrics"] | facts.get("clusters", {})
    figures |= {"seconds": facts["training"]["seconds"]}
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def _sum_up(rows: list[dict[str, float]], out: Path):
    names = [name for name in rows[0] if name != "seed"]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    lines = ["| | mean ± spread | " + " | ".join(f"seed {row['seed']}" for row in rows) + " |"]
    lines.append("|---|---|" + "---|" * len(rows))
    for name, column in values.items():
        spread = f" ± {column.std(ddof=1):.4f}" if len(rows) > 1 else ""
        each = " | ".join(f"{value:.4f}" for value in column)
        lines.append(f"| {name.replace('_', ' ')} | {column.mean():.4f}{spread} | {each} |")
    write_atomically(out / "summary.md", "\n".join(lines) + "\n")
    write_atomically(out / "summary.json", json.dumps(rows, indent=1) + "\n")
    plots.save(_picture(values, [row["seed"] for row in rows]), out / "summary.png")


def _picture(values: dict[str, np.ndarray], seeds: list[int]) -> Figure:
    """Draws one panel per figure, with one point per seed and a line at the mean."""
    columns = min(5, len(values))
    rows = -(-len(values) // columns)
    figure = Figure((2.6 * columns, 2.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(values) :]:
        axes.set_axis_off()
    for axes, (name, column) in zip(panels, values.items(), strict=False):
        axes.plot([str(seed) for seed in seeds], column, "o", color=plots.COLORS[0])
        axes.axhline(column.mean(), color=plots.COLORS[1], linestyle="--")
        axes.set(title=name.replace("_", " "), xlabel="seed")
    return figure
