"""InfoMEC: modularity, explicitness and compactness in units of information."""

from dataclasses import dataclass

import numpy as np
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    factor_entropies,
    iterations_as_defined,
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
    """Result of `infomec`: InfoM, InfoE and InfoC.

    Attributes:
        infom: float in [0, 1]. InfoModularity: 1 if each code has information about one factor
            only.
        infoe: float, at most 1. InfoExplicitness: 1 if the factors can be predicted linearly from
            all codes together.
        infoc: float in [0, 1]. InfoCompactness: 1 if each factor is encoded in one code only. NaN
            with a single active code.
        nmi: float array (d, k). Mutual information of each code with each factor, divided by the
            factor's entropy.
        active: bool array (d,). Codes that are not constant. Only these are used in InfoM and
            InfoC.

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
    """Computes InfoM, InfoE and InfoC, the recommended summary of disentanglement.

    InfoM (modularity) is 1 if each code has information about one factor only. InfoC (compactness)
    is 1 if each factor is encoded in one code only. InfoE (explicitness) is 1 if the factors can be
    predicted linearly from all codes.

    NMI_ij is I(code i; factor j) / H(factor j), the mutual information divided by the factor's
    entropy. Inactive (nearly constant) codes are left out of InfoM and InfoC; d' is the number of
    active codes and k the number of factors:

        InfoM = (mean over active i of max_j NMI_ij / sum_j NMI_ij - 1/k) / (1 - 1/k)
        InfoC = (mean over j of max_i NMI_ij / sum_i NMI_ij - 1/d') / (1 - 1/d')
        InfoE = mean over j of (H_0(factor j) - H_V(factor j | all codes)) / H_0(factor j)

    I is estimated by nearest neighbors for continuous codes (Ross, 2014; scikit-learn's
    `mutual_info_classif` with 10 neighbors), and by counts for discrete codes. H_V is the mean log
    loss of an unpenalized logistic regression with balanced classes on standardized or one-hot
    codes, fitted and scored on the same rows. H_0 is the log loss of the same regression without
    codes, ln K for K balanced values. A continuous code is inactive if its range is at most a
    twentieth of the largest range of a code. A discrete code is inactive if it is constant.

    Range: [0, 1]; InfoE may be slightly negative. In InfoM a code without any information counts as
    0. In InfoC a factor that no code has information about counts as 0.

    Values of InfoM and InfoC on a grid of four factors: identity codes 1 and 1, pairs rotated by
    45 degrees 1/3 and 1/3, duplicated codes 1 and 3/7, merged pairs 1/3 and 1. Random codes may
    have an InfoM near 1, because estimates near 0 are divided by each other; their InfoE is 0.

    Limits: InfoM ignores how much is encoded and duplicated codes. InfoC ignores codes that merge
    several factors. InfoE ignores rotations. Report the three together. InfoE is too large for few
    rows, because no rows are held out. Which codes are inactive depends on the scales of the codes.

    Source: Hsu et al., "Disentanglement via latent quantization", 2023, section 4.

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        factors: int array (n, k), k at least 2. Known factors of each example.
        discrete: bool. `True` for codes that are categories, such as the values of quantized
            latents. `False` for continuous codes.
        seed: int. Seed of the small noise (1e-10 of the codes' size) that breaks ties between equal
            codes.

    Returns:
        `InfoMEC` with the three scores.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
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
    """Computes the mutual information of each code with each factor, over the factor's entropy.

    Args:
        codes: array (n, d). Codes of the examples.
        factors: int array (n, k). Factors of the examples.
        discrete: bool. `True` for codes that are categories.
        seed: int. Seed of the estimator.

    Returns:
        float64 array (d, k). Values from 0, which is no information, to about 1.
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
    """Finds the active codes, which are not nearly constant.

    A continuous code is active if its range is above a twentieth of the largest range of a code. A
    discrete code is active if it is not constant.

    Args:
        codes: float array (n, d). Representation of each example.
        discrete: bool. `True` for codes that are categories.

    Returns:
        bool array (d,). `True` for an active code.
    """
    ranges = np.ptp(codes, axis=0)
    return ranges > (0 if discrete else ranges.max() / 20)


def infom(nmi: np.ndarray) -> float:
    """Computes InfoM, the modularity: 1 if each code has information about one factor only.

    The formula is in `infomec`. The result is between 0 and 1, and 0 without any active code.

    Args:
        nmi: float array (d', k). Mutual information of each of d' codes with each of k factors,
            divided by the factor's entropy. `normalized_information` computes it and leaves out
            inactive (nearly constant) codes.
    """
    return _concentration(nmi)


def infoc(nmi: np.ndarray) -> float:
    """Computes InfoC, the compactness: 1 if each factor is encoded in one code only.

    The formula is in `infomec`. The result is between 0 and 1, and 0 without any active code. It
    is NaN with a single active code, for which InfoC is not defined.

    Args:
        nmi: float array (d', k). Mutual information of each active code with each factor, divided
            by the factor's entropy; see `normalized_information`.
    """
    if len(nmi) == 0:
        return 0.0
    return _concentration(nmi.T) if len(nmi) > 1 else float("nan")


def infoe(codes: np.ndarray, factors: np.ndarray, discrete: bool = False) -> float:
    """Computes InfoE, the accuracy of a linear prediction of the factors; see `infomec`.

    Args:
        codes: float array (n, d). Representation of each example.
        factors: int array (n, k). Known factors of each example.
        discrete: bool. `True` for codes that are categories.
    """
    x = (OneHotEncoder() if discrete else StandardScaler()).fit_transform(codes)
    scores = []
    for factor in factors.T:
        # Balanced classes without codes: each of K values has probability 1 / K.
        null = np.log(len(np.unique(factor)))
        model = LogisticRegression(C=np.inf, class_weight="balanced")
        with iterations_as_defined():
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
