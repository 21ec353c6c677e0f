"""Terms of the loss written out: which draw, which data and which network each is of."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.distributions import code_distribution
from keras_infomodels.models import VAE, AdversarialAutoencoder

SEED = (1, 2)


def seeds_of_a_step():
    """Of the data, of the posterior and of the prior."""
    return tf.unstack(tf.random.experimental.stateless_split(SEED, num=3))


def test_vae_terms_reconstruction_is_of_a_draw_of_the_posterior(make_model):
    model = make_model(VAE)
    grey = tf.fill((6, 8, 8, 1), 0.5)
    data_seed, posterior_seed, _ = seeds_of_a_step()
    x = model.likelihood.observe(grey, data_seed)
    assert set(np.unique(x)) == {0, 1}
    z = code_distribution(model.encoder(x)).sample(seed=posterior_seed)
    expected = -tf.reduce_mean(model.decode(z).log_prob(x))
    terms = model.terms(grey, None, tf.constant(SEED), training=True)
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-5)


def test_aae_terms_show_the_discriminator_draws_and_not_means(make_model, images):
    model = make_model(AdversarialAutoencoder, likelihood="bernoulli_threshold")
    bias = model.encoder.get_layer("raw_scale").bias
    bias.assign(bias + 3)  # a posterior whose draws are far from its mean
    _, posterior_seed, prior_seed = seeds_of_a_step()
    q = code_distribution(model.encoder(model.likelihood.observe(images, None)))
    prior = model.prior.distribution()

    def loss(z):
        return float(model.divergence.discriminator_loss(z, prior, prior_seed))

    expected = loss(q.sample(seed=posterior_seed))
    assert abs(expected - loss(q.mean())) > 1e-2
    terms = model.terms(tf.constant(images), None, tf.constant(SEED), training=True)
    assert float(terms["discriminator_loss"]) == pytest.approx(expected, rel=1e-5)


def test_vae_terms_hold_regularizers_of_both_networks():
    def dense(units, factor):
        return keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(factor))

    x, z = keras.Input((4,)), keras.Input((2,))
    loc, logits = dense(2, 2.0), dense(4, 3.0)
    encoder = keras.Model(x, {"loc": loc(x), "scale": keras.layers.Dense(2, "softplus")(x)})
    model = VAE(encoder, keras.Model(z, {"logits": logits(z)}))
    terms = model.terms(tf.zeros((5, 4)), None, tf.constant(SEED), training=False)
    penalties = 2 * np.sum(np.square(loc.kernel)) + 3 * np.sum(np.square(logits.kernel))
    left = terms["loss"] - terms["reconstruction"] - terms["rate"]
    assert float(left) == pytest.approx(penalties, rel=1e-4)
