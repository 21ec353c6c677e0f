"""Mutual information from canonical correlations of the data or of their ranks."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma
from scipy.stats import norm, rankdata

from keras_infomodels.information.estimate import Estimate

__all__ = [
    "GaussianRatio",
    "NormalScores",
    "canonical_correlations",
    "canonical_variates",
    "copula_information",
    "gaussian_information",
    "normal_scores",
    "shuffled_copula",
]


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Replaces the values of each column by quantiles of N(0, 1) with the same ranks.

    This does not change the mutual information of continuous columns.

    Args:
        x: array (n, d). Equal values get the mean of their ranks.

    Returns:
        Array (n, d).

    Example:
        ki.information.normal_scores(np.array([[1.0], [10.0], [100.0]]))  # symmetric around 0
    """
    x = np.asarray(x, np.float64)
    return norm.ppf((rankdata(x, axis=0) - 0.5) / len(x))


class NormalScores:
    """Callable that maps new values to quantiles of N(0, 1), by the ranks of a given sample.

    For the sample itself the result equals `normal_scores(x)`. Call it with an array (m, d); it
    returns an array (m, d). The function is linear between the points of the sample, and constant
    outside of their range.

    Args:
        x: array (n, d). Sample that defines the function.

    Example:
        scores = ki.information.NormalScores(np.random.default_rng(1).exponential(size=(500, 1)))
        scores(np.array([[0.693]]))  # about 0: the median of the sample
    """

    def __init__(self, x: np.ndarray):
        columns = np.asarray(x, np.float64).T
        self.width = len(columns)
        self._points = [np.unique(column) for column in columns]
        self._scores = [
            np.interp(points, np.sort(column), np.sort(scores))
            for points, column, scores in zip(
                self._points, columns, normal_scores(x).T, strict=True
            )
        ]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Computes the scores of draws (m, d), as float32."""
        columns = zip(np.asarray(x, np.float64).T, self._points, self._scores, strict=True)
        return np.stack([np.interp(c, p, s) for c, p, s in columns], axis=1).astype(np.float32)


def gaussian_information(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Estimates I(X;Y) as if X and Y were jointly Gaussian.

        I = -1/2 sum ln(1 - r^2)    over the canonical correlations r

    A correction for the bias of n samples is subtracted, which is exact for Gaussian data. For
    other data the result may be too small or too large.

    Args:
        x: array (n, d_x) or (n,). n samples of X; n must be above d_x + d_y + 1.
        y: array (n, d_y) or (n,). Samples of Y, paired with those of X.

    Returns:
        `Estimate` in nats. It is infinite if a linear function of x equals a linear function of y.

    Raises:
        ValueError: If there are too few samples, or values are not finite.

    Source: Gel'fand and Yaglom, 1957; the bias: Misra et al., 2005.

    Example:
        rng = np.random.default_rng(1)
        x = rng.normal(size=(2000, 3))
        y = x + rng.normal(size=(2000, 3))
        print(ki.information.gaussian_information(x, y))  # the truth is 3 ln 2 / 2 = 1.040 nats
    """
    x, y = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (x, y))
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    if len(y) != n:
        raise ValueError(f"x and y have one row an example, got {n} and {len(y)} rows.")
    _check_finite(x, y)
    if n <= dx + dy + 1:
        raise ValueError(
            f"A covariance of {dx + dy} columns needs more than {dx + dy + 1} rows, got {n}; take "
            "fewer columns, or 'ksg'."
        )
    r = canonical_correlations(x, y)
    if r.max(initial=0) > 1 - 1e-9:
        return Estimate(math.inf, 0.0, note="a linear function of x is one of y")
    return Estimate(_of_correlations(r, n, dx, dy), math.sqrt(np.sum(r**2) / n))


