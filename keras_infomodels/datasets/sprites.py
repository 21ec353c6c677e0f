"""Sprites: gray images of 64x64 pixels with one white shape, drawn from five factors.

The factors are those of dSprites (Matthey et al., 2017). The images are this library's own, so that
figures are not comparable with published figures on dSprites.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keras_infomodels.datasets.factor_space import Factors

__all__ = ["SHAPES", "Sprites", "patches"]

SHAPES = ("square", "ellipse", "heart")
"""The values of the factor "shape", in order."""

_SIDE = 64
_PATCH = 33
"""Side of the window of a shape; it has 32 positions in each direction."""

_SAMPLES = 8
"""Sample points per pixel in each direction."""

_SCALES = np.linspace(0.5, 1, 6)
_ORIENTATIONS = 40
_PERIODS = (10, 20, 40)
"""Steps of 9 degrees after which each shape looks the same: quarter, half and whole turns."""

_SQUARE = 11.0
"""Half the side of the square of scale 1, in pixels."""

_ELLIPSE = (15.4, 9.1)
"""Half the axes of the ellipse of scale 1, in pixels."""

_HEART = (12.0, 0.2)
"""Pixels in a unit of the heart's equation at scale 1, and the height of its middle in units."""


class Sprites:
    """Data set of white shapes on a black background, with 737,280 combinations.

    The factors and their numbers of values are shape (3, see `SHAPES`), scale (6, from 0.5 to 1),
    orientation (40 steps of 9 degrees), x (32) and y (32). x and y are positions from the left and
    from the top, one pixel apart. Squares look the same after 10 steps of orientation, and ellipses
    after 20. An image therefore determines its orientation only up to symmetry: it has ln 40 - (ln
    4 + ln 2) / 3 = ln 20 nats of information about it. It determines the other factors exactly.
    Each of the 720 shapes is rendered once, when the first image is drawn.
    """

    shape = (_SIDE, _SIDE, 1)
    factors = Factors(("shape", "scale", "orientation", "x", "y"), (3, 6, 40, 32, 32))

    def images(self, factors: np.ndarray) -> np.ndarray:
        """Draws images from values of their factors.

        Args:
            factors: int array (n, 5), in the order of `Sprites.factors`.

        Returns:
            uint8 array (n, 64, 64, 1).
        """
        shape, scale, orientation, x, y = self.factors.check(factors).reshape(-1, 5).T
        images = np.zeros((len(shape), _SIDE, _SIDE), np.uint8)
        windows = sliding_window_view(images, (_PATCH, _PATCH), axis=(1, 2), writeable=True)
        windows[np.arange(len(shape)), y, x] = patches()[shape, scale, orientation]
        return images[..., None]


@cache
def patches() -> np.ndarray:
    """Returns windows with one shape in the middle, uint8 (3, 6, 40, 33, 33).

    The axes are shape, scale, orientation, row and column.
    """
    windows = np.empty((len(SHAPES), len(_SCALES), _ORIENTATIONS, _PATCH, _PATCH), np.uint8)
    for shape, period in enumerate(_PERIODS):
        for scale, orientation in np.ndindex(len(_SCALES), period):
            angle = 2 * np.pi * orientation / _ORIENTATIONS
            # Orientations that look the same get the same bytes.
            windows[shape, scale, orientation::period] = _render(shape, _SCALES[scale], angle)
    return windows


def _render(shape: int, scale: float, angle: float) -> np.ndarray:
    """Gray levels of a shape that is rotated counterclockwise, uint8 (33, 33)."""
    fine = _PATCH * _SAMPLES
    at = ((np.arange(fine) + 0.5) / _SAMPLES - _PATCH / 2) / scale
    right, up = at[None, :], -at[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    inside = _INSIDE[shape](cos * right + sin * up, cos * up - sin * right)
    shares = inside.reshape(_PATCH, _SAMPLES, _PATCH, _SAMPLES).mean(axis=(1, 3))
    return np.rint(255 * shares).astype(np.uint8)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points are inside, in pixels from the middle at scale 1; alike for other shapes."""
    return np.maximum(np.abs(x), np.abs(y)) < _SQUARE


def _ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x / _ELLIPSE[0]) ** 2 + (y / _ELLIPSE[1]) ** 2 < 1


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    unit, middle = _HEART
    x, y = x / unit, y / unit + middle
    return (x**2 + y**2 - 1) ** 3 < x**2 * y**3


_INSIDE = (_square, _ellipse, _heart)
