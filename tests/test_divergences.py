import subprocess
import sys

import numpy as np
import oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import divergences
from keras_infomodels.distributions import StandardNormal
from keras_infomodels.divergences import (
    MMD,
    inverse_multiquadric,
    kernel_sum,
    kernels,
    median_squared_distance,
    squared_distances,
)

rng = np.random.default_rng(0)
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def expected_mmd(kernel, mean, covariance):
    d = len(mean)
    if kernel == "inverse_multiquadric":
        return oracles.inverse_multiquadric_mmd(mean, covariance, [2 * d * s for s in SCALES])
    return oracles.gaussian_mmd(mean, covariance, d if kernel == "gaussian" else d**2 / 2)


def resampled(mmd, mean, covariance, n, repeats):
    """The estimates of many batches."""
    cholesky = tf.constant(np.linalg.cholesky(covariance), tf.float32)

    @tf.function
    def estimate(seed):
        normal = tf.random.stateless_normal((2, n, len(mean)), seed)
        return mmd.between(normal[0] @ tf.transpose(cholesky) + mean, normal[1])

    return np.array([estimate(tf.constant([i, 7])).numpy() for i in range(repeats)])


@pytest.mark.parametrize("dimension", [2, 16, 128])
@pytest.mark.parametrize("kernel", ["inverse_multiquadric", "gaussian", "paper"])
def test_mmd_between_equals_closed_forms_on_average(kernel, dimension):
    mean = np.full(dimension, 0.2, np.float32)
    factor = rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
    covariance = 0.3 * np.eye(dimension) + 0.2 * factor @ factor.T
    closed, within_q, within_p = expected_mmd(kernel, mean, covariance)
    n = 40
    for estimator, bias in (
        ("unbiased", 0.0),
        ("biased", ((1 - within_q) + (1 - within_p)) / n),
    ):
        estimates = resampled(MMD(kernel, estimator), mean, covariance, n, 150)
        error = estimates.std(ddof=1) / np.sqrt(150)
        assert abs(estimates.mean() - (closed + bias)) < 5 * error + 2e-6
    # What tells the two estimators apart is many standard errors wide.
    assert bias > 5 * error


@pytest.mark.parametrize(
    "dimension", [2, *(pytest.param(d, marks=pytest.mark.slow) for d in (5, 10, 20, 64)), 128]
)
def test_mmd_sees_a_collapsed_encoder_in_any_dimension(dimension):
    """mathematics: bandwidths in proportion to d keep the signal, d^2 loses it."""
    z = tf.zeros((2000, dimension))
    prior = StandardNormal(dimension).distribution()

    def measured(mmd):
        return float(tf.function(mmd)(z, None, prior, tf.constant([1, 2])))

    assert 0.150 <= measured(MMD("gaussian")) <= 0.172
    assert 0.145 <= measured(MMD(scales=[1.0])) <= 0.17
    assert 0.22 <= measured(MMD()) <= 0.28
    paper = {2: 0.167, 5: 0.0401, 10: 0.0105, 20: 0.0026, 64: 0.00025, 128: 0.00006}
    assert measured(MMD("paper")) == pytest.approx(paper[dimension], rel=0.08, abs=1.5e-5)


def test_mmd_gaussian_median_takes_the_samples_own_scale():
    x, y = tf.constant(rng.normal(size=(2, 60, 3)), tf.float32)
    y = y + 1
    points = np.concatenate([x, y])
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    median = np.median(squared[~np.eye(120, dtype=bool)])
    expected = MMD("gaussian", scales=[median / (2 * 3)]).between(x, y)
    np.testing.assert_allclose(MMD("gaussian_median").between(x, y), expected, rtol=1e-3)
    # Units do not matter.
    scaled = MMD("gaussian_median").between(1000 * x, 1000 * y)
    np.testing.assert_allclose(scaled, expected, rtol=1e-3)


def test_median_squared_distance_has_no_gradient():
    """Of (0, 0), (3, 4) and (6, 8): 25 twice and 100 once."""
    x, y = tf.Variable([[0.0, 0.0], [3.0, 4.0]]), tf.constant([[6.0, 8.0]])
    with tf.GradientTape() as tape:
        median = median_squared_distance(x, y)
    assert float(median) == 25
    assert tape.gradient(median, x) is None


def test_mmd_of_a_sum_of_tfp_kernels_is_the_sum():
    x, y = (tf.constant(rng.normal(size=(n, 3)), tf.float32) for n in (30, 20))
    kernels = [
        tfp.math.psd_kernels.ExponentiatedQuadratic(length_scale=np.float32(s)) for s in (1, 3)
    ]
    for estimator in ("unbiased", "biased"):
        parts = [float(MMD(kernel, estimator).between(x, y)) for kernel in kernels]
        whole = float(MMD(kernels[0] + kernels[1], estimator).between(x, y))
        assert whole == pytest.approx(sum(parts), abs=1e-6)


