"""Scores of the dependence between codes, without known factors."""

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
    """Result of `unsupervised_scores`: dependence between codes, 0 for independent codes.

    Attributes:
        gaussian_total_correlation: float. Total correlation of a Gaussian with the codes'
            covariance, in nats.
        gaussian_wasserstein_correlation: float. Squared Wasserstein distance of this Gaussian from
            the product of its marginal distributions, in squared units of the codes.
        gaussian_wasserstein_correlation_norm: float. The previous value divided by the total
            variance of the codes, in [0, 2].
        mutual_info_score: float. Mean mutual information of pairs of binned codes, in nats.

    Example:
        codes = np.random.default_rng(0).normal(size=(2000, 2))
        ki.evaluation.disentanglement.unsupervised_scores(codes)
    """

    gaussian_total_correlation: float
    gaussian_wasserstein_correlation: float
    gaussian_wasserstein_correlation_norm: float
    mutual_info_score: float


def unsupervised_scores(codes, bins: int = 20) -> UnsupervisedScores:
    """Measures the dependence between codes, without known factors.

    Does not detect: what the codes mean. Random independent codes have 0, the best value. All
    scores except `mutual_info_score` use only the covariance. Posterior means can be dependent
    although samples of the latents are independent, so state which of them you pass.

    Source: Locatello et al., "Challenging common assumptions in the unsupervised learning of
    disentangled representations", 2019, appendix C; Xiao and Wang, "Disentangled representation
    learning with Wasserstein total correlation", 2019.

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        bins: int. Number of equal-width bins of each code, for `mutual_info_score`.

    Returns:
        `UnsupervisedScores`.

    Raises:
        ValueError: If `codes` has another shape, or NaN or infinite values.

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
    """Computes the total correlation of N(0, S), (sum_i ln S_ii - ln det S) / 2, in nats.

    S is the covariance of the codes. The value is 0 for a diagonal S, and infinite if a code is a
    linear function of others. Scaling the codes does not change it; rotations do.

    Args:
        covariance: float array (d, d). Covariance S of the codes. Constant codes, whose row is 0,
            are left out.
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
    """Computes the squared Wasserstein distance of N(0, S) from N(0, D), with D = diag(S).

    The value is 2 tr S - 2 tr (D^1/2 S D^1/2)^1/2. It is 0 for a diagonal S, and always finite.

    Args:
        covariance: float array (d, d). Covariance S of the codes.
    """
    covariance = np.asarray(covariance, np.float64)
    scale = np.sqrt(np.diag(covariance))
    # The matrix D S of disentanglement_lib has the eigenvalues of this symmetric one, whose root
    # also exists where S is singular.
    eigenvalues = np.linalg.eigvalsh(scale[:, None] * covariance * scale)
    root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    return float(2 * np.trace(covariance) - 2 * root)
