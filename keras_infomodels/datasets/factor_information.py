"""Mutual information of images and their factors, counted over all combinations."""

import hashlib
import itertools
from typing import Protocol

import numpy as np

from keras_infomodels.datasets.factor_space import Factors

__all__ = ["image_information"]

_MOST = 2_000_000
_CHUNK = 4096


class _Drawn(Protocol):
    factors: Factors

    def images(self, factors: np.ndarray) -> np.ndarray: ...


def image_information(drawn: _Drawn, **fixed: int) -> dict[str, float]:
    """Computes the exact mutual information of an image and each factor, in nats.

    I(image; factor) = H(factor) - H(factor | image) for uniformly distributed factors. The image of
    every combination is drawn. Equal images are found by 128-bit digests.

    Args:
        drawn: data set with the attribute `factors` and the method `images(factors)`.
        **fixed: int. Values of factors that are kept constant, by name.

    Returns:
        dict from the name of each factor that is not fixed to its information in nats.

    Raises:
        ValueError: If a factor or value is unknown, or there are more than two million
            combinations.
    """
    factors = drawn.factors
    factors.sample(1, **fixed)  # raises ValueError for unknown names and values
    pairs = zip(factors.names, factors.sizes, strict=True)
    values = [[fixed[name]] if name in fixed else range(size) for name, size in pairs]
    count = int(np.prod([len(v) for v in values], dtype=float))
    if count > _MOST:
        raise ValueError(
            f"{count} combinations are more than can be drawn, {_MOST}; fix some of the factors "
            f"{', '.join(factors.names)}, for example {factors.names[0]}=0."
        )
    rows = np.array(list(itertools.product(*values)), np.int64)
    numbers: dict[bytes, int] = {}
    image = np.empty(count, np.int64)
    for start in range(0, count, _CHUNK):
        for i, pixels in enumerate(drawn.images(rows[start : start + _CHUNK]), start):
            digest = hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16).digest()
            image[i] = numbers.setdefault(digest, len(numbers))
    return {
        name: _entropy(column) + _entropy(image) - _entropy(image * size + column)
        for name, size, column in zip(factors.names, factors.sizes, rows.T, strict=True)
        if name not in fixed
    }


def _entropy(numbers: np.ndarray) -> float:
    counts = np.unique(numbers, return_counts=True)[1]
    return float(np.log(len(numbers)) - (counts * np.log(counts)).sum() / len(numbers))
