"""Pictures of a model as arrays, which `plots` draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Grid", "Scatter", "shown_range"]

_OVERSHOOT = 0.25
"""How far a decoder without a sigmoid may leave the range of its data."""


@dataclass(frozen=True)
class Grid:
    """Images row by row.

    Attributes:
        images: (n, height, width, channels) in [0, 1], or in another range: see `shown_range`.
        columns: images in a row.
        title: text above the grid.
    """

    images: np.ndarray
    columns: int
    title: str = ""


@dataclass(frozen=True)
class Scatter:
    """Points in the plane, in panels, colored by label.

    Attributes:
        points: (n, 2).
        labels: (n,), or None for one color.
        panels: title of each panel -> which points it shows, a mask (n,).
    """

    points: np.ndarray
    labels: np.ndarray | None
    panels: Mapping[str, np.ndarray]


def shown_range(images: np.ndarray) -> tuple[float, float]:
    """The pixels that are drawn black and white.

    They are 0 and 1 where the images are in [0, 1], -1 and 1 where they are in [-1, 1] and below
    0, as a generator that ends in tanh makes them, 0 and 255 for bytes, and the smallest and the
    largest pixel else. Images may leave the first two ranges by a quarter.
    """
    if images.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(images.min()), float(images.max())
    for limits in ((0.0, 1.0), (-1.0, 1.0)):
        if low >= limits[0] - _OVERSHOOT and high <= limits[1] + _OVERSHOOT:
            return limits
    return low, high
