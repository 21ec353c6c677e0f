"""NumPy generators for orders, splits and noise."""

import numpy as np

__all__ = ["generator"]

_SALT = 0x696E666F


def generator(seed: int, stream: int = 0) -> np.random.Generator:
    """Creates a generator whose numbers differ from those of `np.random.default_rng(seed)`.

    Users often draw their data with the same seed as the estimator's. Noise from the same random
    numbers would depend on the data, and an estimator would find false information.

    Args:
        seed: int. Seed of the caller.
        stream: int. Number of the stream. Use another one for each purpose.
    """
    return np.random.default_rng([seed, stream, _SALT])
