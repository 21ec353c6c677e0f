"""Bounds with the critics at which they are tight, on Gaussians of known information."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.information import (
    BilinearCritic,
    ConcatenatedCritic,
    SeparableCritic,
    bounds,
)

D, RHO, N = 2, 0.7, 2000
EXACT = -0.5 * D * math.log(1 - RHO**2)  # 0.6733 nats


def log_normal(x, mean, variance):
    return (-0.5 * (x - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)).sum(-1)


@pytest.fixture(scope="module")
def gaussians():
    """Pairs, ln p(y_j|x_i) and ln p(y_j|x_i)/p(y_j), in float64."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D))
    y = RHO * x + math.sqrt(1 - RHO**2) * rng.normal(size=(N, D))
    conditional = log_normal(y[None], RHO * x[:, None], 1 - RHO**2)
    return x, y, conditional, conditional - log_normal(y, 0, 1.0)


@pytest.fixture(scope="module")
def log_ratio(gaussians):
    return gaussians[3]


# The mean of the log ratio over N pairs has a standard error of RHO sqrt(D / N) = .022; the
# partition's is smaller. All bounds share the pairs, so they must agree with one another closer.
ERROR = 0.05

TIGHT = {
    "donsker_varadhan": lambda f: bounds.donsker_varadhan(f - 3),
    "nwj": lambda f: bounds.nwj(f + 1),
    "tuba": lambda f: bounds.tuba(f + 2, tf.fill([N], np.float64(2))),
    "info_nce": lambda f: bounds.info_nce(f + np.linspace(-3, 3, N)[:, None]),
    "interpolated": lambda f: bounds.interpolated(f, tf.zeros(N, tf.float64), 0.5),
    "jensen_shannon_nwj": bounds.jensen_shannon_nwj,
    "smile": lambda f: bounds.smile(f, 20.0),
    "mine": lambda f: bounds.mine(f, tf.constant(0.0, tf.float64))[0],
}


@pytest.mark.parametrize("name", TIGHT)
def test_bounds_are_tight_with_the_optimal_critic(log_ratio, name):
    value = float(TIGHT[name](log_ratio))
    assert value == pytest.approx(EXACT, abs=ERROR)
    assert value == pytest.approx(np.diag(log_ratio).mean(), abs=0.02)


@pytest.mark.parametrize("name", ["donsker_varadhan", "nwj", "tuba", "info_nce", "interpolated"])
@pytest.mark.parametrize("factor", [0.5, 1.3, -1.0])
def test_bounds_are_lower_with_another_critic(log_ratio, name, factor):
    assert float(TIGHT[name](factor * log_ratio)) < float(TIGHT[name](log_ratio)) - 0.01


def test_bounds_certify_nothing_for_zero_scores(log_ratio):
    zeros = np.zeros((5, 5))
    for name in ("donsker_varadhan", "info_nce", "smile", "jensen_shannon_nwj"):
        assert float(getattr(bounds, name)(zeros)) == pytest.approx(0)
    assert float(bounds.nwj(zeros)) == pytest.approx(-math.exp(-1))
    assert float(bounds.jensen_shannon(zeros)) == pytest.approx(-2 * math.log(2))


def test_bounds_equal_small_matrices_by_hand():
    f = np.array([[1.0, 2.0, 0.5], [0.0, 1.5, -1.0], [0.3, 0.1, 2.0]])
    joint, off = np.diag(f).mean(), f[~np.eye(3, dtype=bool)]
    dv = joint - np.log(np.exp(off).mean())
    by_hand = {
        "donsker_varadhan": dv,
        "nwj": joint - np.exp(off - 1).mean(),
        "info_nce": joint - np.log(np.exp(f).mean(1)).mean(),
        "smile": joint - np.log(np.exp(off.clip(-1.2, 1.2)).mean()),
        "leave_one_out": joint
        - np.log([np.exp(np.delete(f[i], i)).mean() for i in range(3)]).mean(),
        "club": joint - off.mean(),
        "jensen_shannon": -np.log1p(np.exp(-np.diag(f))).mean() - np.log1p(np.exp(off)).mean(),
    }
    for name, value in by_hand.items():
        arguments = (1.2,) if name == "smile" else ()
        assert float(getattr(bounds, name)(f, *arguments)) == pytest.approx(value, abs=1e-6), name
        # The same with shapes that are unknown when the graph is traced.
        bound = getattr(bounds, name)
        traced = tf.function(
            lambda s, bound=bound, arguments=arguments: bound(s, *arguments),
            input_signature=[tf.TensorSpec((None, None), tf.float64)],
        )
        assert float(traced(f)) == pytest.approx(value, abs=1e-6), name


def test_interpolated_ends_at_tuba_and_info_nce(log_ratio):
    baseline = tf.constant(np.linspace(-1, 1, N))
    ends = [float(bounds.interpolated(log_ratio, baseline, a)) for a in (0.0, 0.5, 1.0)]
    assert ends[0] == pytest.approx(float(bounds.tuba(log_ratio, baseline)), abs=1e-9)
    # One candidate of 2,000 less.
    assert ends[2] == pytest.approx(float(bounds.info_nce(log_ratio)), abs=1e-3)
    assert ends[0] < ends[1] < ends[2]
    with pytest.raises(ValueError, match="alpha"):
        bounds.interpolated(log_ratio, baseline, 2)


