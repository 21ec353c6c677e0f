"""Divergences D(q(z), p(z)) between the aggregated posterior and the prior."""

from keras_infomodels.divergences.kernels import (
    KERNELS,
    gaussian,
    inverse_multiquadric,
    kernel_sum,
    paper,
    squared_distances,
)
from keras_infomodels.divergences.mmd import MMD

DIVERGENCES = {"mmd": MMD}
"""Names that models and recipes take."""


def divergence(name_or_object):
    """The divergence of that name (a key of `DIVERGENCES`); an object is passed through."""
    if not isinstance(name_or_object, str):
        return name_or_object
    if name_or_object not in DIVERGENCES:
        raise ValueError(
            f"divergence is None or one of {', '.join(DIVERGENCES)}; got {name_or_object!r}."
        )
    return DIVERGENCES[name_or_object]()


__all__ = [
    "DIVERGENCES",
    "KERNELS",
    "MMD",
    "divergence",
    "gaussian",
    "inverse_multiquadric",
    "kernel_sum",
    "paper",
    "squared_distances",
]
