"""The sliced Wasserstein distance against its closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from keras_infomodels import divergences
from keras_infomodels.distributions import GaussianMixture, StandardNormal
from keras_infomodels.divergences import SlicedWasserstein

rng = np.random.default_rng(0)
SEED = tf.constant([3, 5])
TARGETS = pytest.mark.parametrize("target", ["draws", "quantiles"])


class Fixed:
    """A prior whose draws are known."""

    def __init__(self, points):
        self.points = tf.constant(points)

    def sample(self, n, seed):
        return self.points[:n]


def distance(z, prior=None, seed=SEED, **settings):
    z = tf.convert_to_tensor(z)
    prior = StandardNormal(z.shape[1]).distribution() if prior is None else prior
    return SlicedWasserstein(**settings)(z, None, prior, seed)


@TARGETS
@pytest.mark.parametrize("d", [1, pytest.param(3, marks=pytest.mark.slow), 32])
def test_sliced_wasserstein_of_two_gaussians_is_the_closed_form_on_average(target, d):
    """N(m, s^2 I) is |m|^2 / d + (s - 1)^2 away from N(0, I)."""
    mean, s = np.full(d, 0.4, np.float32), 1.5
    expected = 0.4**2 + 0.5**2
    found = []
    for i in range(8):
        z = mean + s * tf.random.stateless_normal((2000, d), [i, 1])
        found.append(float(distance(z, None, [i, 2], projections=200, target=target)))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    # Of 2000 points the bias is at most 0.006, and a lost 1 / d or factor s is 0.1 and more.
    assert np.mean(found) == pytest.approx(expected, abs=4 * error + 0.006)
    assert 4 * error < 0.06


def test_sliced_wasserstein_in_one_dimension_pairs_points_by_rank():
    z, draws = rng.normal(size=(2, 30, 1))
    pairs = np.sort(z, axis=0) - np.sort(draws, axis=0)
    assert float(distance(z, Fixed(draws))) == pytest.approx(np.mean(pairs**2), rel=1e-12)
    quantiles = norm.ppf((np.arange(30) + 0.5) / 30)[:, None]
    pairs = np.sort(z, axis=0) - quantiles
    found = float(distance(z, target="quantiles"))
    assert found == pytest.approx(np.mean(pairs**2), rel=1e-9)


def test_sliced_wasserstein_of_the_draws_themselves_in_another_order_is_0():
    draws = rng.normal(size=(50, 4))
    assert float(distance(rng.permutation(draws), Fixed(draws))) == pytest.approx(0, abs=1e-25)
    m = np.array([1.0, 0.0, -2.0, 0.5])
    moved = float(distance(rng.permutation(draws) + m, Fixed(draws), projections=4000))
    # (m'u)^2 has the mean |m|^2 / d and over directions a deviation of that size: 4 errors of 4000.
    assert moved == pytest.approx(np.sum(m**2) / 4, rel=4 / np.sqrt(4000))


@TARGETS
@pytest.mark.parametrize("d", [2, 16, 128])
def test_sliced_wasserstein_of_a_collapsed_encoder_is_1_in_any_dimension(target, d):
    found = float(distance(tf.zeros((1000, d)), target=target))
    # 50 directions of 1000 draws: a standard error of at most sqrt(2 / 1000) where they agree.
    assert found == pytest.approx(1, abs=0.1 if target == "draws" else 0.002)


@TARGETS
def test_sliced_wasserstein_gradient_is_that_of_finite_differences(target):
    z = rng.normal(size=(4, 3)) + 0.5
    variable = tf.Variable(z)
    with tf.GradientTape() as tape:
        value = distance(variable, target=target)
    found = tape.gradient(value, variable).numpy()
    step = 1e-5  # no two projections change places
    for i, j in np.ndindex(z.shape):
        ends = [z.copy(), z.copy()]
        ends[0][i, j] -= step
        ends[1][i, j] += step
        low, high = (float(distance(end, target=target)) for end in ends)
        assert found[i, j] == pytest.approx((high - low) / (2 * step), abs=1e-6)
    assert np.abs(found).max() > 0.05


def test_sliced_wasserstein_gradient_of_moved_draws_is_towards_them():
    """The sum over n points of 2 (m'u) u / n is 2 m / d on average over directions."""
    draws = rng.normal(size=(20, 3))
    m = np.array([1.0, 2.0, -1.0])
    z = tf.Variable(draws + m)
    with tf.GradientTape() as tape:
        value = distance(z, Fixed(draws), projections=5000)
    gradient = tape.gradient(value, z).numpy()
    np.testing.assert_allclose(gradient.sum(0), 2 * m / 3, atol=0.1)


@TARGETS
def test_sliced_wasserstein_gradient_is_finite_at_duplicated_points(target):
    z = tf.Variable(np.repeat(rng.normal(size=(3, 2)), 4, axis=0))
    with tf.GradientTape() as tape:
        value = distance(z, target=target)
    assert np.isfinite(tape.gradient(value, z)).all()


@TARGETS
def test_sliced_wasserstein_of_one_point_counts_nothing(target):
    z = tf.Variable([[3.0, 4.0]])
    with tf.GradientTape() as tape:
        value = distance(z, target=target)
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, z), [[0.0, 0.0]])


def test_sliced_wasserstein_repeats_with_its_seed():
    z = tf.constant(rng.normal(size=(40, 3)), tf.float32)
    first, again, other = (float(distance(z, None, [*seed])) for seed in ((1, 2), (1, 2), (2, 1)))
    assert first == again != other


@pytest.mark.slow
def test_sliced_wasserstein_compiled_by_xla_is_the_same_where_directions_do_not_matter():
    z = tf.constant(rng.normal(size=(40, 1)), tf.float32)
    compiled = tf.function(lambda z: distance(z, target="quantiles"), jit_compile=True)
    assert float(compiled(z)) == pytest.approx(float(distance(z, target="quantiles")), rel=1e-5)


def test_sliced_wasserstein_refuses_settings_that_make_no_sense():
    with pytest.raises(ValueError, match='target is "draws" or "quantiles", got'):
        SlicedWasserstein(target="quantile")
    with pytest.raises(ValueError, match="projections is an integer of at least 1"):
        SlicedWasserstein(0)
    ring = GaussianMixture.ring().distribution()
    with pytest.raises(ValueError, match='take target="draws"'):
        SlicedWasserstein(target="quantiles").check(ring, 2)
    SlicedWasserstein(target="draws").check(ring, 2)
    SlicedWasserstein(target="quantiles").check(StandardNormal(2).distribution(), 2)


def test_sliced_wasserstein_by_name_and_from_its_config():
    named = divergences.divergence("sliced_wasserstein")
    assert named.get_config() == {"projections": 50, "target": "draws"}
    other = SlicedWasserstein(7, "quantiles")
    again = SlicedWasserstein.from_config(other.get_config())
    assert (again.projections, again.target) == (7, "quantiles")
