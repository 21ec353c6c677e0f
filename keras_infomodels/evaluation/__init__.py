"""Evaluation of trained models: likelihood, latent space, clustering, samples, and the audit."""

from keras_infomodels.evaluation import disentanglement
from keras_infomodels.evaluation.audit_pictures import audit_picture, information_plane
from keras_infomodels.evaluation.audit_result import Audit
from keras_infomodels.evaluation.auditing import audit
from keras_infomodels.evaluation.centrality import (
    Centrality,
    centrality_scores,
    model_centrality,
)
from keras_infomodels.evaluation.clustering import (
    ClusteringScore,
    clustering_error,
    contingency_table,
)
from keras_infomodels.evaluation.latent import LatentStatistics, latent_statistics
from keras_infomodels.evaluation.latent_information import LatentInformation, latent_information
from keras_infomodels.evaluation.likelihood import log_likelihood
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.evaluation.run_selection import RunScores, RunSelection, select_runs
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
from keras_infomodels.models.latent_sources import LatentSource, latent_source

__all__ = [
    "UDR",
    "Audit",
    "Centrality",
    "ClusteringScore",
    "LatentInformation",
    "LatentSource",
    "LatentStatistics",
    "ReconstructionCheck",
    "RunScores",
    "RunSelection",
    "SampleCheck",
    "audit",
    "audit_codes",
    "audit_picture",
    "centrality_scores",
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
    "latent_information",
    "latent_source",
    "latent_statistics",
    "log_likelihood",
    "model_centrality",
    "model_checks",
    "select_runs",
    "udr",
]
