"""Mutual information of functions without noise, which needs no density estimate."""

import math

import numpy as np
from scipy.stats import rankdata

from keras_infomodels.information.columns import Columns
from keras_infomodels.information.copula import canonical_correlations, canonical_variates
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate

__all__ = ["known_relation"]

_CERTAIN = 1 - 1e-9
_ORDER = 20
"""Largest number of rows for which two columns may have the same order by chance."""


_MONOTONE = "a column of x is a monotone function of one of y, without noise"
_LINEAR = "a linear function of x is one of y, without noise"


def known_relation(x: Columns, y: Columns) -> Estimate | None:
    """Returns the information if a column of x, or a linear function of x, equals one of y.

    If the values hardly repeat, the information is infinite. If they repeat, they are discrete, and
    their entropy is a lower bound on the information. It is the whole information if y is a single
    column. Integers that hardly repeat have a finite entropy too; for them the result is a lower
    bound. The result is None if there is no such relation.
    """
    n = len(x)
    if not (x.values.shape[1] and y.values.shape[1]):
        return None
    if (shared := _copied_column(x.values, y.values)) is not None:
        return _entropy(
            shared, "a column of x is a monotone function of one of y, without noise", y
        )
    if n <= x.width + y.width + 1 or n <= 4:
        return None
    if canonical_correlations(x.values, y.values).max(initial=0) > _CERTAIN:
        shared = canonical_variates(x.values, y.values, _CERTAIN)
        return _entropy(shared, _LINEAR, y)
    return None


def _copied_column(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    n = len(x)
    x_ranks, y_ranks = ([rankdata(c) for c in side.T] for side in (x, y))
    for a, u in zip(x_ranks, x.T, strict=True):
        for b, v in zip(y_ranks, y.T, strict=True):
            ordered = n > _ORDER and (np.array_equal(a, b) or np.array_equal(a, n + 1 - b))
            if ordered or np.array_equal(u, v):
                return u[:, None]
    return None


def _entropy(shared: np.ndarray, what: str, y: Columns) -> Estimate:
    """Entropy of the values (n, m) that both sides share."""
    n = len(shared)
    scale = np.abs(shared).max(axis=0)
    rounded = np.round(shared / np.where(scale > 0, scale, 1), 7)
    kinds = len(np.unique(rounded, axis=0))
    whole = not np.any(y.values % 1)
    if kinds > n / 2 and not whole:
        return Estimate(math.inf, 0.0, method="copy", note=f"infinite: {what}")
    found = miller_madow(rounded, rounded)
    all_of_it = y.width == 1 and kinds <= n / 10
    return Estimate(
        found.nats,
        found.standard_error,
        "estimate" if all_of_it else "lower bound",
        math.inf,
        "copy",
        "" if all_of_it else f"{what}: this is its entropy, and the information no less",
        interval=(found.nats - 1.96 * found.standard_error, None)
        if not all_of_it
        else (found.nats - 1.96 * found.standard_error, found.nats + 1.96 * found.standard_error),
        assumption="every value that matters has been seen" if all_of_it else "",
    )
