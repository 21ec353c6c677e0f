"""Pictures of a model as arrays, which `plots` draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Grid", "Scatter"]


@dataclass(frozen=True)
class Grid:
    """Images row by row.

    Attributes:
        images: (n, height, width, channels) in [0, 1].
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
