"""The semi-analytic MMD against adaptive quadrature over the distances from the prior's draws."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.integrate import quad
from scipy.stats import ncx2

from keras_infomodels.distributions import GaussianMixture, StandardNormal
from keras_infomodels.divergences import MMD

tfd = tfp.distributions
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def kernel_and_slope(kernel, d, scales):
    """k and dk/ds as functions of s = r^2."""
    if kernel == "inverse_multiquadric":
        c = 2 * d * np.array(scales or SCALES)
        return lambda s: np.mean(c / (c + s)), lambda s: -np.mean(c / (c + s) ** 2)
    rates = np.array([1 / d**2]) if kernel == "paper" else 0.5 / (d * np.array(scales or (1.0,)))
    return lambda s: np.mean(np.exp(-rates * s)), lambda s: -np.mean(rates * np.exp(-rates * s))


def expectation(f, d, squared_norm, variance=1.0):
    """E f(|x - y|^2) for y ~ N(0, v I) and d coordinates: v times a noncentral chi-square."""
    center = squared_norm / variance
    middle = np.sqrt(center + d)
    value, _ = quad(
        lambda root: f(variance * root**2) * 2 * root * ncx2.pdf(root**2, d, center),
        max(0, middle - 10),  # the root has a standard deviation of at most 1
        middle + 10,
        points=[middle],
        limit=500,
        epsabs=1e-12,
        epsrel=1e-6,
    )
    return value


CASES = [("inverse_multiquadric", scales) for scales in (None, [0.01], [0.1], [10.0])]


@pytest.mark.parametrize(
    "dimension", [*(pytest.param(d, marks=pytest.mark.slow) for d in (10, 64)), 1, 128]
)
@pytest.mark.parametrize(("kernel", "scales"), [*CASES, ("gaussian", None), ("paper", None)])
def test_mmd_semi_analytic_equals_adaptive_quadrature(kernel, scales, dimension):
    """At two points x and -x, whose own term is k(4 |x|^2) without rounding."""
    mmd = MMD(kernel, "semi_analytic", scales)
    k, slope = kernel_and_slope(kernel, dimension, scales)
    within_prior = expectation(k, dimension, 0.0, 2.0)
    for r in (0.0, 1.0, 3.0, 10.0):
        x, squared_norm = np.full(dimension, r), r**2 * dimension
        z = tf.constant(np.stack([x, -x]), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = mmd(z, None, None, None)
        cross = expectation(k, dimension, squared_norm)
        assert float(value) == pytest.approx(
            k(4 * squared_norm) + within_prior - 2 * cross, abs=1e-6
        )
        # d/d|x|^2 E k(|x - y|^2) = E k'(|x - w|^2), w with two coordinates more than y
        expected = -2 * expectation(slope, dimension + 2, squared_norm)
        pull = tape.gradient(value, z)[0, 0] - 4 * r * slope(4 * squared_norm)
        assert float(pull) == pytest.approx(r * expected, rel=1e-3, abs=1e-10)


@pytest.mark.parametrize(
    "dimension",
    [pytest.param(2, marks=pytest.mark.slow), 16, pytest.param(128, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("kernel", ["inverse_multiquadric", "gaussian", "paper"])
def test_mmd_semi_analytic_has_the_same_mean_and_less_noise(kernel, dimension):
    mean = np.full(dimension, 0.2, np.float32)
    k, _ = kernel_and_slope(kernel, dimension, None)
    closed = expectation(k, dimension, 0.0, 1.2) + expectation(k, dimension, 0.0, 2.0)
    closed -= 2 * expectation(k, dimension, 0.04 * dimension, 1.6)
    prior = StandardNormal(dimension).distribution()
    estimators = [MMD(kernel, estimator) for estimator in ("semi_analytic", "unbiased")]
    steps = [tf.function(estimator) for estimator in estimators]
    estimators[0].check(prior, dimension)
    estimates = np.array(
        [
            [
                step(mean + np.sqrt(0.6).astype("f") * z, None, prior, tf.constant([i, 3]))
                for step in steps
            ]
            for i in range(100)
            for z in [tf.random.stateless_normal((40, dimension), [i, 9])]
        ]
    )
    spread = estimates.std(axis=0, ddof=1)
    assert abs(estimates[:, 0].mean() - closed) < 5 * spread[0] / 10 + 1e-6
    assert spread[0] < spread[1]


@pytest.mark.parametrize(
    "prior",
    [
        GaussianMixture([[0.0, 0.0]], 1.0).distribution(),  # no closed form for mixtures
        GaussianMixture.ring().distribution(),
        tfd.MultivariateNormalDiag([5.0, 5.0], [1.0, 1.0]),
        tfd.MultivariateNormalDiag([0.0, 0.0], [2.0, 2.0]),
    ],
)
def test_mmd_semi_analytic_refuses_all_but_the_standard_normal(prior):
    mmd = MMD(estimator="semi_analytic")
    with pytest.raises(ValueError, match="standard normal"):
        mmd.check(prior, 2)
    with pytest.raises(ValueError, match="standard normal"):
        mmd(tf.zeros((4, 2)), None, prior, None)
    with pytest.raises(ValueError, match="standard normal"):
        tf.function(lambda z: mmd(z, None, prior, None))(tf.zeros((4, 2)))


def test_mmd_semi_analytic_knows_any_form_of_the_standard_normal():
    z = tf.random.stateless_normal((40, 2), [0, 1])
    mmd = MMD(estimator="semi_analytic")
    value = mmd(z, None, None, None)
    for make in (
        lambda: tfd.MultivariateNormalDiag(scale_diag=[1.0, 1.0]),
        lambda: tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2)),
        lambda: StandardNormal(2).distribution(),
    ):
        assert mmd(z, None, make(), None) == value
        traced = tf.function(lambda z, make=make: mmd(z, None, make(), None))
        assert float(traced(z)) == pytest.approx(float(value), abs=1e-7)


def test_mmd_semi_analytic_refuses_all_but_three_kernels():
    for kernel in ("gaussian_median", tfp.math.psd_kernels.ExponentiatedQuadratic()):
        with pytest.raises(ValueError, match="unbiased"):
            MMD(kernel, "semi_analytic")
