"""Pictures of models and of their training. Figures are returned, `save` writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_infomodels.pictures import Grid, Scatter, shown_range

__all__ = [
    "categories",
    "draw",
    "image_grid",
    "inferred_categories",
    "latent_map",
    "latent_plane",
    "learning_curves",
    "mistakes",
    "model_pictures",
    "reconstructions",
    "samples",
    "save",
    "traversals",
    "traverse",
]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colors that the color-blind can tell apart."""

_TEN = matplotlib.color_sequences["petroff10"]
"""Ten that they can tell apart too."""


def image_grid(images: np.ndarray, columns: int, title: str = "") -> Figure:
    """Images (n, height, width, channels) row by row in one grid, without gaps.

    Pixels are in [0, 1], or in a range of their own that the title then states; see
    `pictures.shown_range`.
    """
    images = np.asarray(images)
    low, high = shown_range(images)
    if (low, high) != (0, 1):
        title = f"{title} (pixels from {low:.3g} to {high:.3g})".strip()
        images = (images - np.float32(low)) / np.float32(max(high - low, 1e-12))
    rows = -(-len(images) // columns)
    blank = np.ones((rows * columns - len(images), *images.shape[1:]), images.dtype)
    tiles = np.concatenate([images, blank]).reshape(rows, columns, *images.shape[1:])
    tiles = np.pad(tiles, [(0, 0), (0, 0), (0, 1), (0, 1), (0, 0)], constant_values=1)
    _, _, height, width, channels = tiles.shape
    picture = tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    scale = 8 / max(picture.shape[:2])
    figure = Figure((picture.shape[1] * scale, picture.shape[0] * scale + 0.35 * bool(title)))
    axes = figure.subplots()
    axes.imshow(picture.squeeze().clip(0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    axes.set_title(title)
    return figure


def draw(picture: Grid | Scatter) -> Figure:
    """Draws one of `model.pictures(images)`.

    Args:
        picture: a grid of images or points in the plane.
    """
    if isinstance(picture, Grid):
        return image_grid(picture.images, picture.columns, picture.title)
    return _scatter(picture)


def samples(model: keras.Model, n: int = 64, seed: int = 0) -> Figure:
    """Images that the model draws from its prior."""
    return draw(model.picture("samples", n, seed))


def reconstructions(model: keras.Model, images: np.ndarray) -> Figure:
    """Up to 32 images, each with its reconstruction below it."""
    return draw(model.picture("reconstructions", images))


def traversals(model: keras.Model, image: np.ndarray, steps: int = 11) -> Figure:
    """One row a latent variable, which goes from -2.5 to 2.5 while the others stay.

    Args:
        model: of the VAE family.
        image: (height, width, channels), whose posterior mean the rows pass near.
        steps: images in a row.
    """
    return draw(model.picture("traversals", image, steps))


def categories(model: keras.Model, columns: int = 10, seed: int = 0) -> Figure:
    """One row for each category of a `CategoricalNormal`, with the same draws of z in each.

    Args:
        model: of the VAE family, with that prior.
        columns: draws of z.
        seed: of the draws.
    """
    return draw(model.picture("categories", columns, seed))


def latent_map(model: keras.Model, images: np.ndarray, labels: np.ndarray | None) -> Figure:
    """Posterior means in the plane of a two-dimensional z, colored by label.

    Of a `CategoricalNormal` there is a panel for each category, of the images that fall into it.
    """
    return draw(model.picture("latent_map", images, labels))


def latent_plane(model: keras.Model, steps: int = 15) -> Figure:
    """What a z of two decodes to over the plane of `latent_map`: z_1 grows to the right, z_2 up.

    Args:
        model: of the VAE family, with a z of two.
        steps: images along each axis, from the 1st to the 99th percentile of the prior's draws.
    """
    return draw(model.picture("latent_plane", steps))


def _scatter(picture: Scatter) -> Figure:
    panels, labels = picture.panels, picture.labels
    columns = min(5, len(panels))
    rows = -(-len(panels) // columns)
    size = (7, 6) if len(panels) == 1 else (2.4 * columns + 1, 2.4 * rows)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    kinds = np.array([0]) if labels is None else np.unique(labels)
    colors = _TEN if len(kinds) <= len(_TEN) else _spread_colors(len(kinds))
    for axes, (title, shown) in zip(grid, panels.items(), strict=False):
        for kind, color in zip(kinds, colors, strict=False):
            points = picture.points[shown if labels is None else shown & (labels == kind)]
            axes.scatter(*points.T, color=color, s=4, label=str(kind))
        axes.set(xlabel="$z_1$", ylabel="$z_2$", title=title)
        axes.set_aspect("equal")
        axes.label_outer()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    if labels is not None:
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, title="label", markerscale=3, loc="outside right center")
    return figure


def _spread_colors(count: int) -> np.ndarray:
    return matplotlib.colormaps["viridis"](np.linspace(0, 1, count))


def learning_curves(
    rows: Sequence[Mapping[str, float]], ceilings: Mapping[str, float] | None = None
) -> Figure:
    """One panel for each term of the ledger, training and validation.

    Args:
        rows: one mapping an epoch with "epoch" and the logs of `fit`.
        ceilings: largest values that a term can have, drawn as lines from 0.
    """
    ceilings = ceilings or {}
    names = [name for name in rows[-1] if name != "epoch"]
    terms = sorted({name.removeprefix("val_") for name in names})
    columns = min(5, len(terms))
    rows_of_panels = -(-len(terms) // columns)
    figure = Figure((3.2 * columns, 3 * rows_of_panels), layout="constrained")
    panels = figure.subplots(rows_of_panels, columns, squeeze=False).ravel()
    for axes in panels[len(terms) :]:
        axes.set_axis_off()
    for axes, term in zip(panels, terms, strict=False):
        for name, label, color in (
            (term, "training", COLORS[0]),
            (f"val_{term}", "validation", COLORS[1]),
        ):
            if name in names:
                points = [(row["epoch"], row[name]) for row in rows if name in row]
                axes.plot(*zip(*points, strict=True), color=color, label=label, marker=".")
        if term in ceilings:
            label = f"ceiling {ceilings[term]:.2f}"
            axes.axhline(ceilings[term], color=COLORS[6], linestyle="--", label=label)
            axes.set_ylim(bottom=min(0, *axes.get_ylim()))
        unitless = ("accuracy", "divergence", "learning_rate", "loss")
        unit = "" if term in unitless else " (nats)"
        axes.set(title=term.replace("_", " ") + unit, xlabel="epoch")
        axes.legend(frameon=False)
    return figure


def traverse(model: keras.Model, name: str, rows: int = 10, columns: int = 10) -> Figure:
    """An InfoGAN's images along one code, a row for each draw of everything else."""
    return draw(model.picture("traverse", name, rows, columns))


def inferred_categories(
    model: keras.Model, name: str, images: np.ndarray, columns: int = 12
) -> Figure:
    """Real images by the category that Q infers, and images generated with it on the right.

    Args:
        model: an `InfoGAN`.
        name: of a categorical code.
        images: real ones; up to `columns` of each category are shown.
        columns: of each half.
    """
    return draw(model.picture("inferred_categories", name, images, columns))


def mistakes(model: keras.Model, images: np.ndarray, labels: np.ndarray, n: int = 64) -> Figure:
    """The n images whose label a `Classifier` finds least likely, the least likely first."""
    return draw(model.picture("mistakes", images, labels, n))


def model_pictures(
    model: keras.Model, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Figure]:
    """What there is to see of a model, by name.

    Args:
        model: of this library.
        images, labels: real images (n, height, width, channels) and their labels or None.
    """
    pictures = model.pictures(np.asarray(images, np.float32), labels)
    return {name: draw(picture) for name, picture in pictures.items()}


def save(figure: Figure, path: str | Path) -> Path:
    """Writes a figure as PNG, making the folder where needed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    return path
