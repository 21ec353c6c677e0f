"""Pictures of models and of their training, as matplotlib figures."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import matplotlib
import numpy as np
from PIL import Image

from keras_infomodels.defaults import COLORS
from keras_infomodels.figure import Figure
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


_TEN = matplotlib.color_sequences["petroff10"]
"""Ten colors that color-blind readers can distinguish."""


def image_grid(images: np.ndarray, columns: int, title: str = "") -> Figure:
    """Draws images row by row in one grid without gaps.

    Args:
        images: array (n, height, width, channels). Images with pixels in [0, 1], or in another
            range, which is then added to the title.
        columns: int. Number of images in a row.
        title: str. Title of the picture.

    Returns:
        Matplotlib figure.

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        ki.plots.save(ki.plots.image_grid(images[:64] / 255, columns=8), "images.png")
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
    """Draws a picture that `model.picture` or `model.pictures` returns.

    Args:
        picture: `Grid` or `Scatter`. Images in a grid, or points in the plane, as arrays.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("infogan_mnist")
        figure = ki.plots.draw(model.picture("samples"))
    """
    if isinstance(picture, Grid):
        return image_grid(picture.images, picture.columns, picture.title)
    return _scatter(picture)


def samples(model: keras.Model, n: int = 64, seed: int = 0) -> Figure:
    """Draws images that the model generates.

    Args:
        model: generative model, with a method `generate`.
        n: int. Number of images.
        seed: int. Seed of the random latents.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("infogan_mnist")
        ki.plots.save(ki.plots.samples(model), "samples.png")
    """
    return draw(model.picture("samples", n, seed))


def reconstructions(model: keras.Model, images: np.ndarray) -> Figure:
    """Draws up to 32 images, each with its reconstruction below it.

    Args:
        model: `InfoVAE` or a subclass, such as `VAE`.
        images: array (n, height, width, channels). Images with pixels in [0, 1].

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        ki.plots.save(ki.plots.reconstructions(model, images[:32] / 255), "reconstructions.png")
    """
    return draw(model.picture("reconstructions", images))


def traversals(
    model: keras.Model, image: np.ndarray, steps: int = 11, latents: Sequence[int] | None = None
) -> Figure:
    """Draws one row for each latent variable, which varies from -2.5 to 2.5.

    The other latent variables of a row are constant. With a prior of `fit_prior` the range is its
    mean plus and minus 2.5 standard deviations.

    Args:
        model: `InfoVAE` or a subclass, such as `VAE`.
        image: array (height, width, channels). The constant variables have the values of this
            image's posterior mean.
        steps: int. Number of images in a row.
        latents: sequence of int. Indices of the latent variables to draw, from 0. `None` draws all.

    Returns:
        Matplotlib figure.

    Raises:
        ValueError: If `latents` is empty, or has another index than those of latent variables.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        ki.plots.save(ki.plots.traversals(model, images[0] / 255), "traversals.png")
    """
    return draw(model.picture("traversals", image, steps, latents))


def categories(model: keras.Model, columns: int = 10, seed: int = 0) -> Figure:
    """Draws one row of generated images for each category of a model.

    Each column has its own draw of the continuous latents z, which is the same in all rows.

    Args:
        model: `InfoVAE` or a subclass, with the prior `CategoricalNormal`.
        columns: int. Number of draws of z.
        seed: int. Seed of the draws.

    Returns:
        Matplotlib figure.
    """
    return draw(model.picture("categories", columns, seed))


def latent_map(model: keras.Model, images: np.ndarray, labels: np.ndarray | None) -> Figure:
    """Draws the posterior means of images in the plane of two latent variables, colored by label.

    For a model with the prior `CategoricalNormal` there is one panel for each category, with the
    images that are assigned to it.

    Args:
        model: `InfoVAE` or a subclass, with two continuous latent variables.
        images: array (n, height, width, channels). Images with pixels in [0, 1].
        labels: int array (n,). Label of each image. `None` uses one color.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        images, labels = ki.datasets.load_arrays("mnist_mini", "test")
        ki.plots.save(ki.plots.latent_map(model, images / 255, labels), "map.png")
    """
    return draw(model.picture("latent_map", images, labels))


