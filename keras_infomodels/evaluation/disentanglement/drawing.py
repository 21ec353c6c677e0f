"""Batches of examples that share a factor, from arrays of rows or from any factors."""

from collections.abc import Callable, Iterator

import numpy as np

from keras_infomodels.evaluation.disentanglement.arrays import check_arrays

__all__ = ["FactorDraws", "RowDraws", "draws_of"]

_CHUNK = 512
"""Batches whose codes are held at a time."""


def draws_of(codes, factors, seed: int) -> "RowDraws | FactorDraws":
    """Creates an object that draws batches, from a function or from arrays.

    Raises:
        ValueError: If a function is given with an array, an array with sizes, or arrays of other
            shapes.
    """
    if callable(codes) != hasattr(factors, "sizes"):
        raise ValueError(
            "Give arrays of codes (n, d) and factors (n, k), or a function from factors to codes "
            f"and a datasets.Factors; got {type(codes).__name__} and {type(factors).__name__}."
        )
    if callable(codes):
        return FactorDraws(codes, factors.sizes, seed)
    return RowDraws(codes, factors, seed)


class FactorDraws:
    """Draws of all combinations of factors, in the order of disentanglement_lib.

    Args:
        represent: function from int factors (m, k) to codes (m, d).
        sizes: sequence of int. Number of values of each factor.
        seed: int. Seed of the draws.
    """

    def __init__(self, represent: Callable[[np.ndarray], np.ndarray], sizes, seed: int):
        self._represent = represent
        self._sizes = tuple(sizes)
        self._random = np.random.RandomState(seed)
        self.factors = len(self._sizes)

    def sample(self, count: int) -> np.ndarray:
        """Returns the codes (count, d) of independent examples."""
        return self._codes(self._draw(count)[None])[0]

    def groups(self, count: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields batches that share the value of a fixed factor.

        Each item has the indices of the fixed factors (m,), and the codes (m, size, d).
        """
        for chunk in _chunks(count):
            fixed = np.empty(chunk, np.int64)
            rows = np.empty((chunk, size, self.factors), np.int64)
            for i in range(chunk):
                fixed[i] = self._random.randint(self.factors)
                rows[i] = self._draw(size)
                rows[i, :, fixed[i]] = rows[i, 0, fixed[i]]
            yield fixed, self._codes(rows)

    def pairs(self, count: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields pairs of examples that share the value of a fixed factor.

        Each item has the indices of the fixed factors (m,), and the codes (m, size, d) of the first
        and of the second members.
        """
        for chunk in _chunks(count):
            fixed = np.empty(chunk, np.int64)
            rows = np.empty((2, chunk, size, self.factors), np.int64)
            for i in range(chunk):
                fixed[i] = self._random.randint(self.factors)
                rows[0, i], rows[1, i] = self._draw(size), self._draw(size)
                rows[1, i, :, fixed[i]] = rows[0, i, :, fixed[i]]
            yield fixed, self._codes(rows[0]), self._codes(rows[1])

    def _draw(self, count: int) -> np.ndarray:
        columns = [self._random.randint(size, size=count) for size in self._sizes]
        return np.stack(columns, axis=1)

    def _codes(self, rows: np.ndarray) -> np.ndarray:
        codes = np.asarray(self._represent(rows.reshape(-1, self.factors)))
        return codes.reshape(*rows.shape[:-1], -1)


class RowDraws:
    """Draws of rows of given arrays, with repetition.

    Args:
        codes: float array (n, d). Representation of each example, such as posterior means.
        factors: int array (n, k). Known factors of each example.
        seed: int. Seed of the draws.
    """

    def __init__(self, codes: np.ndarray, factors: np.ndarray, seed: int):
        self._rows, table = check_arrays(codes, factors)
        self._random = np.random.default_rng(seed)
        self.factors = table.shape[1]
        # Rows in the order of each factor's values, and where each row's value begins and ends.
        self._order = np.argsort(table, axis=0, kind="stable")
        ordered = np.take_along_axis(table, self._order, axis=0)
        pairs = [
            (np.searchsorted(a, b), np.searchsorted(a, b, "right"))
            for a, b in zip(ordered.T, table.T, strict=True)
        ]
        self._starts, self._ends = (np.stack(p, axis=1) for p in zip(*pairs, strict=True))

    def sample(self, count: int) -> np.ndarray:
        """Returns the codes (n, d) of all rows; `count` is ignored."""
        return self._rows

    def groups(self, count: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields batches that share the value of a fixed factor.

        Each item has the indices of the fixed factors (m,), and the codes (m, size, d).
        """
        for chunk in _chunks(count):
            fixed = self._random.integers(self.factors, size=chunk)
            first = self._random.integers(len(self._rows), size=chunk)
            rows = self._alike(np.repeat(first[:, None], size, axis=1), fixed[:, None])
            yield fixed, self._rows[rows]

    def pairs(self, count: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields pairs of examples that share the value of a fixed factor.

        Each item has the indices of the fixed factors (m,), and the codes (m, size, d) of the first
        and of the second members.
        """
        for chunk in _chunks(count):
            fixed = self._random.integers(self.factors, size=chunk)
            first = self._random.integers(len(self._rows), size=(chunk, size))
            yield fixed, self._rows[first], self._rows[self._alike(first, fixed[:, None])]

    def _alike(self, rows: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        """For each row a random one with the same value of the fixed factor."""
        start, end = self._starts[rows, fixed], self._ends[rows, fixed]
        place = start + (self._random.random(rows.shape) * (end - start)).astype(np.int64)
        return self._order[place, fixed]


def _chunks(count: int) -> list[int]:
    return [min(_CHUNK, count - start) for start in range(0, count, _CHUNK)]
