"""Measuring trained models: likelihood, the latent space, clustering."""

from keras_infomodels.evaluation.clustering import (
    ClusteringScore,
    clustering_error,
    contingency_table,
)
from keras_infomodels.evaluation.latent import LatentStatistics, latent_statistics
from keras_infomodels.evaluation.likelihood import log_likelihood
from keras_infomodels.evaluation.recognition import fit_posterior

__all__ = [
    "ClusteringScore",
    "LatentStatistics",
    "clustering_error",
    "contingency_table",
    "fit_posterior",
    "latent_statistics",
    "log_likelihood",
]
