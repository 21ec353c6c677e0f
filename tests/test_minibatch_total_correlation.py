"""The total correlation of a batch against closed forms."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import norm

from keras_infomodels import divergences, models
from keras_infomodels.distributions import posterior
from keras_infomodels.divergences import MinibatchTotalCorrelation, TotalCorrelation
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.recipes import Recipe

PRESETS = Path(__file__).parents[1] / "zoo" / "presets"


def measure(z, loc, scale):
    tensors = [tf.convert_to_tensor(each, tf.float64) for each in (z, loc, scale)]
    q = posterior({"loc": tensors[1], "scale": tensors[2]})
    return MinibatchTotalCorrelation()(tensors[0], q, None, None)


def table(n, d, seed=0):
    rng = np.random.default_rng(seed)
    loc, scale = rng.normal(size=(n, d)), rng.uniform(0.3, 1, size=(n, d))
    return loc + scale * rng.normal(size=(n, d)), loc, scale


def test_minibatch_total_correlation_of_a_gaussian_encoder_is_the_closed_form_on_average():
    """q(z|x) = N(x, s^2 I) with x ~ N(0, C): q(z) = N(0, C + s^2 I), TC = -ln(1 - r^2) / 2."""
    covariance, s = np.array([[1.0, 0.8], [0.8, 1.0]]), 0.7
    correlation = 0.8 / (1 + s**2)
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        loc = rng.multivariate_normal([0, 0], covariance, size=700)
        z = loc + s * rng.normal(size=loc.shape)
        found.append(float(measure(z, loc, np.full_like(loc, s))))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    expected = -0.5 * np.log(1 - correlation**2)  # 0.17 nats
    # Each z meets its own posterior once in 700: a bias of about I_q / n, below 0.01.
    assert np.mean(found) == pytest.approx(expected, abs=4 * error + 0.01)
    assert 4 * error < 0.04


def test_minibatch_total_correlation_has_the_gradient_of_minibatch_weighted_sampling():
    """Chen et al., equation S6: log q(z) ~ log sum_j q(z|x_j) / (n N), of z and of each z_k."""
    z, loc, scale = table(6, 3)
    examples = 1000
    each = norm.logpdf(z[:, None], loc, scale)  # (i, j, k)
    joint = logsumexp(each.sum(2), axis=1) - np.log(6 * examples)
    marginals = logsumexp(each, axis=1) - np.log(6 * examples)
    weighted = np.mean(joint - marginals.sum(1))
    # They differ by a constant of the sizes alone: (d - 1) ln N.
    assert weighted - float(measure(z, loc, scale)) == pytest.approx(2 * np.log(examples), rel=1e-9)


def test_minibatch_total_correlation_gradient_is_that_of_finite_differences():
    arrays = table(4, 2)
    variables = [tf.Variable(array) for array in arrays]
    with tf.GradientTape() as tape:
        value = measure(*variables)
    gradients = tape.gradient(value, variables)
    step = 1e-6
    for which, gradient in enumerate(gradients):
        for place in np.ndindex(arrays[which].shape):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in arrays]
                moved[which][place] += sign * step
                ends.append(float(measure(*moved)))
            expected = (ends[0] - ends[1]) / (2 * step)
            assert gradient.numpy()[place] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("d", [2, 16, 128])
def test_minibatch_total_correlation_of_a_collapsed_encoder_is_0_in_any_dimension(d):
    loc, scale = np.zeros((50, d)), np.ones((50, d))
    z = np.random.default_rng(0).normal(size=(50, d))
    assert float(measure(z, loc, scale)) == pytest.approx(0, abs=1e-9)


def test_minibatch_total_correlation_of_one_point_or_of_duplicated_ones():
    z, loc, scale = table(5, 3)
    assert float(measure(z[:1], loc[:1], scale[:1])) == pytest.approx(0, abs=1e-12)
    twice = [np.repeat(each, 2, axis=0) for each in (z, loc, scale)]
    assert float(measure(*twice)) == pytest.approx(float(measure(z, loc, scale)), rel=1e-12)


def test_minibatch_total_correlation_by_name_needs_a_density():
    named = divergences.divergence("minibatch_total_correlation")
    assert isinstance(named, MinibatchTotalCorrelation)
    assert named.needs_density
    assert named.get_config() == {}


@pytest.mark.parametrize("beta", [1.0, 6.0])
def test_minibatch_total_correlation_makes_the_infovae_a_beta_tcvae(make_model, images, beta):
    """Loss = reconstruction + rate + (beta - 1) TC; at beta = 1 it is the VAE's, to the bit."""
    divergence = MinibatchTotalCorrelation()
    model = make_model(lambda_=beta, divergence=divergence)
    seed = tf.constant([1, 2])
    terms = {name: float(v) for name, v in model.terms(images, None, seed, True).items()}
    expected = terms["reconstruction"] + terms["rate"] + (beta - 1) * terms["divergence"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-6)
    if beta == 1:
        plain = make_model(models.VAE).terms(images, None, seed, True)
        assert terms["loss"] == float(plain["loss"])


@pytest.mark.parametrize(
    ("name", "divergence", "weight"),
    [
        ("tcvae_sprites", MinibatchTotalCorrelation, 5.0),
        ("factor_vae_scenes", TotalCorrelation, 10.0),
    ],
)
def test_recipes_of_the_total_correlation_are_points_of_the_infovae(name, divergence, weight):
    recipe = Recipe.load(PRESETS / name / "recipe.toml")
    shape = (64, 64, 1 if name == "tcvae_sprites" else 3)
    model = build_model(recipe, shape, recipe.training.epochs)
    assert type(model) is models.InfoVAE
    assert type(model.divergence) is divergence
    assert model.rate_weight == 1
    assert model.divergence_weight == weight
    assert model.count_params() < 1.5e6
