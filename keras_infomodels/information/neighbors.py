"""Entropy and mutual information from distances to nearest neighbors.

This module does not import TensorFlow.
"""

import math
import warnings

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from keras_infomodels.information.discrete import row_codes
from keras_infomodels.information.estimate import Estimate, mean_estimate

__all__ = ["ksg", "mixed_ksg", "nearest_neighbor_entropy"]

MANY_DIMENSIONS = 5


def ksg(x: np.ndarray, y: np.ndarray, neighbors: int = 3) -> Estimate:
    """Estimates I(X;Y) of continuous variables by Kraskov, Stoegbauer and Grassberger's method.

        psi(k) + psi(n) - < psi(n_x + 1) + psi(n_y + 1) >

    psi is the digamma function, n the number of points (x, y), and < > the mean over points.
    Distances use the maximum norm. n_x is the number of points whose x is nearer than the point's
    k-th nearest neighbor in (x, y); n_y is the same for y. Scale the columns of x, and those of y,
    to similar ranges first. The estimator is accurate in few dimensions. In many dimensions, or for
    large information, the estimate can be too small by several nats.

    Args:
        x: array (n, d_x) or (n,). n samples of X, no two of them equal.
        y: array (n, d_y) or (n,). Samples of Y, paired with those of X.
        neighbors: int. Number k of neighbors. Larger values reduce the variance and increase the
            bias.

    Returns:
        `Estimate` in nats, which may be negative. Its ceiling, the largest possible value, is
        psi(k) + psi(n) - 2 psi(1). The standard error treats the points as independent, although
        they share neighbors.

    Raises:
        ValueError: If n is not above k.

    Source: Kraskov et al., "Estimating mutual information", 2004, equation 8 (algorithm 1).

    Example:
        rng = np.random.default_rng(1)
        x = rng.normal(size=2000)
        print(ki.information.ksg(x, x + rng.normal(size=2000)))  # the truth is 0.347 nats
    """
    x, y = _columns(x), _columns(y)
    n = _check(x, y, neighbors)
    if x.shape[1] + y.shape[1] > MANY_DIMENSIONS:
        warnings.warn(
            f"Nearest neighbors in {x.shape[1] + y.shape[1]} dimensions fall short of the truth; "
            f"above about {MANY_DIMENSIONS} prefer a neural estimator.",
            stacklevel=2,
        )
    joint = cKDTree(np.hstack([x, y]))
    distance = joint.query(joint.data, neighbors + 1, p=np.inf, workers=-1)[0][:, -1]
    below = np.nextafter(distance, 0)  # strictly nearer
    counts = [_count_within(part, below) for part in (x, y)]  # the point itself included
    terms = digamma(neighbors) + digamma(n) - digamma(counts[0]) - digamma(counts[1])
    ceiling = float(digamma(neighbors) + digamma(n) - 2 * digamma(1))
    return mean_estimate(terms, "estimate", ceiling)


def mixed_ksg(
    x: np.ndarray,
    y: np.ndarray,
    neighbors: int = 3,
    x_label: np.ndarray | None = None,
    y_label: np.ndarray | None = None,
) -> Estimate:
    """Estimates I(X;Y) of variables that are discrete, continuous, or both in one column.

        < psi(k') + ln n - psi(n_x) - psi(n_y) >

    psi is the digamma function, n the number of points, and < > the mean over points. n_x is the
    number of points, itself included, whose x is nearer than the point's k-th nearest neighbor; n_y
    is the same for y. Points with different labels are infinitely far apart. k' is k, or less if a
    label has fewer points; it is 1 for a point whose labels occur only once. If the k-th neighbor
    is at distance 0, the term is that of `plug_in`: logarithms of the numbers of equal points
    replace psi.

    Args:
        x: array (n, d_x) or (n,). Numbers of X. Use an array (n, 0) if X consists of labels only.
        y: array (n, d_y) or (n,). Numbers of Y, paired with those of X.
        neighbors: int. Number k of neighbors.
        x_label: int array (n,). Discrete part of X. `None` means that there is none.
        y_label: int array (n,). Discrete part of Y. `None` means that there is none.

    Returns:
        `Estimate` in nats.

    Source: Gao et al., "Estimating mutual information for discrete-continuous mixtures", 2017,
    algorithm 1; with labels: Ross, "Mutual information between discrete and continuous data
    sets", 2014.

    Example:
        rng = np.random.default_rng(1)
        label = rng.integers(2, size=1000)
        x = 5.0 * label + rng.normal(size=1000)
        ki.information.mixed_ksg(x, np.empty((1000, 0)), y_label=label)  # about ln 2 nats
    """
    x, y = _columns(x), _columns(y)
    n = _check(x, y, neighbors)
    groups = [_groups(label, n) for label in (x_label, y_label)]
    given = [label for label in (x_label, y_label) if label is not None]
    cells = _groups(row_codes(np.stack(given, axis=1)) if given else None, n)
    both = np.hstack([x, y])
    distance, k = np.zeros(n), np.ones(n, int)
    for rows in cells:
        distance[rows], k[rows] = _kth_distance(both[rows], neighbors)
    tied = distance == 0
    radius = np.where(tied, 0, np.nextafter(distance, 0))
    counts = [
        _count_in_groups(part, radius, part_groups)
        for part, part_groups in zip((x, y), groups, strict=True)
    ]
    order = np.where(tied, np.log(k), digamma(k))
    share = [np.where(tied, np.log(c), digamma(c)) for c in counts]
    return mean_estimate(order + math.log(n) - share[0] - share[1], "estimate")