def copula_information(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Estimates I(X;Y) by a Gaussian copula: `gaussian_information` of the ranks of each column.

    The ranks are replaced by quantiles of N(0, 1). The estimate is right if a monotone function of
    each column makes all columns jointly Gaussian. Other kinds of dependence are not detected.

    Args:
        x: array (n, d_x) or (n,). n samples of X.
        y: array (n, d_y) or (n,). Samples of Y, paired with those of X.

    Returns:
        `Estimate` in nats.

    Source: Ince et al., "A statistical framework for neuroimaging data analysis based on mutual
    information estimated via a Gaussian copula", 2017.

    Example:
        rng = np.random.default_rng(1)
        x = rng.normal(size=2000)
        y = np.exp(x + rng.normal(size=2000))
        print(ki.information.copula_information(x, y))  # the truth is ln 2 / 2 = 0.347 nats
    """
    x, y = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (x, y))
    _check_finite(x, y)
    return gaussian_information(normal_scores(x), normal_scores(y))


def shuffled_copula(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, count: int) -> Estimate:
    """Computes `copula_information` of shuffled pairs: the mean, and the spread over shuffles.

    For Gaussian data the spread is sqrt(d_x d_y / 2) / n. It is several times as large where many
    columns are functions of few variables, as pixels are: a single row may then decide on the
    largest canonical correlations.

    Args:
        x: array (n, d_x). n must be above d_x + d_y + 1.
        y: array (n, d_y).
        rng: NumPy generator. Draws the orders.
        count: int. Number of shuffles, at least 2.

    Example:
        rng = np.random.default_rng(1)
        x = rng.normal(size=(2000, 3))
        ki.information.copula.shuffled_copula(x, x, rng, 5)  # about 0 nats
    """
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    qx, qy = (_whiten(normal_scores(side)) for side in (x, y))
    nats = []
    for _ in range(count):
        r = np.linalg.svd(qx[rng.permutation(n)].T @ qy, compute_uv=False).clip(0, 1 - 1e-9)
        nats.append(_of_correlations(r, n, dx, dy))
    return Estimate(float(np.mean(nats)), float(np.std(nats, ddof=1)))


def _check_finite(x: np.ndarray, y: np.ndarray):
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x or y holds NaN or infinite numbers; leave such rows out.")


def canonical_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Computes the canonical correlations of x (n, d_x) and y (n, d_y), largest first."""
    qx, qy = _whiten(x), _whiten(y)
    return np.linalg.svd(qx.T @ qy, compute_uv=False).clip(0, 1)


def canonical_variates(x: np.ndarray, y: np.ndarray, least: float) -> np.ndarray:
    """Computes the linear functions (n, m) of y whose canonical correlation is above `least`."""
    qx, qy = _whiten(x), _whiten(y)
    _, r, vt = np.linalg.svd(qx.T @ qy, full_matrices=False)
    return qy @ vt[r > least].T


def _whiten(x: np.ndarray) -> np.ndarray:
    """Computes an orthonormal basis of the span of the centered columns."""
    centered = x - x.mean(axis=0)
    scale = np.linalg.norm(centered, axis=0)
    u, s, _ = np.linalg.svd(centered[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return u[:, s > 1e-9 * s.max(initial=1)]


def _of_correlations(r: np.ndarray, n: int, dx: int, dy: int) -> float:
    """Information of canonical correlations, less its bias for n rows of Gaussians."""
    bias = _log_det_bias(dx, n) + _log_det_bias(dy, n) - _log_det_bias(dx + dy, n)
    return float(-0.5 * np.log1p(-(r**2)).sum() - bias / 2)


def _log_det_bias(d: int, n: int) -> float:
    """Bias of ln det of the sample covariance of n rows of d Gaussian columns."""
    return float(digamma((n - 1 - np.arange(d)) / 2).sum() + d * math.log(2 / (n - 1)))


@dataclass(frozen=True)
class GaussianRatio:
    """Log ratio ln N(x, y) / (N(x) N(y)) with a sample's moments, as a quadratic critic.

        f(x, y) = x'P x + y'Q y + x'C y + constant, of centered x and y

    Attributes:
        x_form: array (d_x, d_x). P.
        y_form: array (d_y, d_y). Q.
        cross: array (d_x, d_y). C.
        constant: float. Constant.
        x_mean: array (d_x,). Mean that is subtracted from x.
        y_mean: array (d_y,). Mean that is subtracted from y.
    """

    x_form: np.ndarray
    y_form: np.ndarray
    cross: np.ndarray
    constant: float
    x_mean: np.ndarray
    y_mean: np.ndarray

    @classmethod
    def fit(
        cls, x: np.ndarray, y: np.ndarray, ridge: float = 1e-6, shrink: bool = False
    ) -> "GaussianRatio":
        """Fits the moments to a sample.

        Args:
            x: array (n, d_x).
            y: array (n, d_y).
            ridge: float. Number that is added to variances.
            shrink: bool. `True` shrinks the covariance (Ledoit and Wolf), so that collinear columns
                are not mistaken for a deterministic relation.
        """
        dx = x.shape[1]
        both = np.hstack([x, y]).astype(np.float64)
        s = np.cov(both.T) + ridge * np.eye(both.shape[1])
        if shrink:
            from sklearn.covariance import ledoit_wolf

            s = ledoit_wolf(both)[0] + ridge * np.eye(both.shape[1])
        precision, px, py = (np.linalg.inv(m) for m in (s, s[:dx, :dx], s[dx:, dx:]))
        log_det = [np.linalg.slogdet(m)[1] for m in (s[:dx, :dx], s[dx:, dx:], s)]
        return cls(
            0.5 * (px - precision[:dx, :dx]),
            0.5 * (py - precision[dx:, dx:]),
            -precision[:dx, dx:],
            0.5 * (log_det[0] + log_det[1] - log_det[2]),
            x.mean(axis=0),
            y.mean(axis=0),
        )
