import math
import warnings

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, optimize, stats

from keras_infomodels.distributions import Categorical, Code, Latents, Normal, Uniform

LN2 = math.log(2)
FLOORS = (0.05, 0.1, 0.2)


@pytest.mark.parametrize(
    ("code", "entropy"),
    [
        (Code("c", Categorical(10)), math.log(10)),
        (Code("c", Uniform()), LN2),
        (Code("c", Normal()), 0.5 * math.log(2 * math.pi * math.e)),
    ],
)
def test_code_entropy_equals_its_priors(code, entropy):
    assert code.entropy == pytest.approx(entropy, rel=1e-6)


@pytest.mark.parametrize(
    ("code", "ceiling"),
    [
        (Code("c", Categorical(10)), math.log(10)),
        (Code("c", Uniform(), "fixed_gaussian", min_stddev=1.0), -0.2258),
        (Code("c", Uniform(), "gaussian", min_stddev=0.05), 2.770),
        (Code("c", Uniform(), "gaussian", min_stddev=0.1), 2.077),
        (Code("c", Normal(), "fixed_gaussian", min_stddev=1.0), 0.5),
        (Code("c", Uniform(), min_stddev=0.05), 3.075),
        (Code("c", Uniform(), min_stddev=0.1), 2.377),
        (Code("c", Uniform(), min_stddev=0.2), 1.658),
    ],
)
def test_code_ceiling_equals_its_familys(code, ceiling):
    assert code.ceiling == pytest.approx(ceiling, abs=6e-4)


def numbers(rng, code, n=40):
    return tf.constant(rng.normal(0, 3, (n, code.parameters)), tf.float32)


@pytest.mark.parametrize("floor", FLOORS)
def test_code_infer_beta_is_no_narrower_than_min_stddev(floor):
    code = Code("c", Uniform(), min_stddev=floor)
    widest, narrowest = code.infer(tf.constant([[0.0, -100.0], [0.0, 100.0]])).stddev().numpy()
    assert narrowest == pytest.approx(floor, rel=1e-4)
    assert widest == pytest.approx(1 / math.sqrt(3), rel=1e-4)  # the prior itself


@pytest.mark.parametrize("posterior", ["beta", "gaussian", "fixed_gaussian"])
def test_code_log_prob_integrates_to_one(posterior):
    code = Code("c", Uniform(), posterior, min_stddev=0.1)
    raw = numbers(np.random.default_rng(0), code, 5)
    edge = 1 if posterior == "beta" else 30
    grid = np.linspace(-edge, edge, 20001)
    for row in raw:
        repeated = tf.repeat(row[None], len(grid), axis=0)
        density = np.exp(code.log_prob(repeated, tf.constant(grid[:, None], tf.float32)))
        assert integrate.trapezoid(density, grid) == pytest.approx(1, abs=2e-3)


def test_code_log_prob_of_a_beta_equals_scipy():
    code = Code("c", Uniform(), min_stddev=0.1)
    raw = numbers(np.random.default_rng(1), code)
    c = np.random.default_rng(2).uniform(-1, 1, (40, 1)).astype(np.float32)
    lean, width = np.array(raw[:, 0], float), np.exp(np.array(raw[:, 1], float))
    lean *= 1 + np.abs(lean)
    limit = 1 / 0.1**2 - 3
    shrink = limit / (limit + np.abs(lean) + 2 * width)
    a = 1 + shrink * (np.maximum(lean, 0) + width)
    b = 1 + shrink * (np.maximum(-lean, 0) + width)
    assert (a + b).max() <= limit + 2
    expected = stats.beta(a, b, loc=-1, scale=2)
    q = code.infer(raw)
    np.testing.assert_allclose(q.log_prob(c), code.log_prob(raw, c), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(q.mean()[:, 0], expected.mean(), atol=1e-5)
    np.testing.assert_allclose(q.stddev()[:, 0], expected.std(), rtol=1e-4)
    np.testing.assert_allclose(
        code.log_prob(raw, c), expected.logpdf(c[:, 0]), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("floor", [0.02, 0.1, 0.5])
def test_mean_and_stddev_of_a_beta_equal_its_concentrations(floor):
    code = Code("c", Uniform(), min_stddev=floor)
    lean, log_width = np.meshgrid(np.linspace(-15, 15, 61), np.linspace(-9, 25, 35))
    raw = tf.constant(np.stack([lean.ravel(), log_width.ravel()], 1), tf.float32)
    mean, stddev = (x[:, 0].numpy() for x in code.mean_and_stddev(raw))
    s, width = lean.ravel() * (1 + np.abs(lean.ravel())), np.exp(np.minimum(log_width.ravel(), 20))
    most = 1 / floor**2 - 3
    shrink = most / (most + np.abs(s) + 2 * width)
    beta = stats.beta(
        1 + shrink * ((np.abs(s) + s) / 2 + width), 1 + shrink * ((np.abs(s) - s) / 2 + width)
    )
    np.testing.assert_allclose(mean, 2 * beta.mean() - 1, atol=2e-5)
    np.testing.assert_allclose(stddev, 2 * beta.std(), rtol=2e-3)
    assert np.all(np.abs(stddev - 2 * beta.std()) < 1e-4)


def test_mean_and_stddev_of_a_beta_survive_256_levels():
    code = Code("c", Uniform(), min_stddev=0.1)
    raw = np.random.default_rng(0).normal(size=(500, 2)) * (4.0, 1.5) + (0.0, 2.0)
    raw = raw.astype(np.float32)
    function = tf.function(lambda raw: tf.concat(code.mean_and_stddev(raw), 1))
    concrete = function.get_concrete_function(tf.TensorSpec((500, 2)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[raw]]
    with warnings.catch_warnings(action="ignore"):  # it expects figures of the input itself
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], raw)
    interpreter.invoke()
    mean, stddev = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).T
    expected_mean, expected_stddev = (x[:, 0].numpy() for x in code.mean_and_stddev(raw))
    np.testing.assert_allclose(mean, expected_mean, atol=0.1)
    np.testing.assert_allclose(stddev, expected_stddev, atol=0.05)
    assert np.abs(mean - expected_mean).mean() < 0.02


