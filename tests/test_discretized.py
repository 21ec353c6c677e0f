"""Likelihoods of 8-bit values, and the deviation that all pixels share."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from scipy import optimize, stats

from keras_infomodels import VAE, distributions, networks
from keras_infomodels.distributions.discretized import (
    DiscretizedGaussianPixel,
    DiscretizedLogisticPixel,
)
from keras_infomodels.models.autoencoder.shared_scale import FLOOR

BYTES = np.arange(256, dtype=np.float32) / 255
PIXELS = ((DiscretizedLogisticPixel, stats.logistic), (DiscretizedGaussianPixel, stats.norm))
SETTINGS = [(0.5, 0.1), (0.0, 0.01), (1.0, 0.003), (0.3, 1.0), (0.7, 5.0), (-2.0, 0.05)]


def log_probs(pixel, loc, scale):
    ones = tf.ones(256)
    return pixel(loc * ones, scale * ones).log_prob(BYTES).numpy().astype(np.float64)


@pytest.mark.parametrize(("pixel", "continuous"), PIXELS)
@pytest.mark.parametrize(("loc", "scale"), SETTINGS)
def test_discretized_pixel_log_prob_is_that_of_bins(pixel, continuous, loc, scale):
    """SciPy's probabilities of the 256 bins, by whichever tail does not cancel; they sum to 1."""
    found = log_probs(pixel, loc, scale)
    np.testing.assert_allclose(np.exp(found).sum(), 1, atol=1e-5)
    edges = (np.arange(1, 256) / 255 - 1 / 510 - np.float32(loc)) / np.float32(scale)
    below = np.concatenate([[0], continuous.cdf(edges), [1]])
    above = np.concatenate([[1], continuous.sf(edges), [0]])
    probabilities = np.where(loc < BYTES, above[:-1] - above[1:], below[1:] - below[:-1])
    seen = probabilities > 1e-250
    assert seen.sum() > 20 or loc < 0
    np.testing.assert_allclose(found[seen], np.log(probabilities[seen]), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("pixel", [pixel for pixel, _ in PIXELS])
def test_discretized_pixel_has_finite_gradients_far_away(pixel):
    loc, scale = tf.Variable([0.0, 1.0, 0.5]), tf.Variable([0.002, 0.002, 10.0])
    with tf.GradientTape() as tape:
        value = pixel(loc, scale).log_prob([1.0, 0.0, 0.5])
    assert np.isfinite(value).all()
    for gradient in tape.gradient(value, [loc, scale]):
        assert np.isfinite(gradient).all()


def test_discretized_logistic_of_uniform_bytes_is_8_276_bits():
    """A uniform pmf has 8 bits; the best logistic's cross-entropy with it is known."""
    cost = lambda s: -log_probs(DiscretizedLogisticPixel, 0.5, np.float32(np.exp(s))).mean()  # noqa: E731
    best = optimize.minimize_scalar(cost, bounds=(-3, 1), method="bounded")
    assert best.fun / np.log(2) == pytest.approx(8.276, abs=5e-4)


@pytest.mark.parametrize("pixel", [pixel for pixel, _ in PIXELS])
def test_discretized_pixel_samples_are_bytes_of_its_frequencies(pixel):
    draws = pixel(tf.constant(0.2), tf.constant(0.1)).sample(100_000, seed=(1, 2)).numpy() * 255
    np.testing.assert_allclose(draws, np.round(draws), atol=1e-4)
    counts = np.bincount(np.round(draws).astype(int), minlength=256) / len(draws)
    assert np.abs(counts - np.exp(log_probs(pixel, 0.2, 0.1))).sum() < 0.05


@pytest.mark.parametrize(("pixel", "continuous"), PIXELS)
@pytest.mark.parametrize(("loc", "scale"), SETTINGS)
def test_discretized_pixel_mean_is_the_sum_over_bytes(pixel, continuous, loc, scale):
    probabilities = np.exp(log_probs(pixel, loc, scale))
    found = pixel([loc, loc], [scale, scale]).mean()
    np.testing.assert_allclose(found, [(probabilities * BYTES).sum()] * 2, atol=1e-5)


@pytest.mark.parametrize(("loc", "scale"), SETTINGS)
def test_discretized_logistic_mean_is_the_sum_over_bytes_up_to_half_a_byte(loc, scale):
    likelihood = distributions.DiscretizedLogistic()
    parameters = {"loc": tf.constant([loc]), "scale": tf.constant([scale])}
    exact = (np.exp(log_probs(DiscretizedLogisticPixel, loc, scale)) * BYTES).sum()
    accuracy = 1e-4 if scale > 0.02 else 1 / 510
    assert float(likelihood.mean(parameters)[0]) == pytest.approx(exact, abs=accuracy)


def small_vae(likelihood, seed=0):
    likelihood = distributions.likelihood(likelihood)
    keras.utils.set_random_seed(seed)
    encoder = networks.MLPEncoder((4, 3, 3), 2, widths=(8,))
    decoder = networks.MLPDecoder((4, 3, 3), 2, widths=(8,), parameters=likelihood.parameters)
    return VAE(encoder, decoder, likelihood=likelihood)


def byte_images(count=24):
    images = np.random.default_rng(0).integers(256, size=(count, 4, 3, 3))
    return (images / 255).astype(np.float32)


@pytest.mark.parametrize("name", ["discretized_logistic", "discretized_gaussian"])
def test_bits_per_dim_is_the_bound_in_bits_of_a_pixel(name):
    model, x = small_vae(name), byte_images()
    model.compile()
    found = model.evaluate(x, verbose=0, return_dict=True)
    bound = found["reconstruction"] + found["rate"]
    assert found["bits_per_dim"] == pytest.approx(bound / (36 * np.log(2)), rel=1e-5)
    assert found["bits_per_dim"] > 8


def test_bits_per_dim_is_refused_for_pixels_between_bytes():
    model, x = small_vae("discretized_logistic"), byte_images()
    model.compile("sgd")
    x[-1, 0, 0, 0] += 0.5 / 255
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="bytes divided by 255"):
            call(x, verbose=0)
    later = tf.data.Dataset.from_tensor_slices(x).batch(8)
    with pytest.raises(FloatingPointError, match="bytes divided by 255"):
        model.fit(later, verbose=0)


