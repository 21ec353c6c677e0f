"""Fréchet distance: moments that are set exactly, so that the answer is a formula."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from keras_infomodels.evaluation import frechet_distance


def features(mean, covariance, n=500, seed=0) -> np.ndarray:
    """Rows whose sample mean and covariance are exactly those given."""
    x = np.random.default_rng(seed).normal(size=(n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x.T)))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_diagonal_covariances_adds_up_by_axis():
    a = features([0.0, 1.0, 2.0], np.diag([4.0, 1.0, 9.0]))
    b = features([3.0, 1.0, 0.0], np.diag([1.0, 1.0, 0.25]), n=300, seed=1)
    expected = (9 + 0 + 4) + (2 - 1) ** 2 + 0 + (3 - 0.5) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute():
    one = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, 0.3], [0.0, 0.3, 0.5]])
    two = np.array([[1.0, -0.4, 0.2], [-0.4, 3.0, 0.0], [0.2, 0.0, 0.7]])
    expected = np.trace(one + two - 2 * sqrtm(one @ two).real)
    zero = np.zeros(3)
    assert expected > 0.5
    assert frechet_distance(features(zero, one), features(zero, two)) == pytest.approx(expected)


def test_frechet_distance_of_a_set_and_itself_is_zero():
    a = np.hstack([features([1.0, -1.0], np.eye(2)), np.full((500, 1), 7.0)])
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + np.array([0.0, 0.0, 2.0])) == pytest.approx(4, rel=1e-6)


def test_frechet_distance_of_one_feature():
    assert frechet_distance(features([0.0], np.eye(1)), features([1.0], 4 * np.eye(1))) == (
        pytest.approx(2)
    )


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((5, 2)), np.zeros((5, 3)), "got"),
        (np.zeros((1, 2)), np.zeros((5, 2)), "at least 2"),
        (np.zeros((5, 2, 1)), np.zeros((5, 2)), "got"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "NaN"),
    ],
)
def test_frechet_distance_refuses_what_is_no_pair_of_features(a, b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)
