"""Disentanglement metrics: how well single codes correspond to single known factors.

Codes are the representation of an example, such as the posterior mean of a VAE's latents. Factors
are known properties, such as hue or position, as integers. Each metric is a function of codes (n,
d) and factors (n, k), with one example in each row. `report` measures all of them. Definitions are
those of disentanglement_lib (Locatello et al., 2019) and of InfoMEC (Hsu et al., 2023), which is
the recommended summary.
"""

from keras_infomodels.evaluation.disentanglement.arrays import (
    discretize,
    factor_entropies,
    information_matrix,
)
from keras_infomodels.evaluation.disentanglement.binned import (
    mig,
    mig_from_matrix,
    modularity,
    modularity_from_matrix,
)
from keras_infomodels.evaluation.disentanglement.infomec import (
    InfoMEC,
    active_codes,
    infoc,
    infoe,
    infom,
    infomec,
    normalized_information,
)
from keras_infomodels.evaluation.disentanglement.interventions import (
    BetaVAEScore,
    FactorVAEScore,
    beta_vae_score,
    factor_vae_score,
    factor_vae_votes,
    irs,
    irs_matrix,
)
from keras_infomodels.evaluation.disentanglement.predictors import (
    DCI,
    completeness,
    dci,
    disentanglement,
    explicitness,
    sap,
    sap_from_matrix,
    sap_matrix,
)
from keras_infomodels.evaluation.disentanglement.reporting import (
    METRICS,
    DisentanglementReport,
    Score,
    report,
)
from keras_infomodels.evaluation.disentanglement.unsupervised import (
    UnsupervisedScores,
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    unsupervised_scores,
)

__all__ = [
    "DCI",
    "METRICS",
    "BetaVAEScore",
    "DisentanglementReport",
    "FactorVAEScore",
    "InfoMEC",
    "Score",
    "UnsupervisedScores",
    "active_codes",
    "beta_vae_score",
    "completeness",
    "dci",
    "discretize",
    "disentanglement",
    "explicitness",
    "factor_entropies",
    "factor_vae_score",
    "factor_vae_votes",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "infoc",
    "infoe",
    "infom",
    "infomec",
    "information_matrix",
    "irs",
    "irs_matrix",
    "mig",
    "mig_from_matrix",
    "modularity",
    "modularity_from_matrix",
    "normalized_information",
    "report",
    "sap",
    "sap_from_matrix",
    "sap_matrix",
    "unsupervised_scores",
]
