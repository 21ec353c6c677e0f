import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from keras_infomodels.evaluation.disentanglement.arrays import discretize
from keras_infomodels.evaluation.disentanglement.unsupervised import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    unsupervised_scores,
)

EQUAL = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
"""Eigenvalues 1/2, 1/2 and 2."""


def test_gaussian_total_correlation_by_hand():
    assert gaussian_total_correlation(EQUAL) == pytest.approx(-0.5 * np.log(0.5))
    scales = np.array([1.0, 10.0, 0.1])
    scaled = EQUAL * np.outer(scales, scales)
    assert gaussian_total_correlation(scaled) == pytest.approx(-0.5 * np.log(0.5))
    assert gaussian_total_correlation(np.diag(scales)) == pytest.approx(0)
    assert gaussian_total_correlation(np.ones((2, 2))) == np.inf


def test_gaussian_wasserstein_correlation_by_hand():
    expected = 6 - 2 * (2 * np.sqrt(0.5) + np.sqrt(2))
    assert gaussian_wasserstein_correlation(EQUAL) == pytest.approx(expected)
    # tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)) of the 2x2 matrix D^1/2 S D^1/2.
    uneven = np.array([[4.0, 1.0], [1.0, 1.0]])
    expected = 10 - 2 * np.sqrt(17 + 2 * np.sqrt(12))
    assert gaussian_wasserstein_correlation(uneven) == pytest.approx(expected)
    assert gaussian_wasserstein_correlation(np.diag([3.0, 0.2])) == pytest.approx(0)
    assert gaussian_wasserstein_correlation(np.ones((2, 2))) == pytest.approx(4 - 2 * np.sqrt(2))


def test_unsupervised_scores_of_samples():
    codes = np.random.default_rng(0).multivariate_normal(np.zeros(3), EQUAL, 400)
    found = unsupervised_scores(codes)
    covariance = np.cov(codes.T)
    assert found.gaussian_total_correlation == gaussian_total_correlation(covariance)
    norm = gaussian_wasserstein_correlation(covariance) / np.trace(covariance)
    assert found.gaussian_wasserstein_correlation_norm == pytest.approx(norm)
    binned = discretize(codes).T
    pairs = [mutual_info_score(binned[i], binned[j]) for i, j in [(0, 1), (0, 2), (1, 2)]]
    assert found.mutual_info_score == pytest.approx(np.mean(pairs))
    constant = unsupervised_scores(np.hstack([codes[:, :1], np.zeros((400, 1))]))
    assert constant.gaussian_total_correlation == constant.mutual_info_score == 0
    with pytest.raises(ValueError, match="at least 2"):
        unsupervised_scores(codes[:, :1])
