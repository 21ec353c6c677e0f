"""Evaluation of trained models: likelihood, latent space, clustering, samples, and the audit."""

from keras_infomodels.evaluation import disentanglement
from keras_infomodels.evaluation.audit_pictures import audit_picture, information_plane
from keras_infomodels.evaluation.audit_result import Audit
from keras_infomodels.evaluation.auditing import audit
from keras_infomodels.evaluation.clustering import (
    ClusteringScore,
    clustering_error,
    contingency_table,
)
from keras_infomodels.evaluation.latent import LatentStatistics, latent_statistics
from keras_infomodels.evaluation.likelihood import log_likelihood
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.evaluation.samples import frechet_distance
from keras_infomodels.evaluation.selection import UDR, udr
from keras_infomodels.evaluation.soundness import (
    ReconstructionCheck,
    SampleCheck,
    check_reconstructions,
    check_samples,
    fit_features,
    kernel_distance,
    model_checks,
)
from keras_infomodels.evaluation.table_audit import audit_codes

__all__ = [
    "UDR",
    "Audit",
    "ClusteringScore",
    "LatentStatistics",
    "ReconstructionCheck",
    "SampleCheck",
    "audit",
    "audit_codes",
    "audit_picture",
    "check_reconstructions",
    "check_samples",
    "clustering_error",
    "contingency_table",
    "disentanglement",
    "fit_features",
    "fit_posterior",
    "frechet_distance",
    "information_plane",
    "kernel_distance",
    "latent_statistics",
    "log_likelihood",
    "model_checks",
    "udr",
]
