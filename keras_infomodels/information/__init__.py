"""Entropy and mutual information: closed forms, bounds and estimators, in nats.

The functions take arrays or tensors, not models. TensorFlow is imported only by names that need it.
"""

import importlib
import warnings

_CONTENTS = {
    "aggregate": (
        "AggregatedPosterior",
        "fitted_marginal_bound",
        "mixture_log_prob",
        "mutual_information_bounds",
    ),
    "bounds": (),
    "capacity": ("Capacity", "blahut_arimoto", "im_alternation"),
    "copula": ("NormalScores", "copula_information", "gaussian_information", "normal_scores"),
    "critics": (
        "BilinearCritic",
        "ConcatenatedCritic",
        "ConvolutionalCritic",
        "SeparableCritic",
    ),
    "diagram": ("information_diagram",),
    "discrete": (
        "JointTable",
        "ShuffleNull",
        "grassberger",
        "miller_madow",
        "plug_in",
        "shuffle_null",
    ),
    "estimate": ("Estimate", "category_information", "discrete_entropy", "mean_estimate"),
    "files": (
        "InformationTable",
        "format_table",
        "information_table",
        "measured_joint",
        "parse_names",
        "print_table",
        "read_columns",
    ),
    "gaussian": ("GaussianJoint", "gaussian_channel"),
    "joint": ("Joint", "MeasuredJoint"),
    "linear_gaussian": ("LinearGaussian",),
    "marginals": ("mixture_marginal_log_prob",),
    "mutual_information": ("MutualInformation",),
    "neighbors": ("ksg", "mixed_ksg", "nearest_neighbor_entropy"),
    "settings": ("NeuralSettings",),
}
_FORMER = {
    "aggregated_log_prob": "log_prob",
    "aggregated_mutual_information": "lower_bound",
    "dimension_wise_kl": "dimension_wise_kl",
    "marginal_kl": "marginal_kl",
    "total_correlation": "total_correlation",
}
"""Functions of (z, loc, scale) in version 0.1 -> attributes of `AggregatedPosterior`."""

_HOMES = {name: module for module, names in _CONTENTS.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _CONTENTS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _FORMER:
        return _former(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _former(name: str):
    method = _FORMER[name]
    warnings.warn(
        f"information.{name} will be removed in version 0.3; write "
        "AggregatedPosterior(z, loc, scale)."
        f"{method}(...).",
        DeprecationWarning,
        stacklevel=3,
    )
    posterior = __getattr__("AggregatedPosterior")

    def former(z, loc, scale, *more):
        answer = getattr(posterior(z, loc, scale), method)
        return answer(*more) if callable(answer) else answer

    return former


def __dir__() -> list[str]:
    return __all__
