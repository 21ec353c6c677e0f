"""Pictures of an InfoGAN, as arrays; `plots` has a function of each name."""

import numpy as np

from keras_infomodels.models.pictures import samples
from keras_infomodels.pictures import Grid

__all__ = ["PICTURES", "infogan_pictures"]


def traverse(model, name: str, rows: int = 10, columns: int = 10) -> Grid:
    """Draws images that vary one code along each row; a row has fixed other latents."""
    images = model.traverse(name, rows, columns).numpy()
    title = f"{name}, all else fixed by the row"
    return Grid(images.reshape(-1, *images.shape[2:]), images.shape[1], title)


def inferred_categories(model, name: str, images: np.ndarray, columns: int = 12) -> Grid:
    """Draws real images by the category that Q infers; generated images are on the right."""
    found = model.infer_codes(images)[name].mode().numpy().argmax(axis=1)
    count = model.latents.codes[name].prior.num_categories
    grid = np.ones((count, 2 * columns + 1, *images.shape[1:]), np.float32)
    for category in range(count):
        members = images[found == category][:columns]
        grid[category, : len(members)] = members
        grid[category, columns + 1 :] = model.generate(columns, {name: category}, seed=0)
    title = f"Real images by inferred {name} (left); generated with it (right)"
    return Grid(grid.reshape(-1, *images.shape[1:]), 2 * columns + 1, title)


PICTURES = {
    "samples": samples,
    "traverse": traverse,
    "inferred_categories": inferred_categories,
}
"""Functions of the model and of arguments of their own, by kind of picture."""


def infogan_pictures(
    model, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Grid]:
    """Draws all pictures of an InfoGAN, by name; labels are not shown."""
    pictures = {"samples": samples(model)}
    pictures |= {f"code_{name}": traverse(model, name) for name in model.latents.codes}
    for code in model.categorical_codes:
        pictures[f"inferred_{code.name}"] = inferred_categories(model, code.name, images)
    return pictures