@pytest.mark.parametrize("posterior", ["gaussian", "fixed_gaussian"])
def test_mean_and_stddev_of_a_gaussian_are_exact(posterior):
    code = Code("c", Normal(), posterior=posterior, min_stddev=0.2)
    mean, stddev = code.mean_and_stddev(tf.constant([[1.5, 0.0]])[:, : code.parameters])
    assert mean.numpy().item() == 1.5
    expected = 0.2 + (np.log(2) if posterior == "gaussian" else 0)
    assert stddev.numpy().item() == pytest.approx(expected, rel=1e-6)


def test_code_log_prob_pulls_back_an_ignored_code():
    """At the prior itself, as after long training on noise, c still pulls Q to its side."""
    code = Code("c", Uniform(), min_stddev=0.1)
    raw = tf.Variable([[0.0, -12.0]])
    for c, sign in ((0.7, 1), (-0.7, -1)):
        with tf.GradientTape() as tape:
            value = code.log_prob(raw, tf.constant([[c]]))
        assert float(value[0]) == pytest.approx(-LN2, abs=1e-3)
        # d/da log Beta(a, 1) at a = 1 is ln u + 1; halfway between the two sides.
        u = (1 + c) / 2
        pull = float(tape.gradient(value, raw)[0, 0])
        assert pull == pytest.approx((math.log(u) - math.log(1 - u)) / 2, rel=1e-3)
        assert sign * pull > 0.8


@pytest.mark.parametrize("c", [-1.0, 1.0])
def test_code_log_prob_is_finite_at_the_interval_ends(c):
    code = Code("c", Uniform())
    raw = tf.Variable([[0.3, 0.2]])
    with tf.GradientTape() as tape:
        value = code.log_prob(raw, tf.constant([[c]]))
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, raw)).all()


@pytest.mark.parametrize(
    ("posterior", "floor", "best"),
    [
        ("beta", 0.05, 0.0),
        ("gaussian", 0.05, LN2 - 0.5 * math.log(2 * math.pi * math.e / 3)),
        ("fixed_gaussian", 1.0, LN2 - 0.5 * math.log(2 * math.pi) - 1 / 6),
    ],
)
def test_code_posterior_bounds_an_independent_code(posterior, floor, best):
    """The best constant Q: 0 only where the family contains the prior."""
    code = Code("c", Uniform(), posterior, min_stddev=floor)
    c = tf.constant((np.arange(2000)[:, None] + 0.5) / 1000 - 1, tf.float32)

    def bound(raw):
        repeated = tf.tile(tf.constant(raw[None], tf.float32), [2000, 1])
        return code.entropy + float(tf.reduce_mean(code.log_prob(repeated, c)))

    start = np.array([0.3, 0.5])[: code.parameters]
    found = optimize.minimize(lambda raw: -bound(raw), start, method="Nelder-Mead")
    assert -found.fun == pytest.approx(best, abs=2e-3)


def test_code_log_prob_of_a_category_is_log_softmax():
    code = Code("digit", Categorical(4))
    raw = numbers(np.random.default_rng(0), code)
    c = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    expected = raw.numpy() - np.log(np.exp(raw.numpy()).sum(1, keepdims=True))
    np.testing.assert_allclose(code.log_prob(raw, c), (expected * c).sum(1), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Categorical(1), "at least 2"),
        (lambda: Code("noise", Uniform()), "noise"),
        (lambda: Code("two words", Uniform()), "Python name"),
        (lambda: Code("class", Uniform()), "Python name"),
        (lambda: Code("c", Uniform(), "softmax"), "beta"),
        (lambda: Code("c", Normal(), "beta"), "gaussian"),
        (lambda: Code("c", Uniform(), weight=-1.0), "at least 0"),
        (lambda: Code("c", Uniform(), min_stddev=0.0), "above 0"),
        (lambda: Latents(0), "noise or codes"),
        (lambda: Latents(1, [Code("c", Uniform())] * 2), "name of its own"),
    ],
)
def test_code_and_latents_refuse_settings_that_make_no_sense(make, words):
    with pytest.raises(ValueError, match=words):
        make()
