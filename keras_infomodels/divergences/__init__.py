"""Divergences D(q(z), p(z)) between the aggregated posterior and the prior.

The aggregated posterior q(z) is the distribution of the latents z of all images together.
"""

from collections.abc import Mapping

from keras_infomodels.divergences.adversarial import Adversarial, TotalCorrelation
from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.divergences.kernels import (
    KERNELS,
    gaussian,
    gaussian_mixture,
    inverse_multiquadric,
    kernel_sum,
    median_squared_distance,
    paper,
    squared_distances,
)
from keras_infomodels.divergences.marginal_kl import MarginalKL
from keras_infomodels.divergences.minibatch_total_correlation import MinibatchTotalCorrelation
from keras_infomodels.divergences.mmd import MMD
from keras_infomodels.divergences.partwise import Partwise
from keras_infomodels.divergences.sliced_wasserstein import SlicedWasserstein
from keras_infomodels.divergences.stein import Stein
from keras_infomodels.names import guess

DIVERGENCES = {
    "mmd": MMD,
    "sliced_wasserstein": SlicedWasserstein,
    "marginal_kl": MarginalKL,
    "stein": Stein,
    "minibatch_total_correlation": MinibatchTotalCorrelation,
}
"""Names of divergences in models and recipes; `Adversarial` and `TotalCorrelation` have no name, as
they need a discriminator.
"""


def divergence(
    name_or_object: str | Mapping[str, Divergence] | Divergence | None,
) -> Divergence | None:
    """Creates a divergence from its name.

    Args:
        name_or_object: str, dict, `Divergence` or None. A key of `DIVERGENCES`, such as "mmd", or a
            dict {"category", "z"} of two `Adversarial` (see `Partwise`). A `Divergence` or None is
            returned unchanged.

    Raises:
        ValueError: If the name is unknown.

    Example:
        mmd = ki.divergences.divergence("mmd")
    """
    if isinstance(name_or_object, Mapping):
        return Partwise.from_mapping(name_or_object)
    if name_or_object is None or isinstance(name_or_object, Divergence):
        return name_or_object
    if not isinstance(name_or_object, str) or name_or_object not in DIVERGENCES:
        raise ValueError(
            f"divergence is None, an object or one of {', '.join(DIVERGENCES)}; got "
            f"{name_or_object!r}.{guess(name_or_object, DIVERGENCES)}"
        )
    return DIVERGENCES[name_or_object]()


__all__ = [
    "DIVERGENCES",
    "KERNELS",
    "MMD",
    "Adversarial",
    "Divergence",
    "MarginalKL",
    "MinibatchTotalCorrelation",
    "Partwise",
    "SlicedWasserstein",
    "Stein",
    "TotalCorrelation",
    "divergence",
    "gaussian",
    "gaussian_mixture",
    "inverse_multiquadric",
    "kernel_sum",
    "median_squared_distance",
    "paper",
    "squared_distances",
]