def latent_plane(model: keras.Model, steps: int = 15) -> Figure:
    """Draws decoded images over the plane of two latent variables z_1 and z_2.

    z_1 increases to the right, and z_2 increases upwards.

    Args:
        model: `InfoVAE` or a subclass, with two continuous latent variables.
        steps: int. Number of images along each axis. They range from the 1st to the 99th percentile
            of the prior.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        ki.plots.save(ki.plots.latent_plane(model), "plane.png")
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
    """Draws one panel for each loss term, with curves for training and validation.

    Args:
        rows: sequence of dict. For each epoch, "epoch" and the metrics of `fit`, such as
            `History.rows`.
        ceilings: dict from str to float. Largest possible value of a term, drawn as a line. `None`
            draws no lines.

    Returns:
        Matplotlib figure.

    Example:
        rows = [{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.5}]
        ki.plots.save(ki.plots.learning_curves(rows), "curves.png")
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
    """Draws generated images of an InfoGAN that vary one code along each row.

    Each row has its own noise and its own values of the other codes.

    Args:
        model: `InfoGAN`. Trained model.
        name: str. Name of the code.
        rows: int. Number of rows.
        columns: int. Number of values of a continuous code. A categorical code has one column for
            each value.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("infogan_mnist")
        ki.plots.save(ki.plots.traverse(model, "digit"), "digit.png")
    """
    return draw(model.picture("traverse", name, rows, columns))


def inferred_categories(
    model: keras.Model, name: str, images: np.ndarray, columns: int = 12
) -> Figure:
    """Draws real images by their inferred category, beside generated images of the category.

    Args:
        model: `InfoGAN`. Its network Q infers the category.
        name: str. Name of a categorical code.
        images: array (n, height, width, channels). Real images. Up to `columns` images of each
            category are shown.
        columns: int. Number of columns of real images, and of generated images.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("infogan_mnist")
        images, _ = ki.datasets.load_arrays("mnist_mini", "test")
        ki.plots.save(ki.plots.inferred_categories(model, "digit", images / 255), "inferred.png")
    """
    return draw(model.picture("inferred_categories", name, images, columns))


def mistakes(model: keras.Model, images: np.ndarray, labels: np.ndarray, n: int = 64) -> Figure:
    """Draws the n images whose label has the lowest probability, the lowest first.

    Args:
        model: `Classifier`. Trained model.
        images: array (m, height, width, channels). Images with pixels in [0, 1].
        labels: int array (m,). Label of each image.
        n: int. Number of images.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("fashion_mnist_classifier")
        images, labels = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        ki.plots.save(ki.plots.mistakes(model, images / 255, labels), "mistakes.png")
    """
    return draw(model.picture("mistakes", images, labels, n))


def model_pictures(
    model: keras.Model, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Figure]:
    """Draws all pictures that a model has, such as samples, reconstructions and traversals.

    Args:
        model: model of this library.
        images: array (n, height, width, channels). Real images with pixels in [0, 1].
        labels: int array (n,). Label of each image. `None` if there are none.

    Returns:
        dict from name to matplotlib figure.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, labels = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        for name, figure in ki.plots.model_pictures(model, images[:64] / 255, labels[:64]).items():
            ki.plots.save(figure, f"{name}.png")
    """
    pictures = model.pictures(np.asarray(images, np.float32), labels)
    return {name: draw(picture) for name, picture in pictures.items()}


def save(figure: Figure, path: str | Path) -> Path:
    """Writes a figure as PNG, and creates its folder if needed.

    Args:
        figure: matplotlib figure, such as the result of a function of this module.
        path: str or Path. File name.

    Returns:
        Path of the file.

    Example:
        model = ki.from_preset("infogan_mnist")
        ki.plots.save(ki.plots.samples(model, n=16), "pictures/samples.png")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, bbox_inches="tight")
    picture = Image.open(drawn).convert("RGB")
    # A palette makes the file smaller. It is exact for gray images, and near enough for charts.
    is_chart = not any(axes.images for axes in figure.axes)
    if is_chart or picture.getcolors(256):
        picture = picture.quantize(64 if is_chart else 256, dither=Image.Dither.NONE)
    picture.save(path, "PNG", optimize=True)
    return path
