"""Factors of variation of a data set: names, sizes and numbered combinations."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_infomodels.names import guess
from keras_infomodels.tf_data import untuned

__all__ = ["Factors", "pair_with_factors"]


@dataclass(frozen=True)
class Factors:
    """Names and sizes of the discrete factors of a data set.

    A factor is a property of images, such as "hue". A combination is a row of k integers, one for
    each factor, from 0 to the factor's size - 1. All combinations have an index, in the order of
    `itertools.product`: the last factor changes fastest.

    Attributes:
        names: tuple of str. Name of each of the k factors.
        sizes: tuple of int. Number of values of each factor.

    Example:
        >>> factors = ki.datasets.Factors(("hue", "shape"), (10, 4))
        >>> factors.combination(13).tolist()
        [3, 1]
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self):
        if len(self.names) != len(self.sizes) or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"Each factor has one name and one size; got the names {self.names} and the "
                f"sizes {self.sizes}."
            )
        if min(self.sizes, default=0) < 1:
            raise ValueError(f"Factors have at least one value each, got the sizes {self.sizes}.")

    @property
    def count(self) -> int:
        """Number of all combinations of factor values, the product of the sizes."""
        return math.prod(self.sizes)

    def index(self, combinations: np.ndarray) -> np.ndarray:
        """Returns the index of each combination, int64 array (...).

        Args:
            combinations: int array (..., k). Values of the k factors.

        Raises:
            ValueError: If the last axis has another length, or a value is out of range.
        """
        return np.ravel_multi_index(
            tuple(np.moveaxis(self.check(combinations), -1, 0)), self.sizes
        ).astype(np.int64)

    def combination(self, index: np.ndarray) -> np.ndarray:
        """Returns the combination of each index, the inverse of `index`.

        Args:
            index: int array (...). Indices from 0 to `count` - 1.

        Returns:
            int64 array (..., k). Values of the k factors.
        """
        return np.stack(np.unravel_index(index, self.sizes), axis=-1).astype(np.int64)

    def sample(self, count: int, seed: int = 0, **fixed: int) -> np.ndarray:
        """Draws random combinations of factor values, uniformly and with repetition.

        Args:
            count: int. Number n of combinations.
            seed: int. Seed of the draws.
            **fixed: int. Values of factors that are kept constant, by name.

        Returns:
            int64 array (n, k). Values of the k factors, from 0 to the factor's size - 1.

        Raises:
            ValueError: If a factor is unknown, or a value is out of range.
        """
        if unknown := set(fixed) - set(self.names):
            raise ValueError(
                f"The factors are {', '.join(self.names)}; got {sorted(unknown)}."
                f"{guess(min(unknown), self.names)}"
            )
        drawn = np.random.default_rng(seed).integers(self.sizes, size=(count, len(self.sizes)))
        for name, value in fixed.items():
            drawn[:, self.names.index(name)] = value
        return self.check(drawn)

    def check(self, combinations: np.ndarray) -> np.ndarray:
        """Checks combinations of factor values and returns them as int64 (..., k).

        Args:
            combinations: int array (..., k). Values of the k factors.

        Raises:
            ValueError: If the last axis has another length, or a value is out of range.
        """
        array = np.asarray(combinations)
        if array.dtype.kind not in "iu" or array.ndim < 1 or array.shape[-1] != len(self.sizes):
            raise ValueError(
                f"Factors are integers (n, {len(self.sizes)}) of {', '.join(self.names)}; got "
                f"{array.dtype} of shape {array.shape}."
            )
        wrong = ((array < 0) | (array >= self.sizes)).reshape(-1, len(self.sizes)).any(axis=0)
        if wrong.any():
            column = int(np.argmax(wrong))
            values = array[..., column]
            raise ValueError(
                f"{self.names[column]} is from 0 to {self.sizes[column] - 1}, got values from "
                f"{values.min()} to {values.max()}."
            )
        return array.astype(np.int64)


def pair_with_factors(rows: tf.data.Dataset, factors: np.ndarray) -> tf.data.Dataset:
    """Replaces the row indices in pairs (images, row indices) by the factors of these rows.

    Args:
        rows: dataset of `pipeline.from_arrays` with the labels np.arange(n).
        factors: int array (n, k).

    Returns:
        Dataset of pairs with int32 factors (batch, k), in the same order.
    """
    table = tf.constant(factors, tf.int32)
    pairs = untuned(rows.map(lambda images, row: (images, tf.gather(table, row))))
    digest = hashlib.sha256(memoryview(table.numpy())).hexdigest()
    pairs.epoch = rows.epoch
    pairs.fingerprint = lambda: rows.fingerprint() | {"factors": digest}
    return pairs
