"""Lower bounds on I(X;Y) from predictions of each row by the other rows, without TensorFlow.

    I(X;Y) >= E [ln q(y|x) - ln p(y)] for any q that does not use the row

Source: Barber and Agakov, "The IM algorithm", 2003.
"""

import math

import numpy as np
from scipy.spatial import cKDTree

from keras_infomodels.information.discrete import row_codes
from keras_infomodels.information.streams import generator

__all__ = ["best_pair", "crossed_choice", "label_table_terms", "neighbor_terms"]

_WIDTHS = (0.2, 0.1, 0.05, 0.025, 0.012, 0.006)
"""Standard deviations of the kernels, as shares of the ranks."""
_COUNTS = (8, 16, 32, 64, 128, 192)
_WEIGHTS = (1.0, 4.0, 16.0, 64.0)
"""Weights of the marginal distribution of y, in rows."""
_DISCOUNTS = (0.5, 0.8, 0.95)
_BINS = 12
_PAIRS, _ROWS = 4096, 2000
"""Number of pairs of columns above which they are compared on so many rows alone."""


def crossed_choice(candidates: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Chooses the best candidate on each half of the rows, and applies it to the other half.

    So no row takes part in the choice of the candidate whose term it contributes. A candidate whose
    terms are all 0 is added.

    Args:
        candidates: array (c, n). Terms of each candidate in nats.
        halves: bool array (n,). Half of each row.

    Returns:
        Array (n,). Terms of the chosen candidates.
    """
    candidates = np.vstack([np.zeros(candidates.shape[1]), candidates])
    terms = np.empty(candidates.shape[1])
    for half in (halves, ~halves):
        terms[half] = candidates[candidates[:, ~half].mean(axis=1).argmax()][half]
    return terms


def neighbor_terms(
    x: np.ndarray, y: np.ndarray, label: bool, seed: int = 0, queries: np.ndarray | None = None
) -> np.ndarray:
    """Computes ln q(y|x) - ln p(y) of rows, where q is estimated from the nearest other rows in x.

    For a label y, q(y|x) is the share of the label among the neighbors. For a number y, q(y|x) is a
    kernel density of the neighbors' ranks, scaled to (0, 1). The number of neighbors and the width
    of the kernels are chosen on one half of the rows, and applied to the other half.

    Args:
        x: array (n, d). Points on one scale; codes of labels are far apart.
        y: array (n,). Numbers, or labels from 0.
        label: bool. `True` if y holds labels, `False` if it holds numbers.
        seed: int. Seed of the halves, and of the order of equal numbers.
        queries: int array. Rows whose terms are computed; `None` draws at most 3,000.

    Returns:
        Array (q,) in nats, whose mean is a lower bound on I(X;Y).
    """
    rng = generator(seed, 8)
    n = len(x)
    queries = rng.permutation(n)[:3000] if queries is None else queries
    x = x + 1e-9 * rng.normal(size=x.shape)  # equal rows in any order
    count = min(_COUNTS[-1], n - 1)
    index = cKDTree(x).query(x[queries], count + 1)[1]
    own = index == queries[:, None]
    own[~own.any(axis=1), -1] = True
    index = index[~own].reshape(len(queries), count)
    counts = np.array([k for k in _COUNTS if k <= count] or [count])
    if label:
        candidates = _label_candidates(y, index, queries, counts)
    else:
        u = (np.lexsort((rng.uniform(size=n), y)).argsort() + 0.5) / n
        candidates = _kernel_candidates(u[index], u[queries], counts)
    return crossed_choice(candidates, rng.uniform(size=len(queries)) < 0.5)


def _label_candidates(y, index, queries, counts) -> np.ndarray:
    margin = np.bincount(y) / len(y)
    own = margin[y[queries]]
    hits = np.cumsum(y[index] == y[queries][:, None], axis=1)[:, counts - 1].T
    ratios = [(hits + w * own) / (counts[:, None] + w) / own for w in _WEIGHTS[:3]]
    return np.log(np.concatenate(ratios))


def _kernel_candidates(u: np.ndarray, own: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Densities by kernels reflected at 0 and 1, with a uniform density as one more neighbor."""
    candidates = []
    for width in _WIDTHS:
        density = np.zeros(u.shape)
        for center in (u, -u, 2 - u):
            scaled = (own[:, None] - center) / width
            density += np.exp(-0.5 * scaled * scaled)
        sums = np.cumsum(density, axis=1)[:, counts - 1].T / (width * math.sqrt(2 * math.pi))
        candidates.append(np.log((sums + 1) / (counts[:, None] + 1)))
    return np.concatenate(candidates)


def label_table_terms(x: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Computes ln q(y|x) - ln p(y) of each row, where q is the table of the other rows.

    The table of frequencies is smoothed towards the marginal distribution of y. This is done either
    by adding rows, or by an absolute discount of each occupied cell.

    Args:
        x: int array (n,). Labels from 0.
        y: int array (n,). Labels from 0.
        seed: int. Seed of the halves by which the smoothing is chosen.

    Returns:
        Array (n,) in nats, whose mean is a lower bound on I(X;Y).

    Source: Ney, Essen and Kneser, "On structuring probabilistic dependences in stochastic language
    modelling", 1994, on absolute discounting.
    """
    n = len(x)
    cell = row_codes(np.stack([x, y], axis=1))
    counts = np.bincount(cell)
    _, first = np.unique(cell, return_index=True)
    seen = np.bincount(x[first], minlength=x.max() + 1)[x]  # different labels of y beside this x
    others, rows = counts[cell] - 1, np.bincount(x)[x] - 1
    own = np.bincount(y)[y] / n
    candidates = [np.log((others + w * own) / (rows + w) / own) for w in _WEIGHTS]
    seen = seen - (others == 0)
    for discount in _DISCOUNTS:
        q = np.maximum(others - discount, 0) + discount * seen * own
        q = np.where(rows > 0, q / np.maximum(rows, 1), own)
        candidates.append(np.log(np.maximum(q, 1e-3 * own) / own))
    halves = generator(seed, 9).uniform(size=n) < 0.5
    return crossed_choice(np.stack(candidates), halves)


def best_pair(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[int, int]:
    """Finds the pair of columns with the largest plug-in information, with ranks cut in 12 parts.

    Args:
        x: array (n, d_x). Labels are given as codes.
        y: array (n, d_y).
        rows: int array. Rows that are used.

    Returns:
        Two indices: of a column of x and of a column of y.
    """
    information = pair_information(x[rows], y[rows])
    return np.unravel_index(information.argmax(), information.shape)


def pair_information(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Plug-in information (d_x, d_y) of every column of x with every column of y, cut in parts."""
    n = len(x) if x.shape[1] * y.shape[1] <= _PAIRS else min(len(x), _ROWS)
    sides = [_one_of_parts(side[:n]) for side in (x, y)]
    joint = np.einsum("nip,njq->ijpq", *sides, optimize=True) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = joint * np.log(joint / (joint.sum(3, keepdims=True) * joint.sum(2, keepdims=True)))
    return np.nansum(terms, axis=(2, 3))


def parts_of(column: np.ndarray) -> int:
    """Number of parts in which a column is cut: the number of its values, at most twelve."""
    return min(len(np.unique(column)), _BINS)


def _one_of_parts(side: np.ndarray) -> np.ndarray:
    """One-hot parts (n, d, parts) of ranks, or of the values if they are few."""
    columns = []
    for column in side.T:
        kinds, codes = np.unique(column, return_inverse=True)
        if len(kinds) > _BINS:
            ranks = np.argsort(np.argsort(column, kind="stable"))
            codes = ranks * _BINS // len(column)
        columns.append(np.eye(_BINS, dtype=np.float32)[codes])
    return np.stack(columns, axis=1)
