import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from keras_infomodels.information import (
    MutualInformation,
    NormalScores,
    SeparableCritic,
    bounds,
    normal_scores,
)
from keras_infomodels.information.copula import GaussianRatio
from keras_infomodels.information.mutual_information import NeuralSettings
from keras_infomodels.information.neural import CriticModel
from keras_infomodels.information.read_out import READ_OUTS, summarize

FAST = {"epochs": 4, "patience": 3}


def normal_pairs(n, rng, d=3, r=0.6):
    x = rng.normal(size=(n, d))
    return x, r * x + math.sqrt(1 - r**2) * rng.normal(size=(n, d))


def small_critic():
    # Else its weights, and whether `auto` sees a gain by chance, depend on the tests before.
    keras.utils.set_random_seed(1)
    return SeparableCritic(8, (32,))


def by_bounds(name, scores):
    zero = tf.zeros(len(scores), tf.float64)
    return {
        "info_nce": bounds.info_nce,
        "jensen_shannon": bounds.jensen_shannon_nwj,
        "smile": lambda f: bounds.smile(f, 0.5),
        "nwj": bounds.nwj,
        "tuba": lambda f: bounds.tuba(f, zero),
        "donsker_varadhan": bounds.donsker_varadhan,
        "mine": bounds.donsker_varadhan,
        "interpolated": lambda f: bounds.interpolated(f, zero, 0.3),
    }[name](scores)


@pytest.mark.parametrize("name", READ_OUTS)
def test_read_outs_equal_the_bounds(name, monkeypatch):
    """Chunk by chunk in NumPy the same as the whole matrix in TensorFlow."""
    from keras_infomodels.information import read_out

    scores = np.random.default_rng(0).normal(size=(40, 40))
    index = np.arange(40)[:, None]
    monkeypatch.setattr(read_out, "_BLOCK", 16)
    summary = summarize(lambda x, y: scores[np.ix_(x[:, 0], y[:, 0])], index, index, 40, clip=0.5)
    value = READ_OUTS[name](summary, 0.3).nats
    assert value == pytest.approx(float(by_bounds(name, scores)), abs=1e-5)


@pytest.mark.parametrize("queries", [9, 40])
@pytest.mark.parametrize("block", [7, 39, 40, 64])
def test_summarize_sums_a_table_in_blocks(queries, block, monkeypatch):
    from keras_infomodels.information import read_out

    scores = np.random.default_rng(1).normal(size=(40, 40), scale=5)
    index = np.arange(40)[:, None]
    monkeypatch.setattr(read_out, "_BLOCK", block)
    s = summarize(lambda x, y: scores[np.ix_(x[:, 0], y[:, 0])], index, index, queries, clip=2.0)
    others = scores + np.diag(np.full(40, -np.inf))
    fewer = others.copy()
    fewer[np.arange(40), (np.arange(40) + 1) % 40] = -np.inf
    clipped = np.exp(np.clip(scores, -2, 2)) * (1 - np.eye(40))
    np.testing.assert_allclose(s.joint, np.diag(scores)[:queries])
    np.testing.assert_allclose(s.rows, logsumexp(others, axis=1)[:queries])
    np.testing.assert_allclose(s.rows_but_one, logsumexp(fewer, axis=1)[:queries])
    np.testing.assert_allclose(s.clipped, np.log(clipped.sum(axis=1))[:queries])
    if queries < 40:
        assert s.columns is None
    else:
        np.testing.assert_allclose(s.columns, logsumexp(others, axis=0))


@pytest.mark.parametrize("name", ["info_nce", "jensen_shannon", "nwj", "donsker_varadhan"])
def test_read_outs_standard_error_is_the_spread(name):
    """200 tables of 100 pairs with the true log ratio, I = .334; errors differ by what InfoNCE
    leaves out, that its candidates are shared."""
    estimates = []
    for seed in range(200):
        x, y = normal_pairs(100, np.random.default_rng(seed), 1, 0.7)
        ratio = GaussianRatio(
            np.array([[-0.5 * 0.49 / 0.51]]),
            np.array([[-0.5 * 0.49 / 0.51]]),
            np.array([[0.7 / 0.51]]),
            -0.5 * math.log(0.51),
            np.zeros(1),
            np.zeros(1),
        )
        f = (
            (x @ ratio.cross) @ y.T
            + ratio.x_form * x**2
            + (ratio.y_form * y**2).T
            + ratio.constant
            + (name == "nwj")
        )
        index = np.arange(100)[:, None]
        summary = summarize(lambda a, b, f=f: f[np.ix_(a[:, 0], b[:, 0])], index, index, 100)
        estimates.append(READ_OUTS[name](summary, 0.5))
    values = np.array([e.nats for e in estimates])
    exact = -0.5 * math.log(0.51)
    assert values.mean() == pytest.approx(exact, abs=0.03)
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(values.std(), rel=0.35)


