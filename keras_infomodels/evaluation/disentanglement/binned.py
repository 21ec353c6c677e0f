"""Metrics from the mutual information of binned codes and factors: MIG and modularity."""

import numpy as np

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    factor_entropies,
    information_matrix,
)

__all__ = ["mig", "mig_from_matrix", "modularity", "modularity_from_matrix"]


def mig(codes, factors, bins: int = 20) -> float:
    """Computes the mutual information gap (MIG): 1 if each factor is encoded by one code only.

    MIG = mean over factors j of (I_(1)j - I_(2)j) / H(factor j). I_(1)j and I_(2)j are the largest
    and second largest mutual information of a code with factor j, see `information_matrix`. H is
    the entropy.

    Range: [0, 1]. The number of bins limits the value: for a factor of 40 values and 20 bins it is
    at most ln 20 / ln 40 = .81. For identity codes of the five factors of `sprites` it is .90.

    Does not detect: a code that encodes several factors, and information that only several codes
    contain together. A monotone function of a code changes the MIG, because the bins have equal
    widths.

    Values: identity codes 1, rotated and duplicated ones 0, two factors of five values merged into
    one code .91, random codes about 0; docs/disentanglement.md has those of other metrics.

    Source: Chen et al., "Isolating sources of disentanglement in VAEs", 2018, equation 6, with the
    discretizer of disentanglement_lib (Locatello et al., 2019).

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        factors: int array (n, k). Known factors of each example.
        bins: int. Number of equal-width bins of each code.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=(2000, 3))
        >>> round(ki.evaluation.disentanglement.mig(factors.astype(float), factors), 2)
        1.0
    """
    codes, factors = check_arrays(codes, factors, least_codes=2)
    return mig_from_matrix(information_matrix(codes, factors, bins), factor_entropies(factors))


def mig_from_matrix(information: np.ndarray, entropies: np.ndarray) -> float:
    """Computes the MIG from a matrix of mutual informations; see `mig`.

    Args:
        information: float array (d, k). Mutual information of each code with each factor, in nats.
        entropies: float array (k,). Entropy of each factor, in nats.
    """
    ordered = np.sort(information, axis=0)
    return float(np.mean((ordered[-1] - ordered[-2]) / entropies))


def modularity(codes, factors, bins: int = 20) -> float:
    """Computes the modularity: 1 if each code has information about one factor only.

    Modularity = mean over codes i of 1 - sum_{j != b} I_ij^2 / ((k - 1) I_ib^2). I_ij is the mutual
    information of code i with factor j, see `information_matrix`, and b is the factor with the
    largest I_ij. A code without any information counts as 0.

    Range: [0, 1].

    Values: identity codes 1, pairs of factors rotated by 45 degrees 1 - 1 / (k - 1), two factors of
    five values merged into one code .77 (k = 4).

    Does not detect: how much is encoded, and by how many codes; duplicated codes have 1. Random
    codes score high, because small sampling errors of I are divided by each other.

    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss",
    2018, section 3, as in disentanglement_lib.

    Args:
        codes: float array (n, d). Representation of each example, such as posterior means.
        factors: int array (n, k), k at least 2. Known factors of each example.
        bins: int. Number of equal-width bins of each code.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
    """
    codes, factors = check_arrays(codes, factors, least_factors=2)
    return modularity_from_matrix(information_matrix(codes, factors, bins))


def modularity_from_matrix(information: np.ndarray) -> float:
    """Computes the modularity from a matrix of mutual informations; see `modularity`.

    Args:
        information: float array (d, k). Mutual information of each code with each factor, in nats.
    """
    squares = np.square(information)
    best = squares.max(axis=1)
    rest = squares.sum(axis=1) - best
    known = best > 0
    scores = np.where(known, 1 - rest / (np.where(known, best, 1) * (squares.shape[1] - 1)), 0)
    return float(scores.mean())