def test_mmd_refuses_a_batched_tfp_kernel():
    """Its matrices' sum would pass for a kernel, but k(x, x) is of another shape."""
    for shape in ((2,), (1,)):
        batched = tfp.math.psd_kernels.ExponentiatedQuadratic(length_scale=np.ones(shape, "f"))
        for estimator in ("unbiased", "biased"):
            with pytest.raises(ValueError, match=r"batch shape .*add kernels"):
                MMD(batched, estimator)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["gaussian", "inverse_multiquadric"])
def test_mmd_of_100000_points_stays_under_two_gigabytes(kernel):
    """Value and gradient."""
    code = f"""
import resource, tensorflow as tf
from keras_infomodels.divergences import MMD
x, y = tf.unstack(tf.random.stateless_normal((2, 100_000, 4), [1, 2]))

@tf.function(jit_compile=True)
def value_and_slope(x, y):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = MMD("{kernel}").between(x, y)
    return value, tf.norm(tape.gradient(value, x))

value, slope = value_and_slope(x, y)
assert abs(value) < 1e-3 and 0 < slope < 1e-3, (value, slope)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(process.stdout) < 2e9, process.stderr


def test_mmd_is_zero_for_equal_samples_and_two_for_far_ones():
    x = tf.constant(rng.normal(size=(30, 4)), tf.float32)
    assert float(MMD(estimator="biased").between(x, x)) == pytest.approx(0, abs=1e-6)
    far = MMD("gaussian", estimator="biased").between(tf.zeros((9, 4)), tf.fill((9, 4), 1e3))
    assert float(far) == pytest.approx(2)


def test_mmd_unbiased_estimate_may_be_negative():
    x, y = tf.constant(rng.normal(size=(2, 200, 40)), tf.float32)
    estimates = [float(MMD().between(x[i::10], y[i::10])) for i in range(10)]
    assert min(estimates) < 0


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_mmd_of_a_tfp_kernel_equals_our_own(scale):
    x, y = (tf.constant(rng.normal(size=(n, 5)), tf.float32) for n in (30, 20))
    theirs = tfp.math.psd_kernels.RationalQuadratic(
        scale_mixture_rate=1.0, length_scale=np.float32(np.sqrt(2 * 5 * scale / 2))
    )
    for estimator in ("unbiased", "biased"):
        ours = MMD("inverse_multiquadric", estimator, [scale]).between(x, y)
        np.testing.assert_allclose(MMD(theirs, estimator).between(x, y), ours, atol=1e-6)


@pytest.mark.parametrize("estimator", ["unbiased", "biased", "semi_analytic"])
def test_mmd_gradient_equals_the_closed_form(estimator):
    """MMD^2 of N(m, I) and N(0, I) = 2 c (1 - exp(-|m|^2 / 2 (l^2 + 2))); k = exp(-r^2 / 2 l^2)"""
    d, l2 = 3, 9 / 2  # the paper's kernel
    m = np.full(d, 2.0)
    z = tf.random.stateless_normal((2000, d), [1, 1]) + m.astype("f")
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = MMD("paper", estimator)(z, None, StandardNormal(d).distribution(), [3, 4])
    c = (l2 / (l2 + 2)) ** (d / 2)
    expected = 2 * c * np.exp(-(m @ m) / (2 * (l2 + 2))) * m / (l2 + 2)
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(loss, z), axis=0), expected, rtol=0.06)


def test_mmd_gradient_is_finite_at_duplicated_points():
    z = tf.Variable(tf.ones((6, 2)))
    with tf.GradientTape() as tape:
        loss = MMD()(z, None, StandardNormal(2).distribution(), tf.constant([1, 2]))
    assert np.isfinite(tape.gradient(loss, z)).all()


@pytest.mark.parametrize("estimator", ["unbiased", "biased", "semi_analytic"])
def test_mmd_of_one_point_counts_nothing(estimator):
    """It has no pairs, and the pull towards the prior's centre alone would collapse q(z)."""
    z = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        loss = MMD(estimator=estimator)(
            z, None, StandardNormal(2).distribution(), tf.constant([1, 2])
        )
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, z), np.zeros((1, 2)))


def test_kernel_sum_makes_no_matrix_of_all_pairs():
    """Blocks of rows, and nothing of more than two axes within one."""
    x, y = (tf.constant(rng.normal(size=(n, 3)), tf.float32) for n in (1000, 700))
    seen = []

    def gram(a, b):
        squared = squared_distances(a, b)
        seen.append(len(a) * len(b))
        return inverse_multiquadric(squared, 3)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        total = kernel_sum(gram, x, y)
        own = kernel_sum(gram, x)
    gradients = [*tape.gradient(total, [x, y]), tape.gradient(own, x)]
    assert len(seen) > 10
    assert max(seen) <= 2**17
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        direct = tf.reduce_sum(gram(x, y))
        own_direct = tf.reduce_sum(gram(x, x))
    np.testing.assert_allclose([total, own], [direct, own_direct], rtol=1e-5)
    expected = [*tape.gradient(direct, [x, y]), tape.gradient(own_direct, x)]
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())

    spec = tf.TensorSpec((None, 16), tf.float32)
    graph = tf.function(lambda a, b: inverse_multiquadric(squared_distances(a, b), 16))
    operations = graph.get_concrete_function(spec, spec).graph.get_operations()
    assert max(out.shape.rank for op in operations for out in op.outputs) == 2


