"""Entropy and mutual information: closed forms and estimates. Knows no model; all in nats."""

from keras_infomodels.information.aggregate import (
    aggregated_log_prob,
    aggregated_mutual_information,
)
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.linear_gaussian import LinearGaussian

__all__ = [
    "Estimate",
    "LinearGaussian",
    "aggregated_log_prob",
    "aggregated_mutual_information",
]
