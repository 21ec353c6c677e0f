import math

import numpy as np
import oracles
import pytest

from keras_infomodels.information import GaussianJoint, LinearGaussian, gaussian_channel


def covariance(d, seed=0):
    factor = np.random.default_rng(seed).normal(size=(d, d))
    return factor @ factor.T + 0.1 * np.eye(d)


def test_information_of_two_gaussians():
    joint = GaussianJoint([[4.0, 3.0], [3.0, 4.0]], ["x", "y"])
    assert joint.mutual_information("x", "y").nats == pytest.approx(-0.5 * math.log(1 - 0.75**2))
    assert joint.entropy("x").nats == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 4))
    # y given x is N(., 4 - 9/4).
    given = joint.entropy("y", given="x").nats
    assert given == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 1.75))
    assert GaussianJoint([[1e-4]], ["x"]).entropy("x").nats < 0


def test_blocks_and_conditional_information():
    s = covariance(6)
    joint = GaussianJoint(s, {"x": 2, "y": 3, "z": 1})
    det = lambda *i: np.linalg.slogdet(s[np.ix_(i, i)])[1]  # noqa: E731
    expected = 0.5 * (det(0, 1) + det(2, 3, 4) - det(0, 1, 2, 3, 4))
    assert joint.mutual_information("x", "y").nats == pytest.approx(expected, abs=1e-9)
    # Given z: the same formula on the conditional covariance.
    c = s[:5, :5] - np.outer(s[:5, 5], s[:5, 5]) / s[5, 5]
    det = lambda *i: np.linalg.slogdet(c[np.ix_(i, i)])[1]  # noqa: E731
    expected = 0.5 * (det(0, 1) + det(2, 3, 4) - det(0, 1, 2, 3, 4))
    assert joint.mutual_information("x", "y", given="z").nats == pytest.approx(expected, abs=1e-9)
    assert sum(joint.atoms().values()) == pytest.approx(
        joint.entropy(("x", "y", "z")).nats, abs=1e-9
    )


def test_the_linear_gaussian_channel():
    sx, s, a = covariance(4), covariance(2, 1), np.random.default_rng(2).normal(size=(2, 4))
    information = gaussian_channel(a, sx, s)
    model = LinearGaussian(sx, a, np.zeros(2), s, a.T, np.zeros(4), 1.0)
    assert information.nats == pytest.approx(model.mutual_information(), abs=1e-9)
    expected = oracles.linear_gaussian(sx, a, np.zeros(2), s, a.T, np.zeros(4), 1.0)
    assert information.nats == pytest.approx(expected["mutual_information"], abs=1e-9)
    joint = np.block([[sx, sx @ a.T], [a @ sx, a @ sx @ a.T + s]])
    joint = GaussianJoint(joint, {"x": 4, "z": 2})
    assert information.nats == pytest.approx(joint.mutual_information("x", "z").nats, abs=1e-9)


def test_what_is_no_covariance_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        GaussianJoint(np.ones((2, 2)), ["x", "y"])
    with pytest.raises(ValueError, match="symmetric"):
        GaussianJoint([[1, 0.5], [0, 1]], ["x", "y"])
    with pytest.raises(ValueError, match="shape"):
        GaussianJoint(np.eye(2), ["x"])
    with pytest.raises(ValueError, match="infinite"):
        gaussian_channel(np.eye(2), np.eye(2), np.diag([1.0, 0.0]))
