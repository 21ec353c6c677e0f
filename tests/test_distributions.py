import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, stats

from keras_infomodels import distributions
from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.distributions import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    StandardNormal,
    rate,
)

tfd = tfp.distributions
rng = np.random.default_rng(0)
logits = rng.normal(size=(5, 4, 4, 1)).astype(np.float32)


def test_bernoulli_log_prob_is_summed_over_pixels():
    x = rng.integers(0, 2, size=logits.shape).astype(np.float32)
    expected = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum((1, 2, 3))
    actual = Bernoulli().distribution({"logits": logits}).log_prob(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.1, np.float64(0.1), np.float32(0.5), 1, None])
def test_gaussian_log_prob_has_its_half_and_its_normalizer(sigma):
    x, loc = rng.normal(size=(2, 5, 4, 4, 1)).astype(np.float32)
    scale = np.full_like(loc, 0.3) if sigma is None else sigma
    likelihood = Gaussian(sigma)
    parameters = {"loc": loc, "scale": scale} if sigma is None else {"loc": loc}
    expected = -np.sum(
        0.5 * ((x - loc) / scale) ** 2 + 0.5 * np.log(2 * np.pi * np.square(scale)), axis=(1, 2, 3)
    )
    actual = likelihood.distribution(parameters).log_prob(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    assert likelihood.parameters == tuple(parameters)


@pytest.mark.parametrize("logit", [-30.0, -3.0, -0.5, 1e-3, 0.0, 0.09, 0.11, 2.0, 30.0])
def test_continuous_bernoulli_is_a_density_with_that_mean(logit):
    likelihood = ContinuousBernoulli()
    parameters = {"logits": tf.constant([[logit]])}
    density = likelihood.distribution(parameters)
    # By definition p(x) is proportional to exp(x logit).
    total, _ = integrate.quad(lambda x: np.exp(x * logit), 0, 1)
    moment, _ = integrate.quad(lambda x: x * np.exp(x * logit), 0, 1)
    for x in (0.1, 0.9):
        expected = x * logit - np.log(total)
        np.testing.assert_allclose(density.log_prob([[x]])[0], expected, atol=1e-5)
    np.testing.assert_allclose(likelihood.mean(parameters)[0, 0], moment / total, atol=1e-5)


def test_bernoulli_observe_stochastic_has_the_grey_image_as_mean():
    x = tf.constant(rng.uniform(size=(1, 4, 4, 1)), tf.float32)
    likelihood = Bernoulli("stochastic")
    draws = tf.stack([likelihood.observe(x, tf.constant([i, 0])) for i in range(2000)])
    assert set(np.unique(draws)) == {0.0, 1.0}
    np.testing.assert_allclose(tf.reduce_mean(draws, 0), x, atol=0.05)
    np.testing.assert_array_equal(likelihood.observe(x, None), x)


def test_bernoulli_observe_threshold_needs_no_seed():
    x = tf.constant([[0.0, 0.49, 0.5, 1.0]])
    np.testing.assert_array_equal(Bernoulli("threshold").observe(x, None), [[0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("likelihood", "x", "what"),
    [
        ("bernoulli", [0.5], "bernoulli_stochastic"),
        ("bernoulli_stochastic", [0.0, 255.0], "x / 255"),
        ("bernoulli_threshold", [0.0, 1.05], "np.clip"),
        ("continuous_bernoulli", [-1.0], r"\[0, 1\]"),
        ("gaussian", [np.nan], "NaN"),
        ("bernoulli_stochastic", [np.nan], "NaN"),
    ],
)
def test_likelihood_support_refuses_other_pixels(likelihood, x, what):
    pixels = Pixels(distributions.likelihood(likelihood).support)
    with pytest.raises(ValueError, match=what):
        pixels.check(np.array(x))
    pixels.check(np.array([0.0, 1.0 + 2.4e-7]))  # as keras.layers.Resizing makes of 1


def test_likelihood_lists_the_known_names_for_an_unknown_one():
    with pytest.raises(ValueError, match="continuous_bernoulli"):
        distributions.likelihood("poisson")
    with pytest.raises(ValueError, match="stochastic"):
        Bernoulli("dynamic")
    with pytest.raises(ValueError, match="positive"):
        Gaussian(0.0)


def test_rate_is_the_kl_with_its_half():
    # KL(N(e, I) || N(0, I)) = k e^2 / 2 for a mean of e in each of k dimensions.
    posterior = distributions.posterior({"loc": tf.fill((1, 6), 0.3), "scale": tf.ones((1, 6))})
    prior = StandardNormal(6).distribution()
    np.testing.assert_allclose(rate(posterior, prior, posterior.mean()), [6 * 0.09 / 2], rtol=1e-5)


def test_rate_of_a_posterior_of_another_width_is_not_the_reverse_kl():
    """KL(N(0, 4) || N(0, 1)) = (4 - 1 - ln 4) / 2 = 0.807; the reverse is 0.318."""
    posterior = distributions.posterior({"loc": tf.zeros((1, 1)), "scale": tf.fill((1, 1), 2.0)})
    found = rate(posterior, StandardNormal(1).distribution(), posterior.mean())
    np.testing.assert_allclose(found, [1.5 - np.log(2)], rtol=1e-5)


def test_rate_without_closed_form_is_its_unbiased_estimate():
    loc, scale = rng.normal(size=(1, 2)), np.array([[0.5, 0.2]])
    posterior = distributions.posterior(
        {"loc": np.repeat(loc, 20000, 0), "scale": scale.repeat(20000, 0)}
    )
    # The standard normal as a mixture, for which TFP has no KL.
    component = tfd.MultivariateNormalDiag(np.zeros((2, 2)), np.ones((2, 2)))
    prior = tfd.MixtureSameFamily(tfd.Categorical(np.zeros(2)), component)
    estimates = rate(posterior, prior, posterior.sample(seed=[1, 2])).numpy()
    exact = 0.5 * np.sum(loc**2 + scale**2 - 1 - 2 * np.log(scale))
    assert estimates.shape == (20000,)
    assert abs(estimates.mean() - exact) < 5 * estimates.std() / np.sqrt(20000)


def test_posterior_of_half_precision_parameters_is_float32():
    parameters = {"loc": tf.zeros((2, 3), tf.bfloat16), "scale": tf.ones((2, 3), tf.bfloat16)}
    assert distributions.posterior(parameters).dtype == tf.float32