def _groups(label: np.ndarray | None, n: int) -> list[np.ndarray]:
    """Rows of each label."""
    if label is None:
        return [np.arange(n)]
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(np.asarray(label)[order])) + 1)


def _kth_distance(points: np.ndarray, neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each point to its k-th neighbor, and k.

    k is smaller if there are fewer points, and the number of equal points if the distance is 0.
    """
    n = len(points)
    if n == 1:
        return np.full(1, np.inf if points.shape[1] else 0.0), np.ones(1, int)
    if not points.shape[1]:
        return np.zeros(n), np.full(n, n)
    tree, k = cKDTree(points), min(neighbors, n - 1)
    distance = tree.query(points, k + 1, p=np.inf)[0][:, -1]
    counts = np.full(n, k)
    if (tied := distance == 0).any():
        counts[tied] = _count_within(points, np.zeros(n))[tied]
    return distance, counts


def _count_in_groups(x: np.ndarray, radius: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """Number of rows of the same group within each row's radius, itself included."""
    counts = np.empty(len(x), int)
    for rows in groups:
        inside = _count_within(x[rows], radius[rows]) if x.shape[1] else len(rows)
        counts[rows] = inside
    return counts


def nearest_neighbor_entropy(x: np.ndarray, neighbors: int = 3) -> Estimate:
    """Estimates the differential entropy H(X) in nats, by Kozachenko and Leonenko's estimator.

        psi(n) - psi(k) + d < ln 2 eps >

    psi is the digamma function, n the number of points, d their dimension, < > the mean over
    points, and eps the distance of a point to its k-th nearest neighbor, in the maximum norm. The
    entropy may be negative, and it depends on the unit of x.

    Args:
        x: array (n, d) or (n,). n points, no two of them equal.
        neighbors: int. Number k of neighbors.

    Returns:
        `Estimate` in nats.

    Raises:
        ValueError: If rows are equal, or n is not above k.

    Source: Kozachenko and Leonenko, 1987.

    Example:
        x = np.random.default_rng(1).normal(size=2000)
        print(ki.information.nearest_neighbor_entropy(x))  # the truth is 1.419 nats
    """
    x = _columns(x)
    n = _check(x, x, neighbors)
    tree = cKDTree(x)
    distance = tree.query(x, neighbors + 1, p=np.inf)[0][:, -1]
    if np.any(distance == 0):
        raise ValueError("Equal rows have no density; this entropy is of continuous variables.")
    terms = digamma(n) - digamma(neighbors) + x.shape[1] * np.log(2 * distance)
    return mean_estimate(terms)


def _columns(x) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x.reshape(len(x), -1)


def _check(x: np.ndarray, y: np.ndarray, neighbors: int) -> int:
    if len(x) != len(y):
        raise ValueError(f"x and y have one row an example, got {len(x)} and {len(y)} rows.")
    if not 1 <= neighbors < len(x):
        raise ValueError(f"{len(x)} rows have at most {len(x) - 1} neighbors, got {neighbors}.")
    return len(x)


def _count_within(x: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Number of rows within each row's radius, itself included."""
    if x.shape[1] > 1:
        # Two to four times as fast as SciPy's tree, which lists neighbors in order to count them.
        from sklearn.neighbors import KDTree

        radius = np.minimum(radius, 4 * np.abs(x).max() + 1)  # it takes no infinity
        return KDTree(x, metric="chebyshev").query_radius(x, radius, count_only=True)
    values = np.sort(x[:, 0])
    # Rounding of the sums below must not include the neighbor at the radius itself.
    radius = np.maximum(radius - 4 * np.spacing(np.abs(values[[0, -1]]).max()), 0)
    upper = np.searchsorted(values, x[:, 0] + radius, side="right")
    return upper - np.searchsorted(values, x[:, 0] - radius, side="left")
