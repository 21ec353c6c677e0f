"""Functions that all metrics share: checks, held-out rows, binned codes and their information."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mutual_info_score

__all__ = [
    "Held",
    "check_arrays",
    "discretize",
    "factor_entropies",
    "information_matrix",
    "iterations_as_defined",
    "split_rows",
]

Held = tuple[np.ndarray, np.ndarray]
"""Codes and factors of held-out rows."""


def check_arrays(codes, factors, least_codes: int = 1, least_factors: int = 1) -> Held:
    """Checks codes (n, d) and factors (n, k), and returns them as arrays.

    Codes keep their floating-point type, because bin edges are computed in this type. Factors
    become int64.

    Raises:
        ValueError: If shapes or types differ, codes are NaN or infinite, there are fewer codes or
            factors than the metric needs, or a factor has a single value.
    """
    codes, factors = np.asarray(codes), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            "Codes are (n, d) and factors (n, k), one example a row and at least two rows; got "
            f"{codes.shape} and {factors.shape}."
        )
    if codes.dtype.kind not in "fiub" or not np.isfinite(codes).all():
        raise ValueError(
            f"Codes are finite real numbers, got {codes.dtype} with NaN, infinite values or none "
            "that are numbers; remove such rows first."
        )
    if factors.dtype.kind not in "iub" and not (
        factors.dtype.kind == "f" and (factors == np.round(factors)).all()
    ):
        raise ValueError(
            f"Factors are integers, got {factors.dtype}; number their values from 0, for example "
            "with np.unique(column, return_inverse=True)."
        )
    if codes.shape[1] < least_codes or factors.shape[1] < least_factors:
        raise ValueError(
            f"This metric needs at least {least_codes} codes and {least_factors} factors; got "
            f"{codes.shape[1]} and {factors.shape[1]}."
        )
    constant = np.flatnonzero((factors == factors[0]).all(axis=0))
    if len(constant):
        raise ValueError(
            f"Factor {constant[0]} has a single value in these rows, so no code can have "
            "information about it; leave out that column."
        )
    codes = codes if codes.dtype.kind == "f" else codes.astype(np.float64)
    return codes, factors.astype(np.int64)


def split_rows(
    codes, factors, test: Held | None, seed: int, least_codes: int = 1, least_factors: int = 1
) -> tuple[Held, Held]:
    """Splits rows into a part to fit on and a part to score on, each (codes, factors).

    Args:
        codes, factors: arrays (n, d) and (n, k). One example in each row.
        test: pair of arrays. Codes and factors to score on. `None` holds out a random third of the
            rows.
        seed: int. Seed of the random choice of rows.
        least_codes, least_factors: int. Smallest allowed d and k.

    Raises:
        ValueError: If the arrays are not allowed, see `check_arrays`, or `test` has another d or k.
    """
    codes, factors = check_arrays(codes, factors, least_codes, least_factors)
    if test is None:
        order = np.random.default_rng(seed).permutation(len(codes))
        held, kept = order[: len(order) // 3], order[len(order) // 3 :]
        # Fitting needs two values of each factor in the rows that are kept.
        check_arrays(codes[kept], factors[kept])
        return (codes[kept], factors[kept]), (codes[held], factors[held])
    test_codes, test_factors = map(np.asarray, test)
    if (
        test_codes.shape[1:] != codes.shape[1:]
        or test_factors.shape[1:] != factors.shape[1:]
        or len(test_codes) != len(test_factors)
    ):
        raise ValueError(
            f"Test arrays have the columns of the others, {codes.shape[1]} codes and "
            f"{factors.shape[1]} factors; got {test_codes.shape} and {test_factors.shape}."
        )
    return (codes, factors), (test_codes, test_factors.astype(np.int64))


@contextmanager
def iterations_as_defined() -> Iterator[None]:
    """Context manager that silences scikit-learn's warnings about fits that do not converge.

    The number of iterations is part of a metric's definition. For separable values there is no
    finite optimum.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def discretize(values: np.ndarray, bins: int = 20) -> np.ndarray:
    """Replaces each column by the indices of equal-width bins between its extremes.

    This is `np.digitize(x, np.histogram(x, bins)[1][:-1])`, the discretizer of disentanglement_lib.

    Args:
        values: array (n, d). Each column is binned by itself.
        bins: int. Number of bins.

    Returns:
        int64 array (n, d), with values from 1 to `bins`.
    """
    columns = [np.digitize(x, np.histogram(x, bins)[1][:-1]) for x in np.asarray(values).T]
    return np.stack(columns, axis=1).astype(np.int64)


def information_matrix(codes, factors, bins: int = 20) -> np.ndarray:
    """Estimates the mutual information of each binned code with each factor, in nats.

    The plug-in estimate of n rows is biased upwards by about (bins - 1) (K - 1) / (2 n) for a
    factor of K values. It is at most ln(bins), and at most the factor's entropy.

    Args:
        codes: float array (n, d). Representation of each example, such as posterior means.
        factors: int array (n, k). Known factors of each example.
        bins: int. Number of equal-width bins of each code.

    Returns:
        float64 array (d, k), in nats.
    """
    codes, factors = check_arrays(codes, factors)
    return pairwise_information(discretize(codes, bins), factors)


def pairwise_information(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Estimates the mutual information of the columns of two int arrays, (d, k), in nats."""
    first, second = _number(a), _number(b)
    return np.array([[_information(x, y) for y in second] for x in first])


def factor_entropies(factors: np.ndarray) -> np.ndarray:
    """Computes the entropy of the observed values of each factor.

    Args:
        factors: int array (n, k). Known factors of each example.

    Returns:
        float64 array (k,), in nats.
    """
    counts = [np.unique(column, return_counts=True)[1] for column in np.asarray(factors).T]
    shares = [c / c.sum() for c in counts]
    return np.array([-(p * np.log(p)).sum() for p in shares])


def _number(columns: np.ndarray) -> list[np.ndarray]:
    return [np.unique(column, return_inverse=True)[1].ravel() for column in columns.T]


def _information(x: np.ndarray, y: np.ndarray) -> float:
    width = y.max() + 1
    table = np.bincount(x * width + y, minlength=(x.max() + 1) * width).reshape(-1, width)
    return mutual_info_score(None, None, contingency=table)
