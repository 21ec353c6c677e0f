"""InfoMEC: modularity, explicitness and compactness in units of information."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    factor_entropies,
    pairwise_information,
)

__all__ = [
    "InfoMEC",
    "active_codes",
    "infoc",
    "infoe",
    "infom",
    "infomec",
    "normalized_information",
]

_NEIGHBORS = 10


@dataclass(frozen=True)
class InfoMEC:
    """InfoM, InfoE, InfoC, and what they are made of.

    Attributes:
        infom: float in [0, 1]. InfoModularity: each code has information on one factor alone.
        infoe: float, at most 1. InfoExplicitness: all codes tell the factors, linearly.
        infoc: float in [0, 1]. InfoCompactness: each factor is in one code alone. NaN with a single
            active code.
        nmi: float (d, k). I(code; factor) / H(factor).
        active: bool (d,). Codes that InfoM and InfoC take.

    Example:
        codes = np.random.default_rng(0).normal(size=(300, 2))
        factors = (codes > 0).astype(int)
        ki.evaluation.disentanglement.infomec(codes, factors)
    """

    infom: float
    infoe: float
    infoc: float
    nmi: np.ndarray
    active: np.ndarray


def infomec(codes, factors, discrete: bool = False, seed: int = 0) -> InfoMEC:
    """InfoM, InfoE and InfoC: the recommended summary of disentanglement.

    With NMI_ij = I(code i; factor j) / H(factor j), inactive codes left out, and d' active codes:

        InfoM = (mean over active i of max_j NMI_ij / sum_j NMI_ij - 1/k) / (1 - 1/k)
        InfoC = (mean over j of max_i NMI_ij / sum_i NMI_ij - 1/d') / (1 - 1/d')
        InfoE = mean over j of (H_0(factor j) - H_V(factor j | all codes)) / H_0(factor j)

    Estimators: I by nearest neighbors (Ross, 2014; scikit-learn's `mutual_info_classif` with 10
    neighbors) for continuous codes, by counts for discrete ones. H_V is the mean log loss of an
    unpenalized logistic regression with balanced classes on standardized or one-hot codes, fitted
    and scored on the same rows; H_0 is that of the same regression without codes, ln K for K
    balanced values. A code is inactive where its range is at most a twentieth of the largest range;
    discrete codes, where it is constant.

    Range: [0, 1], but for InfoE, which may be slightly negative. A code without any information
    counts as 0 in InfoM, as does a factor that no code knows in InfoC.

    Values of InfoM and InfoC on a grid of four factors: identity codes 1 and 1, pairs rotated by
    45 degrees 1/3 and 1/3, duplicated codes 1 and 3/7, merged pairs 1/3 and 1. Random codes may
    have an InfoM near 1, because estimates near 0 are divided by each other; their InfoE is 0.

    Blind to: InfoM to how much is known, and to duplicated codes; InfoC to merged ones; InfoE to
    rotations. Report the three together. InfoE is optimistic for few rows, since nothing is held
    out. Pruning depends on the codes' scales.

    Source: Hsu et al., "Disentanglement via latent quantization", 2023, section 4.

    Args:
        codes: float (n, d), d of at least 2.
        factors: integers (n, k), k of at least 2.
        discrete: bool. Whether codes are categories, such as the values of quantized latents.
        seed: int. Seed of the noise that breaks ties between equal codes (1e-10 of their size).

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    codes, factors = check_arrays(codes, factors, 2, 2)
    nmi = normalized_information(codes, factors, discrete, seed)
    active = active_codes(codes, discrete)
    return InfoMEC(
        infom(nmi[active]), infoe(codes, factors, discrete), infoc(nmi[active]), nmi, active
    )


def normalized_information(
    codes: np.ndarray, factors: np.ndarray, discrete: bool = False, seed: int = 0
) -> np.ndarray:
    """Computes I(code; factor) / H(factor) of `infomec`.

    Args:
        codes: array (n, d). Codes of the examples.
        factors: int array (n, k). Factors of the examples.
        discrete: bool. `True` for codes that are categories.
        seed: int. Seed of the estimator.

    Returns:
        float64 (d, k).
    """
    entropies = factor_entropies(factors)
    if discrete:
        return pairwise_information(codes, factors) / entropies
    standardized = StandardScaler().fit_transform(codes)
    columns = [
        mutual_info_classif(
            standardized,
            factor,
            discrete_features=False,
            n_neighbors=_NEIGHBORS,
            random_state=seed,
        )
        for factor in factors.T
    ]
    return np.stack(columns, axis=1) / entropies


def active_codes(codes: np.ndarray, discrete: bool = False) -> np.ndarray:
    """Codes whose range is above a twentieth of the largest range, bool (d,).

    Of discrete codes, those that are not constant.
    """
    ranges = np.ptp(codes, axis=0)
    return ranges > (0 if discrete else ranges.max() / 20)


def infom(nmi: np.ndarray) -> float:
    """InfoM of the normalized information of active codes, (d', k); 0 without any active code."""
    return _concentration(nmi)


def infoc(nmi: np.ndarray) -> float:
    """InfoC of the normalized information of active codes, (d', k).

    It is 0 without any active code and NaN with a single one, where it is not defined.
    """
    if len(nmi) == 0:
        return 0.0
    return _concentration(nmi.T) if len(nmi) > 1 else float("nan")


def infoe(codes: np.ndarray, factors: np.ndarray, discrete: bool = False) -> float:
    """InfoE of all codes: see `infomec`."""
    x = (OneHotEncoder() if discrete else StandardScaler()).fit_transform(codes)
    scores = []
    for factor in factors.T:
        # Balanced classes without codes: each of K values has probability 1 / K.
        null = np.log(len(np.unique(factor)))
        model = LogisticRegression(C=np.inf, class_weight="balanced")
        with warnings.catch_warnings():
            # Separable values have no finite optimum; 100 iterations are the definition.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, factor)
        scores.append(1 - log_loss(factor, model.predict_proba(x), labels=model.classes_) / null)
    return float(np.mean(scores))


def _concentration(rows: np.ndarray) -> float:
    """Mean share of the largest entry of each row, from 0 for equal entries to 1 for a single."""
    if len(rows) == 0:
        return 0.0
    length = rows.shape[1]
    total = rows.sum(axis=1)
    share = np.where(total > 0, rows.max(axis=1) / np.where(total > 0, total, 1), 1 / length)
    return float((share.mean() - 1 / length) / (1 - 1 / length))
