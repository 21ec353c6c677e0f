"""Entropy and mutual information: closed forms and estimates. Knows no model; all in nats."""

from keras_infomodels.information.aggregate import (
    aggregated_log_prob,
    aggregated_mutual_information,
    dimension_wise_kl,
    marginal_kl,
    mixture_log_prob,
    total_correlation,
)
from keras_infomodels.information.estimate import Estimate, category_information, discrete_entropy
from keras_infomodels.information.linear_gaussian import LinearGaussian

__all__ = [
    "Estimate",
    "LinearGaussian",
    "aggregated_log_prob",
    "aggregated_mutual_information",
    "category_information",
    "dimension_wise_kl",
    "discrete_entropy",
    "marginal_kl",
    "mixture_log_prob",
    "total_correlation",
]
