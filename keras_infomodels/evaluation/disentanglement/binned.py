"""Metrics of the information between binned codes and factors: MIG and modularity."""

import numpy as np

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    factor_entropies,
    information_matrix,
)

__all__ = ["mig", "mig_from_matrix", "modularity", "modularity_from_matrix"]


def mig(codes, factors, bins: int = 20) -> float:
    """Mutual information gap: how far the best code of a factor is ahead of the second.

    MIG = mean over factors j of (I_(1)j - I_(2)j) / H(factor j), where I_(1)j and I_(2)j are the
    largest and second largest entries of column j of `information_matrix`.

    Range: [0, 1]. Bins cap it: a factor of 40 values in 20 bins has at most ln 20 / ln 40 = .81,
    and identity codes of `sprites`' five factors have .90.

    Blind to: a code that carries several factors (only the second code of a factor costs, not the
    second factor of a code); what a single code does not carry but several do together. It changes
    with monotone maps of a code, because the bins have equal widths.

    Values: identity codes 1, rotated and duplicated ones 0, two factors of five values merged into
    one code .91, random codes about 0; docs/disentanglement.md has those of other metrics.

    Source: Chen et al., "Isolating sources of disentanglement in VAEs", 2018, equation 6, with the
    discretizer of disentanglement_lib (Locatello et al., 2019).

    Args:
        codes: float (n, d), d of at least 2.
        factors: integers (n, k).
        bins: int. Number of equal-width bins of each code.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=(2000, 3))
        >>> round(ki.evaluation.disentanglement.mig(factors.astype(float), factors), 2)
        1.0
    """
    codes, factors = check_arrays(codes, factors, least_codes=2)
    return mig_from_matrix(information_matrix(codes, factors, bins), factor_entropies(factors))


def mig_from_matrix(information: np.ndarray, entropies: np.ndarray) -> float:
    """MIG of a matrix I(code; factor).

    Args:
        information: float (d, k), in nats.
        entropies: float (k,). Entropy of each factor, in nats.
    """
    ordered = np.sort(information, axis=0)
    return float(np.mean((ordered[-1] - ordered[-2]) / entropies))


def modularity(codes, factors, bins: int = 20) -> float:
    """Modularity: whether each code has information on one factor alone.

    Modularity = mean over codes i of 1 - sum_{j != b} I_ij^2 / ((k - 1) I_ib^2), where b is the
    factor of which code i knows most. A code without any information counts 0.

    Range: [0, 1].

    Values: identity codes 1, pairs of factors rotated by 45 degrees 1 - 1 / (k - 1), two factors of
    five values merged into one code .77 (k = 4).

    Blind to: whether any factor is known at all, and by how many codes: duplicated codes have 1.
    Random codes score high, because the small sampling errors of I are divided by each other.

    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss",
    2018, section 3, as in disentanglement_lib.

    Args:
        codes: float (n, d).
        factors: integers (n, k), k of at least 2.
        bins: int. Number of equal-width bins of each code.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    codes, factors = check_arrays(codes, factors, least_factors=2)
    return modularity_from_matrix(information_matrix(codes, factors, bins))


def modularity_from_matrix(information: np.ndarray) -> float:
    """Modularity of a matrix I(code; factor), (d, k), in nats."""
    squares = np.square(information)
    best = squares.max(axis=1)
    rest = squares.sum(axis=1) - best
    known = best > 0
    scores = np.where(known, 1 - rest / (np.where(known, best, 1) * (squares.shape[1] - 1)), 0)
    return float(scores.mean())
