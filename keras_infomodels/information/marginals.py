"""One-dimensional marginals of a mixture, from a table: N points without N^2 densities."""

import math

import numpy as np
from scipy.interpolate import CubicSpline

__all__ = ["mixture_marginal_log_prob"]

_STEPS = 5
"""Grid points within the narrowest component's standard deviation.

Where a mixture has samples its logarithm bends on the scale of its narrowest component. With five
points the cubic's error at the mixture's own samples is below 1e-3 nats, and 1e-5 on average, for 2
to 2,000 components, equal scales or scales that differ by ten times: `test_aggregate.py`.
"""

_CELLS = 2**21


def mixture_marginal_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log (1/N) sum_j N(z; loc_j, scale_j^2) in one dimension, in nats.

    By a cubic spline through a grid, where that has fewer points than there are queries; one by one
    elsewhere, such as for narrow components far apart. The spline is for samples of the mixture: a
    query where it has almost no mass, such as half-way between two narrow components, may be off by
    nats.

    Args:
        z: queries, samples of the mixture, shape (m,).
        loc, scale: of the components, shape (N,); scale above 0.

    Returns:
        Shape (m,), float64.
    """
    low, high = z.min(), z.max()
    cells = (high - low) / scale.min() * _STEPS
    if not 0 < cells < len(z) / 2:
        return _direct(z, loc, scale)
    grid = np.linspace(low, high, max(8, math.ceil(cells) + 1))
    return CubicSpline(grid, _direct(grid, loc, scale))(z)


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
