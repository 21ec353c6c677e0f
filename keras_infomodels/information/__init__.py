"""Entropy and mutual information: closed forms, bounds and estimators. Knows no model; in nats.

What needs no TensorFlow loads none.
"""

import importlib

_CONTENTS = {
    "aggregate": (
        "AggregatedPosterior",
        "aggregated_log_prob",
        "aggregated_mutual_information",
        "dimension_wise_kl",
        "fitted_marginal_bound",
        "marginal_kl",
        "mixture_log_prob",
        "mutual_information_bounds",
        "total_correlation",
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
_HOMES = {name: module for module, names in _CONTENTS.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _CONTENTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