def test_bits_per_dim_is_absent_for_densities():
    assert "bits_per_dim" not in small_vae("shared_gaussian").term_names()
    assert "bits_per_dim" not in small_vae("bernoulli_stochastic").term_names()


def test_shared_gaussian_takes_the_error_of_the_batch():
    """-log p at the best sigma is D/2 (ln(2 pi MSE) + 1), of a batch in training."""
    model, x = small_vae("shared_gaussian"), tf.constant(byte_images())
    z = tf.zeros((24, 2))
    mse = np.mean((x - model.decoder(z)["loc"]) ** 2)
    found = model.observation(z, x, training=True).log_prob(x)
    assert -np.mean(found) == pytest.approx(18 * (np.log(2 * np.pi * mse) + 1), rel=1e-5)
    # The first batch alone makes the average that is used from then on.
    assert float(model.shared_scale.value) == pytest.approx(np.sqrt(mse), rel=1e-6)
    model.observation(z, 0 * x, training=True)
    second = np.mean(model.decoder(z)["loc"] ** 2)
    assert float(model.shared_scale.value) == pytest.approx(np.sqrt((mse + second) / 2), rel=1e-6)
    before = model.decode(z).log_prob(x)
    np.testing.assert_allclose(model.observation(z, x, training=False).log_prob(x), before)


def test_shared_gaussian_has_a_floor_and_outlives_nan():
    model, z = small_vae("shared_gaussian"), tf.zeros((2, 2))
    model.observation(z, model.decoder(z)["loc"], training=True)
    assert float(model.shared_scale.value) == pytest.approx(FLOOR) == 1 / (255 * np.sqrt(12))
    model.observation(z, np.nan * model.decoder(z)["loc"], training=True)
    assert float(model.shared_scale.value) == pytest.approx(FLOOR)


def test_shared_gaussian_is_saved_with_the_weights(tmp_path):
    model, x = small_vae("shared_gaussian"), byte_images()
    model.compile("sgd", run_eagerly=True)
    model.fit(x, verbose=0)
    assert float(model.shared_scale.value) < 0.6
    expected = model.evaluate(x, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        keras.models.load_model(tmp_path / "model.keras"),
        VAE.from_preset(tmp_path / "preset"),
    ):
        loaded.compile(run_eagerly=True)
        np.testing.assert_allclose(loaded.evaluate(x, verbose=0), expected, rtol=1e-6)


def test_gaussian_refuses_another_sigma():
    for sigma in (0, -1, "common"):
        with pytest.raises(ValueError, match="sigma is a positive number"):
            distributions.Gaussian(sigma)


def test_portable_log_prob_and_mean_are_right_in_tflite_far_from_the_mode():
    """TFLite's softplus ends at 88.7; pixels may lie 500 scales from the location.

    At a scale of 50 a byte has the probability 1/(255 * 4 * 50), and 1 - exp would lose digits.
    """
    likelihood = distributions.DiscretizedLogistic()
    loc, scale = np.float32([[0, 1, 0.5, 1, 0.5]]), np.float32([[0.002, 0.002, 0.002, 0.5, 50]])
    x = np.float32([[1.0, 0.0, 1.0, 0.0, 128 / 255]])
    expected = likelihood.distribution({"loc": loc, "scale": scale}).log_prob(x)
    assert float(expected[0]) < -1000

    def outputs(loc, scale, x):
        parameters = {"loc": loc, "scale": scale}
        score = distributions.portable_log_prob(likelihood.distribution(parameters), x)
        return score, likelihood.mean(parameters)

    one = distributions.portable_log_prob(
        likelihood.distribution({"loc": loc[:, 4:], "scale": scale[:, 4:]}), x[:, 4:]
    )
    np.testing.assert_allclose(one, [-np.log(255 * 4 * 50)], rtol=1e-6)
    spec = tf.TensorSpec((1, 5), tf.float32)
    function = tf.function(outputs).get_concrete_function(spec, spec, spec)
    assert not {"Expm1", "MulNoNan"} & {op.type for op in function.graph.get_operations()}  # ONNX
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    given = {"loc": loc, "scale": scale, "x": x}
    for detail in interpreter.get_input_details():
        name = detail["name"].partition(":")[0].removeprefix("serving_default_")
        interpreter.set_tensor(detail["index"], given[name])
    interpreter.invoke()
    found = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    found.sort(key=np.size)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    np.testing.assert_allclose(found[1], [[0.0014, 0.9986, 0.5, 0.7169, 0.5]], atol=1e-4)