@pytest.mark.parametrize(
    ("name", "scale"), [("donsker_varadhan", 1), ("jensen_shannon", 2), ("nwj", 2 / math.e)]
)
def test_read_outs_standard_errors_hold_ys_share(name, scale):
    """exp f sums to 4 over the strangers of each x, and to 5, 3 and 4 over those of each y.

    The mean over strangers is 2, so shares are 1 as x, and 5/4, 3/4 and 1 as y: a deviation of 1/4.
    """
    f = np.log([[1.0, 1.0, 3.0], [3.0, 1.0, 1.0], [2.0, 2.0, 1.0]])
    index = np.arange(3)[:, None]
    summary = summarize(lambda x, y: f[np.ix_(x[:, 0], y[:, 0])], index, index, 3)
    error = READ_OUTS[name](summary, 0.5).standard_error
    assert error == pytest.approx(scale * 0.25 / math.sqrt(3))


def test_gaussian_ratio_fit_of_a_sample_is_a_log_ratio():
    x, y = normal_pairs(20_000, np.random.default_rng(0))
    ratio = GaussianRatio.fit(x, y)
    u, v = x - ratio.x_mean, y - ratio.y_mean
    own = np.einsum("ni,ij,nj->n", u, ratio.x_form, u)
    own += np.einsum("ni,ij,nj->n", v, ratio.y_form, v)
    joint = own + np.einsum("ni,ij,nj->n", u, ratio.cross, v) + ratio.constant
    # The mean of the log ratio is the information: a standard error of .007.
    assert joint.mean() == pytest.approx(-1.5 * math.log(1 - 0.36), abs=0.03)
    shuffled = np.roll(v, 1, axis=0)
    f = np.einsum("ni,ij,nj->n", u, ratio.x_form, u)
    f += np.einsum("ni,ij,nj->n", shuffled, ratio.y_form, shuffled)
    f += np.einsum("ni,ij,nj->n", u, ratio.cross, shuffled) + ratio.constant
    assert np.exp(f).mean() == pytest.approx(1, abs=0.1)  # E product of a ratio is 1


def test_normal_scores_of_new_draws():
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=(2000, 2)))
    scores = NormalScores(x)
    np.testing.assert_allclose(scores(x), normal_scores(x), atol=1e-5)
    new = scores(np.exp(rng.normal(size=(2000, 2))))
    assert new.std() == pytest.approx(1, abs=0.05)
    assert scores([[1e9, 0.0]])[0].tolist() == pytest.approx([3.4808, -3.4808], abs=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("info_nce", "nwj") else [pytest.mark.slow])
        for name in READ_OUTS
    ],
)
def test_mutual_information_warm_start_is_right_on_gaussians_at_once(name):
    """d = 3, r = .6, I = .669: the held-out 500 pairs have a standard error of .05."""
    x, y = normal_pairs(2000, np.random.default_rng(0))
    settings = {"critic": small_critic(), "learning_rate": 1e-5, "epochs": 1}
    estimate = MutualInformation(name, **settings).fit(x, y**3)
    assert estimate.nats == pytest.approx(-1.5 * math.log(1 - 0.36), abs=0.15)
    assert estimate.kind == ("estimate" if name == "smile" else "lower bound")
    assert {"bound", "val_bound"} <= set(estimate.history)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("smile", "info_nce") else [pytest.mark.slow])
        for name in READ_OUTS
    ],
)
def test_mutual_information_without_warm_start_reaches_the_truth(name):
    """d = 1, r = .8, I = .511; from 0, which is what an untrained critic's bounds are."""
    x, y = normal_pairs(2000, np.random.default_rng(0), 1, 0.8)
    settings = {"critic": small_critic(), "warm_start": False, "epochs": 10, "learning_rate": 5e-3}
    estimate = MutualInformation(name, **settings).fit(x, y)
    assert 0.25 < estimate.nats < -0.5 * math.log(1 - 0.8**2) + 0.1


def test_mutual_information_fit_gives_a_critic_its_weights_back():
    """A second fit would else begin with pairs that it holds out."""
    x, y = normal_pairs(300, np.random.default_rng(0))
    settings = {"critic": small_critic(), "warm_start": False, "epochs": 2}
    first, second = (MutualInformation("info_nce", **settings).fit(x, y).nats for _ in range(2))
    assert first == second


def test_critic_model_train_step_moves_the_average_of_mine():
    model = CriticModel(small_critic(), "mine", None, NeuralSettings())
    model.compile(keras.optimizers.SGD(0.0))
    x = tf.random.stateless_normal((3, 64, 2), [0, 1])
    model((x[0], x[0]))
    bias = next(w for w in model.critic.trainable_weights if w.shape == (1,))
    bias.assign([2.0])  # f = 2 everywhere, so that ln E exp f = 2
    model.train_step((x, x))
    assert 0.01 < float(model.log_average) <= 2