def test_info_nce_is_capped_by_its_candidates(log_ratio):
    batches = [float(bounds.info_nce(100 * log_ratio[i : i + 4, i : i + 4])) for i in (0, 4, 8)]
    assert max(batches) <= math.log(4)
    perfect = np.where(np.eye(4), 50.0, 0.0)
    assert float(bounds.info_nce(perfect)) == pytest.approx(math.log(4))


def test_mine_gradient_divides_by_the_average(log_ratio):
    scores = tf.constant(log_ratio[:50, :50])
    average = tf.constant(0.3, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value, updated = bounds.mine(scores, average, decay=0.9)
    assert float(value) == pytest.approx(float(bounds.donsker_varadhan(scores)), abs=1e-9)
    off = ~np.eye(50, dtype=bool)
    partition = np.exp(scores.numpy()[off]).mean()
    assert float(updated) == pytest.approx(math.log(0.9 * math.exp(0.3) + 0.1 * partition))
    expected = np.eye(50) / 50 - np.where(
        off, np.exp(scores.numpy()) / math.exp(float(updated)) / (50 * 49), 0
    )
    np.testing.assert_allclose(tape.gradient(value, scores).numpy(), expected, atol=1e-12)


def test_known_conditional_and_leave_one_out_enclose_information(gaussians):
    """(s, k) = (.5, 2), I = 1.386: at K = 256 1.375 and 1.414, the mean of 50 repeats."""
    rng, s, k = np.random.default_rng(1), 0.5, 256
    lower, upper = [], []
    for _ in range(50):
        loc = math.sqrt(1 - s**2) * rng.normal(size=(k, 2))
        z = loc + s * rng.normal(size=(k, 2))
        log_q = log_normal(z[:, None], loc[None], s**2)
        lower.append(float(bounds.known_conditional(log_q)))
        upper.append(float(bounds.leave_one_out(log_q)))
    exact = -2 * math.log(s)
    # A repeat spreads by about .06, so a mean of 50 by .009.
    assert np.mean(lower) < exact + 0.02
    assert np.mean(upper) > exact - 0.02
    assert 0.02 < np.mean(upper) - np.mean(lower) < 0.05


def test_club_is_an_upper_bound_of_known_size(gaussians):
    _, _, conditional, _ = gaussians
    expected = D * RHO**2 / (1 - RHO**2)
    # A U-statistic of 2,000 pairs: a standard error of about .05.
    assert float(bounds.club(conditional)) == pytest.approx(expected, abs=0.15)
    assert expected > EXACT


def test_barber_agakov_and_rate_bound_are_tight_where_exact(gaussians):
    x, y, _, _ = gaussians
    entropy = 0.5 * D * math.log(2 * math.pi * math.e)
    tight = bounds.barber_agakov(log_normal(x, RHO * y, 1 - RHO**2), entropy)
    assert float(tight) == pytest.approx(EXACT, abs=ERROR)
    assert float(bounds.barber_agakov(log_normal(x, RHO * y, 1.0), entropy)) < EXACT - 0.1
    q = tfp.distributions.MultivariateNormalDiag(RHO * x, np.full(D, math.sqrt(1 - RHO**2)))
    for spread, excess in ((1.0, 0.0), (1.5, D * (math.log(1.5) + 0.5 / 1.5**2 - 0.5))):
        r = tfp.distributions.MultivariateNormalDiag(np.zeros(D), np.full(D, spread))
        # KL(q(z) || r) is what the bound has above I.
        assert float(bounds.rate_bound(q, r, y)) == pytest.approx(EXACT + excess, abs=ERROR)


@pytest.mark.parametrize(
    "critic",
    [
        SeparableCritic(4, (8,)),
        BilinearCritic(3, ()),
        BilinearCritic(3, (8, 5)),
        ConcatenatedCritic((8,)),
    ],
    ids=["separable", "linear", "bilinear", "concatenated"],
)
def test_separable_critic_bilinear_critic_concatenated_critic_score_pairs(critic, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)).astype("f"), rng.normal(size=(7, 2)).astype("f")
    assert np.all(critic((x, y)).numpy() == 0)  # all start at nothing
    for variable in critic.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    scores = critic((x, y)).numpy()
    assert scores.shape == (5, 7)
    assert scores.std() > 0.1
    np.testing.assert_allclose(scores[2, 3], critic((x[2:3], y[3:4])).numpy()[0, 0], rtol=1e-4)
    critic.save(tmp_path / "critic.keras")
    loaded = keras.saving.load_model(tmp_path / "critic.keras")
    np.testing.assert_allclose(loaded((x, y)).numpy(), scores, rtol=1e-5)


def test_concatenated_critic_has_x_in_rows_and_y_in_columns():
    """f = x + 10 y, by a single layer."""
    critic = ConcatenatedCritic(())
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [4.0], [5.0]], np.float32)
    critic((x, y))
    critic.score.set_weights([np.array([[1.0], [10.0]]), np.zeros(1)])
    np.testing.assert_allclose(critic((x, y)), [[31, 41, 51], [32, 42, 52]])
