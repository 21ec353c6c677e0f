"""The DIP-VAE's terms against encoders whose covariances are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.distributions import Gaussian, GaussianMixture
from keras_infomodels.models import DIPVAE, VAE

# A linear-Gaussian encoder: x has mean 0 and covariance SX exactly, and q(z|x) is normal with mean
# A x + b and standard deviations s = C x + d: Cov[mu] = A SX A' and E[s^2] = diag(C SX C') + d^2.
_rng = np.random.default_rng(5)
_factor = _rng.normal(size=(4, 4))
SX = _factor @ _factor.T / 4 + 0.2 * np.eye(4)
A, B = 0.6 * _rng.normal(size=(3, 4)), np.array([0.5, -1.0, 2.0])
C, D = 0.05 * _rng.normal(size=(3, 4)), np.array([0.4, 0.8, 1.1])
OF_MEANS = A @ SX @ A.T
OF_SAMPLES = OF_MEANS + np.diag(np.diag(C @ SX @ C.T) + D**2)
COVARIANCES = {"i": OF_MEANS, "ii": OF_SAMPLES}
SEED = tf.constant([1, 2])


@pytest.fixture(scope="module")
def x():
    """500 draws of a normal, moved and mixed to mean 0 and covariance SX exactly."""
    x = np.random.default_rng(0).normal(size=(500, 4))
    x -= x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(x.T @ x / len(x)), x.T).T
    return tf.constant(x @ np.linalg.cholesky(SX).T, tf.float32)


def linear(**settings):
    """A DIP-VAE with the encoder above."""
    x, z = keras.Input((4,)), keras.Input((3,))
    loc, scale = keras.layers.Dense(3), keras.layers.Dense(3)
    encoder = keras.Model(x, {"loc": loc(x), "scale": scale(x)})
    decoder = keras.Model(z, {"loc": keras.layers.Dense(4)(z)})
    loc.set_weights([A.T, B])
    scale.set_weights([C.T, D])
    return DIPVAE(encoder, decoder, None, Gaussian(0.5), **settings), loc


def off_diagonal(covariance):
    return covariance - np.diag(np.diag(covariance))


@pytest.mark.parametrize("dip_type", ["i", "ii"])
def test_dip_vae_terms_are_the_closed_forms_of_a_linear_encoder(x, dip_type):
    model, _ = linear(dip_type=dip_type, lambda_od=2.0, lambda_d=3.0)
    terms = {name: float(value) for name, value in model.terms(x, None, SEED, True).items()}
    covariance = COVARIANCES[dip_type]
    correlated = np.sum(off_diagonal(covariance) ** 2)
    apart = np.sum((np.diag(covariance) - 1) ** 2)
    assert correlated > 0.1
    assert abs(apart - correlated) > 0.1
    # The data have these moments exactly, so the tolerance is float32's.
    assert terms["covariance_off_diagonal"] == pytest.approx(correlated, rel=1e-4)
    assert terms["covariance_diagonal"] == pytest.approx(apart, rel=1e-4)
    loss = terms["reconstruction"] + terms["rate"] + 2.0 * correlated + 3.0 * apart
    assert terms["loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("dip_type", ["i", "ii"])
def test_dip_vae_gradient_of_the_penalty_is_the_closed_form(x, dip_type):
    """d penalty / d A = 2 G A SX, with G_ij = 2 lambda_od C_ij and G_ii = 2 lambda_d (C_ii - 1)."""
    model, loc = linear(dip_type=dip_type, lambda_od=2.0, lambda_d=3.0)
    with tf.GradientTape() as tape:
        penalty, _ = model.encoder_terms(model.encoder(x), x, None, SEED, True)
    found = tape.gradient(penalty, loc.kernel)
    covariance = COVARIANCES[dip_type]
    inner = 4.0 * off_diagonal(covariance) + 6.0 * np.diag(np.diag(covariance) - 1)
    np.testing.assert_allclose(found, (2 * inner @ A @ SX).T, rtol=1e-3, atol=1e-3)


def test_dip_vae_covariance_has_the_divisor_n():
    """Of m + a and m - a it is a a'; with the divisor n - 1 it were twice that."""
    model, _ = linear(dip_type="i")
    a = np.array([0.5, 2.0, -1.0], np.float32)
    means = tf.constant([B + a, B - a], tf.float32)
    parameters = {"loc": means, "scale": tf.ones((2, 3))}
    _, terms = model.encoder_terms(parameters, None, None, SEED, True)
    products = np.outer(a, a)
    correlated = np.sum(off_diagonal(products) ** 2)
    assert float(terms["covariance_off_diagonal"]) == pytest.approx(correlated, rel=1e-5)
    apart = np.sum((a**2 - 1) ** 2)
    assert float(terms["covariance_diagonal"]) == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize("dip_type", [pytest.param("i", marks=pytest.mark.slow), "ii"])
def test_dip_vae_without_weights_is_the_vae_bit_for_bit(make_model, images, dip_type):
    found = []
    for cls, settings in ((VAE, {}), (DIPVAE, {"dip_type": dip_type})):
        if cls is DIPVAE:
            settings |= {"lambda_od": 0.0, "lambda_d": 0.0}
        model = make_model(cls, **settings)
        model.run_eagerly = True
        logs = [model.train_on_batch(images[i : i + 10], return_dict=True) for i in (0, 10, 20)]
        found.append((logs, model.get_weights()))
    (logs, weights), (own_logs, own_weights) = found
    assert [{name: log[name] for name in logs[0]} for log in own_logs] == logs
    for a, b in zip(weights, own_weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_dip_vae_of_one_example_has_no_covariance_of_means(x):
    model, loc = linear(dip_type="i")
    with tf.GradientTape() as tape:
        penalty, terms = model.encoder_terms(model.encoder(x[:1]), x, None, SEED, True)
    assert float(terms["covariance_off_diagonal"]) == 0
    assert float(terms["covariance_diagonal"]) == 3
    np.testing.assert_array_equal(tape.gradient(penalty, loc.kernel), np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"dip_type": "iii"}, 'dip_type is "i" or "ii", got'),
        ({"lambda_od": -1.0}, "lambda_od is a finite number of at least 0"),
        ({"lambda_d": float("nan")}, "lambda_d is a finite number of at least 0"),
        ({"prior": GaussianMixture.ring()}, "StandardNormal; take this prior"),
    ],
)
def test_dip_vae_refuses_settings_that_make_no_sense(make_model, settings, what):
    with pytest.raises(ValueError, match=what):
        make_model(DIPVAE, **settings)