def test_squared_distances_are_those_of_numpy_and_never_negative():
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    direct = ((x[:, None] - y[None]) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(tf.constant(x), tf.constant(y)), direct)
    close = tf.constant(1000 + 1e-3 * rng.normal(size=(20, 3)), tf.float32)
    assert float(tf.reduce_min(squared_distances(close, close))) >= 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"kernel": "rbf"}, "inverse_multiquadric"),
        ({"estimator": "v"}, "biased"),
        ({"kernel": "paper", "scales": [1.0]}, "no scales"),
        ({"kernel": None}, "inverse_multiquadric"),
        ({"kernel": lambda x, y: x}, "psd_kernels"),
        ({"scales": [0.0]}, "positive"),
        ({"scales": [1.0, np.nan]}, "positive"),
        ({"scales": np.array([1.0, np.inf])}, "positive"),
        ({"scales": ()}, "positive"),
    ],
)
def test_mmd_refuses_settings_that_make_no_sense(arguments, what):
    with pytest.raises(ValueError, match=what):
        MMD(**arguments)


def test_divergence_by_name():
    assert isinstance(divergences.divergence("mmd"), MMD)
    for other in ("kl", 3, MMD):
        with pytest.raises(ValueError, match="one of mmd"):
            divergences.divergence(other)


def test_mmd_check_refuses_tfp_kernels_that_cannot_train():
    kernels, prior = tfp.math.psd_kernels, StandardNormal(2).distribution()
    with pytest.raises(ValueError, match="holds variables"):
        MMD(kernels.ExponentiatedQuadratic(tf.Variable(1.0))).check(prior, 2)
    with pytest.raises(ValueError, match="float64"):
        MMD(kernels.ExponentiatedQuadratic(np.float64(1.0))).check(prior, 2)
    MMD(kernels.ExponentiatedQuadratic(np.float32(1.0))).check(prior, 2)


def test_mmd_between_samples_of_different_sizes():
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(4, 2))

    def gram(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 4)

    within = [(gram(a, a).sum() - len(a)) / (len(a) * (len(a) - 1)) for a in (x, y)]
    expected = sum(within) - 2 * gram(x, y).mean()
    assert float(MMD("gaussian").between(x, y)) == pytest.approx(expected)


def test_mmd_get_config_refuses_a_tfp_kernel():
    kernel = tfp.math.psd_kernels.ExponentiatedQuadratic()
    with pytest.raises(ValueError, match="cannot be saved"):
        MMD(kernel).get_config()
    assert "MMD" in repr(MMD(kernel))
    assert repr(MMD("paper")) == "MMD(kernel='paper', estimator='unbiased', scales=None)"


def test_inverse_multiquadric_has_its_gradient():
    """d/dr^2 of C / (C + r^2) is -C / (C + r^2)^2."""
    squared, scales, dimension = tf.constant([0.0, 0.5, 7.0, 400.0]), (0.1, 2.0), 3
    with tf.GradientTape() as tape:
        tape.watch(squared)
        value = kernels.inverse_multiquadric(squared, dimension, scales)
    slope = tape.gradient(value, squared)
    squared, c = squared.numpy(), 2 * dimension * np.array(scales)[:, None]
    np.testing.assert_allclose(value, (c / (c + squared)).mean(0), rtol=1e-6)
    expected = (-c / (c + squared) ** 2).mean(0)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.parametrize(("size", "loops"), [(512, False), (513, True), (None, True)])
def test_kernel_sum_takes_one_block_where_batches_of_fit(size, loops):
    """Samples of unknown size: the graph has no loop where they fit, and the sums are the same."""

    def value_and_gradient(x):
        total = MMD("gaussian").between(x, x[:7] + 1)
        return total, tf.gradients(total, x)[0]

    traced = tf.function(value_and_gradient, autograph=False)
    with kernels.batches_of(size):
        graph = traced.get_concrete_function(tf.TensorSpec((None, 2))).graph
    assert (
        "While" in {op.type.removeprefix("Stateless") for op in graph.get_operations()}
    ) is loops
    x = tf.random.stateless_normal((30, 2), (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = MMD("gaussian").between(x, x[:7] + 1)
    expected = total, tape.gradient(total, x)
    for own, other in zip(traced(x), expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)
