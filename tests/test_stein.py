import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.distributions import GaussianMixture, StandardNormal
from keras_infomodels.divergences import MarginalKL, Stein

D = 4


discrepancy = tf.function(
    lambda z: Stein().discrepancy(z, StandardNormal(z.shape[1]).distribution())
)
direction = tf.function(lambda z: Stein().direction(z, StandardNormal(z.shape[1]).distribution()))


def draws(n, mean=0.0, variance=1.0, seed=1, d=D):
    return mean + np.sqrt(variance).astype("f") * tf.random.stateless_normal((n, d), [seed, 0])


# The kernel's l^2 is d, so that one dimension alone would not tell it from a constant.
@pytest.mark.parametrize("d", [2, 9])
@pytest.mark.parametrize(("mean", "variance"), [(0.7, 1.0), (0.0, 0.4), (0.0, 2.0), (0.0, 1.0)])
def test_stein_discrepancy_equals_the_closed_form(mean, variance, d):
    shifted = d * mean**2 * (1 + 2 / d) ** (-d / 2)
    a = 1 + 2 * variance / d
    scaled = (1 / variance - 1) ** 2 * (d * variance / 2) * (1 - 1 / a) * a ** (-d / 2)
    # E_q of the Stein kernel for N(0, vI) has the score difference (1/v - 1) z.
    estimates = [float(discrepancy(draws(400, mean, variance, seed, d))) for seed in range(20)]
    expected = shifted if mean else scaled
    error = np.std(estimates, ddof=1) / np.sqrt(20)
    assert abs(np.mean(estimates) - expected) < 4 * error
    if expected:
        assert error < 0.1 * expected


def test_discrepancy_of_two_encodings_by_hand():
    """(0, 0) and (2, 0): l^2 = 2, k = 1/e, s = -z, and 0 - 4/2 + 2/2 - 4/4 = -2."""
    z = tf.constant([[0.0, 0.0], [2.0, 0.0]])
    value = Stein().discrepancy(z, StandardNormal(2).distribution())
    assert float(value) == pytest.approx(-2 / np.e, rel=1e-5)


@pytest.mark.parametrize("d", [2, 9])
def test_stein_direction_equals_the_closed_form(d):
    """phi(z) = -m E_q k(., z) for q = N(m, I), by Stein's identity."""
    m = 0.6
    z = draws(5000, m, d=d)
    phi = Stein().direction(z, StandardNormal(d).distribution()).numpy()[:200]
    squared = np.sum((z.numpy()[:200] - m) ** 2, axis=1)
    expected = -m * (1 + 1 / d) ** (-d / 2) * np.exp(-squared / (2 * (1 + d)))
    np.testing.assert_allclose(phi, np.tile(expected[:, None], d), atol=0.05)


def test_stein_gradient_is_the_direction_and_value_the_discrepancy():
    z = tf.Variable(draws(50, 0.5))
    prior = StandardNormal(D).distribution()
    with tf.GradientTape() as tape:
        value = Stein()(z, None, prior, None)
    np.testing.assert_allclose(value, Stein().discrepancy(z.value(), prior), rtol=1e-5)
    phi = Stein().direction(z.value(), prior)
    np.testing.assert_allclose(tape.gradient(value, z), -phi / 50, atol=1e-6)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_stein_in_a_graph_equals_eager(jit):
    prior, z = StandardNormal(D).distribution(), draws(50, 0.5)

    def value_and_gradient(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = Stein()(z, None, prior, None)
        return value, tape.gradient(value, z)

    graph = tf.function(value_and_gradient, jit_compile=jit)(z)
    for ours, theirs in zip(graph, value_and_gradient(z), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_stein_does_not_move_a_single_encoding():
    """Without others to keep it off it would fall to the prior's mode."""
    z = tf.Variable(draws(1, 0.5))
    with tf.GradientTape() as tape:
        value = Stein()(z, None, StandardNormal(D).distribution(), None)
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, z), np.zeros((1, D)))


@pytest.mark.parametrize("divergence", [Stein(), MarginalKL()])
def test_stein_and_marginal_kl_of_float64_equal_float32(divergence):
    from keras_infomodels.distributions import posterior

    prior, z = StandardNormal(D).distribution(), draws(20, 0.5)
    q = posterior({"loc": z + 0.1, "scale": tf.fill((20, D), 0.7)})
    wide = divergence(tf.cast(z, tf.float64), q, prior, None)
    assert wide.dtype == tf.float64
    assert float(wide) == pytest.approx(float(divergence(z, q, prior, None)), rel=1e-4)


def test_stein_direction_leads_to_the_prior():
    z = tf.Variable(draws(200, 1.5, 0.2))
    for _ in range(150):
        z.assign_add(direction(z.value()))
    np.testing.assert_allclose(tf.reduce_mean(z, 0), np.zeros(D), atol=0.1)
    np.testing.assert_allclose(tf.math.reduce_variance(z, 0), np.ones(D), atol=0.25)


def test_stein_discrepancy_takes_any_prior_with_a_density():
    prior = GaussianMixture([[1.0] * D, [-1.0] * D], 0.5).distribution()
    z = prior.sample(2000, seed=[1, 2])
    assert abs(float(Stein().discrepancy(z, prior))) < 0.05
    assert float(Stein().discrepancy(draws(500), prior)) > 1


@pytest.mark.parametrize(("mean", "scale"), [(0.5, 0.9), (-1.0, 0.8)])
def test_marginal_kl_of_a_gaussian_channel(mean, scale):
    """q(z) = N(m, 1): the batch's mixture is tight where I_q = -d ln s is far below ln n."""
    from keras_infomodels.distributions import posterior

    n, prior = 3000, StandardNormal(D).distribution()
    loc = mean + np.sqrt(1 - scale**2).astype("f") * tf.random.stateless_normal((n, D), [2, 2])
    q = posterior({"loc": loc, "scale": tf.fill((n, D), scale)})
    z = tf.Variable(q.sample(seed=[3, 3]))
    with tf.GradientTape() as tape:
        value = MarginalKL()(z, q, prior, None)
    assert float(value) == pytest.approx(D * mean**2 / 2, abs=0.06)
    assert np.isfinite(tape.gradient(value, z)).all()


@pytest.mark.parametrize("name", ["z", "loc", "scale"])
def test_marginal_kl_gradient_equals_finite_differences(name):
    """By z at a fixed mixture, and by the mixture at fixed z: training moves both."""
    from keras_infomodels.distributions import posterior

    prior = StandardNormal(D).distribution()
    values = {"z": draws(6, 0.3), "loc": draws(6, 0.5, seed=2), "scale": tf.fill((6, D), 0.7)}

    def value(**changes):
        now = values | changes
        q = posterior({"loc": now["loc"], "scale": now["scale"]})
        return MarginalKL()(now["z"], q, prior, None)

    with tf.GradientTape() as tape:
        tape.watch(values[name])
        total = value()
    gradient = tape.gradient(total, values[name]).numpy()
    assert np.abs(gradient).max() > 1e-2
    for index in np.ndindex(2, D):
        step = np.zeros((6, D), np.float32)
        step[index] = 1e-2
        difference = value(**{name: values[name] + step}) - value(**{name: values[name] - step})
        assert gradient[index] == pytest.approx(float(difference) / 2e-2, abs=2e-3)
