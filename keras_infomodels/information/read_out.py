"""Bounds with standard errors from a large score matrix, in one pass over its blocks."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from keras_infomodels.information.estimate import Estimate, error_of_mean, mean_estimate

__all__ = ["READ_OUTS", "ScoreSummary", "info_nce_terms", "summarize"]

_BLOCK = 1024


@dataclass(frozen=True)
class ScoreSummary:
    """Sums over rows and columns of a score matrix, from which bounds are computed.

    The matrix has f(x_i, y_j) at [i, j], for i < q and j < m.

    Attributes:
        joint: array (q,). f(x_i, y_i).
        rows: array (q,). ln sum over j != i of exp f(x_i, y_j).
        rows_but_one: array (q,). `rows` without j = i + 1 (mod m).
        clipped: array (q,). `rows` of clipped scores, or None.
        columns: array (q,). ln sum over i != j of exp f(x_i, y_j); None if q is below m.
        candidates: int. Number m of columns.
    """

    joint: np.ndarray
    rows: np.ndarray
    rows_but_one: np.ndarray
    clipped: np.ndarray | None
    columns: np.ndarray | None
    candidates: int

    def log_partition(self, rows: np.ndarray) -> float:
        """Computes ln E product exp f from the row sums."""
        return float(logsumexp(rows) - math.log(len(rows) * (self.candidates - 1)))


def summarize(
    scores: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    queries: int,
    clip: float | None = None,
) -> ScoreSummary:
    """Scores the first `queries` rows of x against all rows of y.

    Args:
        scores: function from x (n, d_x) and y (m, d_y) to scores (n, m).
        x: array (m, d_x). One side of the pairs.
        y: array (m, d_y). The other side.
        queries: int. q, at most m.
        clip: float or None. Largest absolute score in the clipped sums; `None` omits these.

    Raises:
        FloatingPointError: If a score is not finite.
    """
    m, q = len(y), min(queries, len(x))
    joint, following = np.zeros(q), np.full(q, -np.inf)
    but_one, clipped, columns = np.full(q, -np.inf), np.zeros(q), np.full(m, -np.inf)
    # Square blocks, since a critic computes the embeddings of every block again.
    for i, j in itertools.product(range(0, q, _BLOCK), range(0, m, _BLOCK)):
        f = np.array(scores(x[i : min(i + _BLOCK, q)], y[j : j + _BLOCK]))
        if not np.isfinite(f).all():
            raise FloatingPointError(
                "Scores are not finite: training diverged. Lower learning_rate."
            )
        rows = np.arange(i, i + len(f))
        own, after = _inside(rows, j, f.shape[1]), _inside((rows + 1) % m, j, f.shape[1])
        joint[rows[own[0]]] = f[own]
        f[own] = -np.inf
        if clip is not None:
            bounded = np.exp(f.clip(-clip, clip))
            bounded[own] = 0
            clipped[rows] += bounded.sum(axis=1, dtype=np.float64)
        following[rows[after[0]]] = f[after]
        f[after] = -np.inf
        # Sums of exp(f - top), with top the largest score of the row: one exponential per entry.
        top = f.max(axis=1)
        top[top == -np.inf] = 0  # no entry but its own and the next
        e = np.exp(np.subtract(f, top[:, None], out=f), out=f)
        sums = _log(e.sum(axis=1, dtype=np.float64)) + top
        but_one[rows] = np.logaddexp(but_one[rows], sums)
        if q == m:  # no read-out needs them otherwise
            part = np.s_[j : j + f.shape[1]]
            columns[part] = np.logaddexp(columns[part], _log_columns(e, top))
    if m > 1:
        after = (np.arange(q) + 1) % m
        columns[after] = np.logaddexp(columns[after], following)
    return ScoreSummary(
        joint,
        np.logaddexp(but_one, following),
        but_one,
        None if clip is None else _log(clipped),
        columns if q == m else None,
        m,
    )


def _inside(columns: np.ndarray, start: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the entries (row k, column columns[k]) within a block of `width` columns."""
    columns = columns - start
    rows = np.flatnonzero((columns >= 0) & (columns < width))
    return rows, columns[rows]


def _log(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(sums)


def _log_columns(e: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Computes ln sum over rows of e exp(top)."""
    return _log((np.exp(top - top.max()) @ e).astype(np.float64)) + top.max()


def info_nce_terms(s: ScoreSummary) -> np.ndarray:
    """Terms of InfoNCE, one for each query, (q,)."""
    return s.joint - np.logaddexp(s.joint, s.rows) + math.log(s.candidates)


def _info_nce(s: ScoreSummary, alpha: float) -> Estimate:
    return mean_estimate(info_nce_terms(s), "lower bound", math.log(s.candidates))


def _donsker_varadhan(s: ScoreSummary, alpha: float) -> Estimate:
    log_z = s.log_partition(s.rows)
    terms = s.joint - _shares(s, s.rows, log_z)
    return Estimate(float(s.joint.mean() - log_z), error_of_mean(terms), "lower bound")


def _nwj(s: ScoreSummary, alpha: float) -> Estimate:
    log_z = s.log_partition(s.rows) - 1
    z = math.exp(min(log_z, 700.0))
    terms = s.joint - z * _shares(s, s.rows, log_z + 1)
    return Estimate(float(s.joint.mean() - z), error_of_mean(terms), "lower bound")


def _of_log_ratio(s: ScoreSummary, alpha: float) -> Estimate:
    """NWJ bound of 1 + f."""
    z = math.exp(min(s.log_partition(s.rows), 700.0))
    terms = s.joint - z * _shares(s, s.rows, math.log(z))
    return Estimate(float(1 + s.joint.mean() - z), error_of_mean(terms), "lower bound")


def _smile(s: ScoreSummary, alpha: float) -> Estimate:
    log_z = s.log_partition(s.clipped)
    rows = np.exp(s.clipped - math.log(s.candidates - 1) - log_z)
    return Estimate(float(s.joint.mean() - log_z), error_of_mean(s.joint - rows), "estimate")


def _interpolated(s: ScoreSummary, alpha: float) -> Estimate:
    """Interpolated bound of scores f - ln a(x), whose baseline is 1."""
    count = math.log(s.candidates - 1)
    with np.errstate(divide="ignore"):
        log_alpha, log_rest = np.log(alpha), np.log1p(-alpha)
    joint = np.logaddexp(s.joint, s.rows_but_one) - count
    negatives = s.rows - count
    terms = 1 + s.joint - np.logaddexp(log_alpha + joint, log_rest)
    terms -= np.exp(negatives - np.logaddexp(log_alpha + negatives, log_rest))
    ceiling = math.inf if alpha == 0 else count - math.log(alpha)
    return mean_estimate(terms, "lower bound", ceiling)


READ_OUTS: dict[str, Callable[[ScoreSummary, float], Estimate]] = {
    "info_nce": _info_nce,
    "jensen_shannon": _of_log_ratio,
    "smile": _smile,
    "nwj": _nwj,
    "tuba": _of_log_ratio,
    "donsker_varadhan": _donsker_varadhan,
    "mine": _donsker_varadhan,
    "interpolated": _interpolated,
}


def _shares(s: ScoreSummary, rows: np.ndarray, log_z: float) -> np.ndarray:
    """Share of each example in the partition function, as x and as y, relative to the mean (of 2).

    The terms f(x_i, y_i) - share_i have the variance of the bound to first order.
    """
    as_x = np.exp(rows - math.log(s.candidates - 1) - log_z)
    if len(rows) < s.candidates:
        return as_x
    return as_x + np.exp(s.columns - math.log(len(rows) - 1) - log_z)
