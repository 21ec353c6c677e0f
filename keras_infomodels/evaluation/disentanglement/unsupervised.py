"""Scores of the dependence between codes, which need no factors."""

from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.disentanglement.arrays import discretize, pairwise_information

__all__ = [
    "UnsupervisedScores",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "unsupervised_scores",
]


@dataclass(frozen=True)
class UnsupervisedScores:
    """Dependence between codes; 0 is none in each.

    Attributes:
        gaussian_total_correlation: float. Total correlation of a Gaussian with the codes'
            covariance, in nats.
        gaussian_wasserstein_correlation: float. Squared Wasserstein distance of that Gaussian from
            the product of its marginals, in squared units of the codes.
        gaussian_wasserstein_correlation_norm: float. The same divided by the codes' total variance,
            in [0, 2].
        mutual_info_score: float. Mean mutual information of two binned codes, in nats.

    Example:
        codes = np.random.default_rng(0).normal(size=(2000, 2))
        ki.evaluation.disentanglement.unsupervised_scores(codes)
    """

    gaussian_total_correlation: float
    gaussian_wasserstein_correlation: float
    gaussian_wasserstein_correlation_norm: float
    mutual_info_score: float


def unsupervised_scores(codes, bins: int = 20) -> UnsupervisedScores:
    """Measures the dependence between codes without factors.

    Blind to: what codes mean (random independent codes have 0, the best value), and, but for the
    mutual-information score, all dependence beyond the covariance. Posterior means may depend on
    each other although samples of the aggregated posterior do not, so state which are given.

    Source: Locatello et al., "Challenging common assumptions in the unsupervised learning of
    disentangled representations", 2019, appendix C; Xiao and Wang, "Disentangled representation
    learning with Wasserstein total correlation", 2019.

    Args:
        codes: float (n, d), d of at least 2.
        bins: int. Number of equal-width bins of each code, for the mutual-information score.

    Raises:
        ValueError: another shape, or NaN or infinite values.

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(5000, 3))
        >>> round(ki.evaluation.disentanglement.unsupervised_scores(codes).mutual_info_score, 2)
        0.03
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] < 2 or len(codes) < 2 or not np.isfinite(codes).all():
        raise ValueError(
            f"Codes are finite and (n, d), with n and d of at least 2; got {codes.shape}."
        )
    covariance = np.cov(codes.T)
    wasserstein = gaussian_wasserstein_correlation(covariance)
    binned = discretize(codes, bins)
    information = pairwise_information(binned, binned)
    d = codes.shape[1]
    total = np.trace(covariance)
    return UnsupervisedScores(
        gaussian_total_correlation(covariance),
        wasserstein,
        wasserstein / total if total > 0 else 0.0,
        float((information.sum() - np.trace(information)) / (d * d - d)),
    )


def gaussian_total_correlation(covariance: np.ndarray) -> float:
    """Total correlation of N(0, S): (sum_i ln S_ii - ln det S) / 2, in nats.

    It is 0 for a diagonal S, infinite for codes that are linear functions of others, unchanged
    when codes are scaled, and changed by rotations.

    Args:
        covariance: float (d, d). Constant codes, whose row is 0, are left out.
    """
    covariance = np.asarray(covariance, np.float64)
    varying = np.diag(covariance) > 0
    covariance = covariance[np.ix_(varying, varying)]
    scale = np.sqrt(np.diag(covariance))
    # Where rounding alone keeps the determinant from 0, its logarithm would be arbitrary.
    rounding = 4 * len(scale) * np.finfo(np.float64).eps
    if np.linalg.eigvalsh(covariance / np.outer(scale, scale)).min(initial=1) <= rounding:
        return float("inf")
    log_det = np.linalg.slogdet(covariance)[1]
    return float(0.5 * (np.log(np.diag(covariance)).sum() - log_det))


def gaussian_wasserstein_correlation(covariance: np.ndarray) -> float:
    """Squared Wasserstein distance of N(0, S) from N(0, D), D = diag(S).

    It is 2 tr S - 2 tr (D^1/2 S D^1/2)^1/2: 0 for a diagonal S and finite for every other one.

    Args:
        covariance: float (d, d).
    """
    covariance = np.asarray(covariance, np.float64)
    scale = np.sqrt(np.diag(covariance))
    # The matrix D S of disentanglement_lib has the eigenvalues of this symmetric one, whose root
    # also exists where S is singular.
    eigenvalues = np.linalg.eigvalsh(scale[:, None] * covariance * scale)
    root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    return float(2 * np.trace(covariance) - 2 * root)
