"""One-dimensional marginals of a mixture, from a table: N points without N^2 densities."""

import math

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import maximum_filter1d

__all__ = ["mixture_marginal_log_prob"]

_STEPS = 48
"""Grid points within the narrowest component's standard deviation."""

_ERROR = 1e-8
"""Of the spline, in nats; where it may be larger, points are summed one by one."""

_CELLS = 2**21


def mixture_marginal_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log (1/N) sum_j N(z; loc_j, scale_j^2) in one dimension, in nats.

    By a cubic spline through a grid, where that has fewer points than there are queries; one by one
    elsewhere, such as for narrow components far apart. The spline through every second point of the
    grid shows where the density bends too much for it: there, too, queries are summed one by one.

    Args:
        z: queries, shape (m,).
        loc, scale: of the components, shape (N,); scale above 0.

    Returns:
        Shape (m,), float64, to 1e-7.
    """
    low, high = z.min(), z.max()
    cells = (high - low) / scale.min() * _STEPS
    if not 0 < cells < len(z) / 2:
        return _direct(z, loc, scale)
    count = max(8, math.ceil(cells / 2))  # of intervals, each with a grid point in its middle
    grid = np.linspace(low, high, 2 * count + 1)
    values = _direct(grid, loc, scale)
    missed = np.abs(CubicSpline(grid[::2], values[::2])(grid[1::2]) - values[1::2])
    # Half the step has a sixteenth of the error; a quarter is for what neighbors pass on.
    bends = maximum_filter1d(missed, 5) / 4 > _ERROR
    result = CubicSpline(grid, values)(z)
    place = ((z - low) / (high - low) * count).astype(int).clip(max=count - 1)
    if (single := bends[place]).any():
        result[single] = _direct(z[single], loc, scale)
    return result


def _direct(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    constants = -np.log(scale) - 0.5 * math.log(2 * math.pi) - math.log(len(loc))
    rows = max(1, _CELLS // len(loc))

    def log_prob(part: np.ndarray) -> np.ndarray:
        terms = (part[:, None] - loc) / scale
        terms *= terms
        terms *= -0.5
        terms += constants
        top = terms.max(axis=1, keepdims=True)
        terms -= top
        return np.log(np.exp(terms, out=terms).sum(axis=1)) + top[:, 0]

    return np.concatenate([log_prob(part) for part in np.split(z, range(rows, len(z), rows))])
