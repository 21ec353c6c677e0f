import math

import numpy as np
import oracles
import pytest

from keras_infomodels.information import GaussianJoint, LinearGaussian, gaussian_channel


def covariance(d, seed=0):
    factor = np.random.default_rng(seed).normal(size=(d, d))
    return factor @ factor.T + 0.1 * np.eye(d)


def test_gaussian_joint_information_and_entropy_of_two():
    joint = GaussianJoint([[4.0, 3.0], [3.0, 4.0]], ["x", "y"])
    assert joint.mutual_information("x", "y").nats == pytest.approx(-0.5 * math.log(1 - 0.75**2))
    assert joint.entropy("x").nats == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 4))
    # y given x is N(., 4 - 9/4).
    given = joint.entropy("y", given="x").nats
    assert given == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 1.75))
    assert GaussianJoint([[1e-4]], ["x"]).entropy("x").nats < 0


def test_gaussian_joint_blocks_and_conditional_information():
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


def test_gaussian_channel_equals_the_linear_gaussian():
    sx, s, a = covariance(4), covariance(2, 1), np.random.default_rng(2).normal(size=(2, 4))
    information = gaussian_channel(a, sx, s)
    model = LinearGaussian(sx, a, np.zeros(2), s, a.T, np.zeros(4), 1.0)
    assert information.nats == pytest.approx(model.mutual_information(), abs=1e-9)
    expected = oracles.linear_gaussian(sx, a, np.zeros(2), s, a.T, np.zeros(4), 1.0)
    assert information.nats == pytest.approx(expected["mutual_information"], abs=1e-9)
    joint = np.block([[sx, sx @ a.T], [a @ sx, a @ sx @ a.T + s]])
    joint = GaussianJoint(joint, {"x": 4, "z": 2})
    assert information.nats == pytest.approx(joint.mutual_information("x", "z").nats, abs=1e-9)


@pytest.mark.parametrize("unit", [1e-10, 1.0, 1e10])
def test_gaussian_joint_and_gaussian_channel_bear_bad_scaling(unit):
    r = 1 - 1e-12
    scale = np.array([1.0, unit])
    joint = GaussianJoint(np.array([[1, r], [r, 1]]) * np.outer(scale, scale), ["x", "y"])
    # 1 - r^2 = 2e-12 has four digits in float64, and fewer after the scaling.
    expected = -0.5 * math.log((1 - r) * (1 + r))
    assert joint.mutual_information("x", "y").nats == pytest.approx(expected, abs=1e-3)
    joint = GaussianJoint(np.array([[1, 0.6], [0.6, 1]]) * np.outer(scale, scale), ["x", "y"])
    assert joint.mutual_information("x", "y").nats == pytest.approx(-0.5 * math.log(0.64))
    expected = 0.5 * math.log(2 * math.pi * math.e * unit**2)
    assert joint.entropy("y").nats == pytest.approx(expected)
    channel = gaussian_channel(scale[:, None], [[3.0]], np.diag(scale**2))
    assert channel.nats == pytest.approx(0.5 * math.log(1 + 2 * 3))


def test_gaussian_joint_refuses_what_is_no_covariance():
    with pytest.raises(ValueError, match="infinite"):
        GaussianJoint(np.ones((2, 2)), ["x", "y"])
    with pytest.raises(ValueError, match="symmetric"):
        GaussianJoint([[1, 0.5], [0, 1]], ["x", "y"])
    with pytest.raises(ValueError, match="shape"):
        GaussianJoint(np.eye(2), ["x"])
    with pytest.raises(ValueError, match=r"entries \(0, 1\) and \(1, 0\) are 5e-13 and 0"):
        GaussianJoint([[1e-12, 5e-13], [0, 1e-12]], ["x", "y"])
    with pytest.raises(ValueError, match="holds NaN"):
        GaussianJoint([[1, math.nan], [math.nan, 1]], ["x", "y"])
    with pytest.raises(ValueError, match="negative eigenvalue -1"):
        GaussianJoint([[1, 2], [2, 1]], ["x", "y"])
    # The sum of the others, but for rounding.
    a = np.array([[1.0, 0], [0.1, 1], [1.1, 1]])
    with pytest.raises(ValueError, match="infinite"):
        GaussianJoint(a @ a.T, ["x", "y", "z"])


def test_gaussian_channel_refuses_what_is_no_channel():
    one = np.eye(2)
    with pytest.raises(ValueError, match="noise is degenerate"):
        gaussian_channel(one, one, np.diag([1.0, 0.0]))
    with pytest.raises(ValueError, match="noise covariance is no covariance"):
        gaussian_channel(one, one, -one)
    with pytest.raises(ValueError, match="input covariance is no covariance"):
        gaussian_channel(one, -one, 2 * one)
    with pytest.raises(ValueError, match="noise covariance is not symmetric"):
        gaussian_channel(one, one, [[1, 0.5], [0, 1]])
    with pytest.raises(ValueError, match=r"noise covariance of shape \(1, 1\)"):
        gaussian_channel(np.ones((1, 2)), one, one)
    with pytest.raises(ValueError, match=r"of shape \(k, d\)"):
        gaussian_channel(np.ones(2), one, one)
    # A degenerate input is a channel: only one of two inputs moves.
    degenerate = gaussian_channel(one, np.diag([3.0, 0.0]), one)
    assert degenerate.nats == pytest.approx(0.5 * math.log(4))
