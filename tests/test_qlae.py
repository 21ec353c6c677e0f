"""QLAE: the quantizer, its terms and its information against closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import networks
from keras_infomodels.distributions import Gaussian
from keras_infomodels.models import QLAE, InfoVAE

SEED = tf.constant([1, 2])
POINTS = np.array([[0.4, -0.05], [-0.3, 9.0], [0.05, 0.2]], np.float32)


def identity(**settings):
    """A QLAE of two numbers whose encoder returns them as they are, and the decoder too."""
    x, z = keras.Input((2,)), keras.Input((2,))
    encoder = keras.Model(x, {"loc": keras.layers.Dense(2, name="loc")(x)})
    decoder = keras.Model(z, {"loc": keras.layers.Dense(2, name="loc")(z)})
    for network in (encoder, decoder):
        network.get_layer("loc").set_weights([np.eye(2), np.zeros(2)])
    return QLAE(encoder, decoder, Gaussian(1.0), **settings)


def test_qlae_takes_the_nearest_of_the_values_of_each_latent_variable():
    model = identity(num_values=3)  # -1/2, 0, 1/2
    np.testing.assert_array_equal(model.codebook, [[-0.5, 0, 0.5]] * 2)
    expected = np.float32([[0.5, 0], [-0.5, 0.5], [0, 0]])
    np.testing.assert_array_equal(model.encode(POINTS).mean(), expected)
    np.testing.assert_array_equal(model.encode_indices(POINTS), [[2, 1], [0, 2], [1, 1]])


def test_qlae_terms_are_their_closed_forms():
    model = identity(num_values=3, quantization_weight=2.0, commitment_weight=3.0)
    terms = {n: float(v) for n, v in model.terms(POINTS, None, SEED, True).items()}
    z = np.array([[0.5, 0], [-0.5, 0.5], [0, 0]])
    squared = np.mean(np.sum((POINTS - z) ** 2, axis=1))
    assert terms["quantization"] == pytest.approx(squared, rel=1e-6)
    assert terms["commitment"] == pytest.approx(squared, rel=1e-6)
    assert terms["rate"] == pytest.approx(2 * math.log(3))
    reconstruction = squared / 2 + math.log(2 * math.pi)
    assert terms["reconstruction"] == pytest.approx(reconstruction, rel=1e-6)
    assert terms["loss"] == pytest.approx(reconstruction + 5 * squared, rel=1e-6)


def test_qlae_gradients_are_straight_through_to_y_and_of_the_quantization_alone_to_the_values():
    model = identity(num_values=3, quantization_weight=2.0, commitment_weight=3.0)
    values, bias = model.prior.quantizer.values, model.encoder.get_layer(index=1).variables[1]
    with tf.GradientTape() as tape:
        loss = model.terms(POINTS, None, SEED, True)["loss"]
    of_values, of_bias = tape.gradient(loss, [values.value, bias.value])
    z = np.array([[0.5, 0], [-0.5, 0.5], [0, 0]])
    apart = POINTS - z
    # Gaussian(1): d reconstruction / d z = z - x, which passes to y as it is.
    np.testing.assert_allclose(of_bias, np.mean(-apart + 2 * 3.0 * apart, axis=0), rtol=1e-5)
    expected = np.zeros((2, 3))
    for i, j in np.ndindex(apart.shape):
        expected[j, int(2 * z[i, j] + 1)] -= 2 * 2.0 * apart[i, j] / 3
    np.testing.assert_allclose(of_values, expected, rtol=1e-5, atol=1e-7)


def test_qlae_mutual_information_is_the_entropy_of_the_index():
    model = identity(num_values=2)  # -1/2 and 1/2
    model.compile("adam")
    counts = {(-0.4, -0.4): 4, (-0.4, 0.4): 2, (0.4, 0.4): 2}
    x = np.concatenate([np.tile(np.float32([p]), (n, 1)) for p, n in counts.items()])
    x += np.linspace(-0.1, 0.1, 8, dtype=np.float32)[:, None]  # distinct points of equal index
    assert model.mutual_information(x).nats == pytest.approx(1.5 * math.log(2))
    assert model.ceilings(8) == {"mutual_information": pytest.approx(2 * math.log(2))}


def test_qlae_draws_its_prior_evenly_from_the_present_values():
    model = identity(num_values=3)
    model.prior.quantizer.values.assign([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    z = model.prior.distribution().sample(3000, seed=[0, 1]).numpy()
    for column, scale in zip(z.T, (1, 10), strict=True):
        found, counts = np.unique(column, return_counts=True)
        np.testing.assert_array_equal(found, scale * np.array([1, 2, 3]))
        # Four standard errors of a share of 1/3.
        np.testing.assert_allclose(counts / 3000, 1 / 3, atol=4 * math.sqrt(2 / 9 / 3000))
    np.testing.assert_array_equal(model.generate(5, seed=3), model.generate(5, seed=3))
    assert set(model.generate(50, seed=3).numpy()[:, 0].round(4)) <= {1, 2, 3}


def test_qlae_export_signature_generate_takes_places_among_the_values():
    model = identity(num_values=3)
    model.prior.quantizer.values.assign([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    places = np.float32([[-1, 1], [-0.3, 0.3], [0.5, -0.5]])
    images = model.export_signatures()["generate"].function(position=tf.constant(places))["image"]
    np.testing.assert_array_equal(images, [[1, 30], [2, 20], [3, 10]])


def test_qlae_with_many_values_is_the_deterministic_infovae_up_to_a_value_s_width(images):
    """With K values on [-1/2, 1/2] a latent variable moves by at most 1 / (2 (K - 1))."""
    shared = {"image_shape": images.shape[1:], "latent_dim": 2, "widths": (8,)}
    keras.utils.set_random_seed(0)
    encoder = networks.MLPEncoder(**shared, min_stddev=None)
    encoder.get_layer("loc").set_weights([w * 0.05 for w in encoder.get_layer("loc").get_weights()])
    decoder = networks.MLPDecoder(**shared)
    plain = InfoVAE(encoder, decoder, None, "bernoulli_threshold", alpha=1.0, lambda_=1e-3)
    model = QLAE(encoder, decoder, "bernoulli_threshold", num_values=10_001)
    z, own = plain.encode(images[:8]).mean().numpy(), model.encode(images[:8]).mean().numpy()
    assert np.abs(z).max() < 0.5
    np.testing.assert_allclose(own, z, atol=5.1e-5)


def test_qlae_refuses_what_it_cannot_quantize():
    shared = {"image_shape": (6, 6, 1), "latent_dim": 2, "widths": (4,)}
    decoder = networks.MLPDecoder(**shared)
    with pytest.raises(ValueError, match=r"deterministic.*min_stddev=None"):
        QLAE(networks.MLPEncoder(**shared), decoder)
    with pytest.raises(ValueError, match="num_values is an integer of at least 2"):
        QLAE(networks.MLPEncoder(**shared, min_stddev=None), decoder, num_values=1)
