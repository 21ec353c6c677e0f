"""Measuring trained models: likelihood, the latent space, clustering, samples."""

from keras_infomodels.evaluation.audit_pictures import audit_picture, information_plane
from keras_infomodels.evaluation.auditing import Audit, audit, audit_codes
from keras_infomodels.evaluation.clustering import (
    ClusteringScore,
    clustering_error,
    contingency_table,
)
from keras_infomodels.evaluation.latent import LatentStatistics, latent_statistics
from keras_infomodels.evaluation.likelihood import log_likelihood
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.evaluation.samples import frechet_distance

__all__ = [
    "Audit",
    "ClusteringScore",
    "LatentStatistics",
    "audit",
    "audit_codes",
    "audit_picture",
    "clustering_error",
    "contingency_table",
    "fit_posterior",
    "frechet_distance",
    "information_plane",
    "latent_statistics",
    "log_likelihood",
]
