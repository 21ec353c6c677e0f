"""Pictures of a model as arrays, which `plots` draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Grid", "Scatter", "shown_range"]

_OVERSHOOT = 0.25
"""How far a decoder without a sigmoid may leave the range of its data."""


@dataclass(frozen=True)
class Grid:
    """Picture of images that are arranged row by row.

    Attributes:
        images: array (n, height, width, channels). Images with pixels in [0, 1], or in another
            range that `shown_range` recognizes.
        columns: int. Number of images in a row.
        title: str. Text above the grid.
    """

    images: np.ndarray
    columns: int
    title: str = ""


@dataclass(frozen=True)
class Scatter:
    """Picture of points in the plane, in panels, colored by label.

    Attributes:
        points: array (n, 2). Coordinates of the points.
        labels: array (n,). Label of each point. `None` means one color.
        panels: dict from str to bool array (n,). Title of each panel, and the points that it shows.
    """

    points: np.ndarray
    labels: np.ndarray | None
    panels: Mapping[str, np.ndarray]


def shown_range(images: np.ndarray) -> tuple[float, float]:
    """Returns the pixel values that are drawn black and white.

    The values are 0 and 1 for images in [0, 1], and 0 and 255 for bytes. For images in [-1, 1] with
    pixels below 0, such as those of a generator that ends in tanh, they are -1 and 1. For other
    images they are the smallest and the largest pixel. Images may exceed [0, 1] or [-1, 1] by a
    quarter.
    """
    if images.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(images.min()), float(images.max())
    for limits in ((0.0, 1.0), (-1.0, 1.0)):
        if low >= limits[0] - _OVERSHOOT and high <= limits[1] + _OVERSHOOT:
            return limits
    return low, high
