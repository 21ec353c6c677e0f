"""NumPy generators for orders, splits and noise."""

import numpy as np

__all__ = ["generator"]

_SALT = 0x696E666F


def generator(seed: int, stream: int = 0) -> np.random.Generator:
    """Creates a generator that shares no numbers with `np.random.default_rng(seed)`.

    Data are often drawn with the seed that an estimator has by default. Noise or an order from the
    same numbers would depend on the data, and add information.

    Args:
        seed: int. Seed of the caller.
        stream: int. Number of the use; each use has one of its own.
    """
    return np.random.default_rng([seed, stream, _SALT])