def test_mutual_information_patience_keeps_the_best_epoch():
    """Independent columns: the critic learns pairs by heart, and what is held out gets worse."""
    x, y = np.random.default_rng(0).normal(size=(2, 400, 8))
    settings = {"warm_start": False, "learning_rate": 1e-2, "epochs": 25}
    long = MutualInformation("info_nce", patience=25, **settings).fit(x, y)
    assert long.history["val_bound"][-1] < -1
    assert long.nats > -0.5
    short = MutualInformation("info_nce", patience=2, **settings).fit(x, y)
    assert len(short.history["val_bound"]) < 25
    assert short.ceiling == pytest.approx(math.log(100))  # the held-out quarter


def test_mutual_information_fit_raises_if_training_diverges():
    x, y = normal_pairs(300, np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match="training diverged"):
        MutualInformation("nwj", warm_start=False, learning_rate=1e30, epochs=2).fit(x, y)


def test_mutual_information_fit_refuses_draws_that_are_no_table():
    for draw in (
        lambda n, rng: (rng.normal(size=n), rng.normal(size=n)),
        lambda n, rng: (np.full((n, 1), np.nan), rng.normal(size=(n, 1))),
    ):
        with pytest.raises(ValueError, match="finite numbers"):
            MutualInformation("info_nce").fit(draw)


@pytest.mark.slow
def test_mutual_information_auto_without_warm_start_is_info_nce():
    x, y = normal_pairs(600, np.random.default_rng(0))
    assert MutualInformation(warm_start=False, epochs=20).fit(x, y).method == "info_nce"


def test_mutual_information_critic_finds_what_correlation_misses():
    """y = +-1 by the sign of x_1 x_2, plus noise: no correlation, I = .64 of at most ln 2."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2))
    y = np.sign(x[:, 0] * x[:, 1])[:, None] * 3 + rng.normal(size=(3000, 2)) * [[1.0, 3.0]]
    estimate = MutualInformation(epochs=25, batch_size=64).fit(x, y)
    assert estimate.method == "info_nce"
    assert 0.4 < estimate.nats < math.log(2)
    assert len(estimate.history["val_bound"]) > 2


def test_mutual_information_auto_answers_copula_without_a_gain():
    x, y = normal_pairs(1500, np.random.default_rng(1))
    estimate = MutualInformation(critic=small_critic(), **FAST).fit(x, np.exp(y))
    assert estimate.method == "copula"
    assert estimate.nats == pytest.approx(-1.5 * math.log(1 - 0.36), abs=0.08)


def test_mutual_information_fit_of_fresh_draws_without_warm_start():
    settings = {
        "critic": small_critic(),
        "warm_start": False,
        "steps": 600,
        "learning_rate": 5e-3,
        "candidates": 4096,
    }
    estimate = MutualInformation("info_nce", **settings).fit(normal_pairs)
    exact = -1.5 * math.log(1 - 0.36)
    assert exact - 0.12 < estimate.nats < exact + 3 * estimate.standard_error
    assert estimate.ceiling == pytest.approx(math.log(4096))


def test_mutual_information_notes_estimates_near_ln_n(caplog):
    x, _ = normal_pairs(400, np.random.default_rng(0), 4)
    y = x + 0.02 * np.random.default_rng(1).normal(size=x.shape)
    estimate = MutualInformation("jensen_shannon", critic=small_critic(), **FAST).fit(x, y)
    assert "what as many pairs can certify" in caplog.text
    assert "ln 100" in estimate.note


def test_mutual_information_notes_that_a_few_scores_decide(caplog):
    """NWJ's mean of exp f when f is 20 times the log ratio."""
    x, y = normal_pairs(400, np.random.default_rng(0))

    class Steep(keras.Model):
        def call(self, inputs):
            return 20 * tf.matmul(inputs[0], inputs[1], transpose_b=True)

    estimate = MutualInformation("nwj", critic=Steep(), warm_start=False, epochs=1).fit(x, y)
    assert estimate.standard_error > 0.5
    assert "a few large scores decide" in caplog.text
    assert "'info_nce'" in estimate.note


@pytest.mark.slow
def test_mutual_information_fit_repeats_with_its_seed():
    x, y = normal_pairs(300, np.random.default_rng(0))
    values = [MutualInformation("info_nce", epochs=1, seed=3).fit(x, y).nats for _ in range(2)]
    assert values[0] != 0
    assert values[0] == values[1]


def test_critic_model_train_step_of_many_equals_single_steps():
    rng = np.random.default_rng(0)
    batches = rng.normal(size=(5, 32, 3)).astype(np.float32), rng.normal(size=(5, 32, 2))
    batches = batches[0], (batches[0][..., :2] + batches[1]).astype(np.float32)
    results = []
    for at_once in (True, False):
        model = CriticModel(small_critic(), "mine", None, NeuralSettings())
        model.compile(keras.optimizers.AdamW(1e-2))
        if at_once:
            model.train_step(tuple(tf.constant(side) for side in batches))
        else:
            for step in range(5):
                model.step(tuple(tf.constant(side[step]) for side in batches))
        assert int(model.optimizer.iterations) == 5
        results.append(model.get_weights())
    assert any(np.abs(w).max() > 0 for w in results[0])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
