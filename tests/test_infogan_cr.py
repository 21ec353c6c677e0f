"""The contrastive regularizer of InfoGAN-CR against closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.distributions import Categorical, Code, Uniform
from keras_infomodels.models import InfoGAN, InfoGANCR

SEED = tf.constant([1, 2])


class Judge(keras.layers.Layer):
    """Logits - sharpness |x_j - x'_j| of a pair of images whose pixels are the codes."""

    def __init__(self, sharpness):
        super().__init__()
        self.sharpness = sharpness

    def call(self, pair):
        first, second = tf.split(pair, 2, axis=-1)
        return -self.sharpness * tf.abs(first - second)[:, -3:]


def transparent(sharpness, **settings):
    """An InfoGANCR whose generator returns its latents: one of noise, three codes."""
    z, x, pair = keras.Input((4,)), keras.Input((4,)), keras.Input((8,))
    generator = keras.Model(z, keras.layers.Activation("linear")(z))
    features = keras.layers.Dense(3)(x)
    discriminator = keras.Model(x, {"logits": keras.layers.Dense(1)(x), "features": features})
    network = keras.Model(pair, Judge(sharpness)(pair))
    codes = [Code(name, Uniform()) for name in "abc"]
    return InfoGANCR(generator, discriminator, 1, codes, contrastive_network=network, **settings)


def information(model, n=4000, seed=SEED):
    return float(model.generate_batch(n, seed, False)["contrastive_information"])


def test_infogan_cr_information_is_0_where_h_guesses_and_ln_k_where_it_sees():
    assert information(transparent(0.0)) == pytest.approx(0, abs=1e-6)
    # A wrong code looks shared where two uniform draws agree to 1e-4: once in 10,000.
    assert information(transparent(1e5)) == pytest.approx(math.log(3), abs=5e-3)


def test_infogan_cr_information_is_the_mean_log_softmax_of_the_pairs():
    """Differences of the other two codes have the density 1 - t / 2 on [0, 2]; by quadrature."""
    sharpness = 2.0
    t = (np.arange(400) + 0.5) / 200  # |c - c'| of Uniform(-1, 1)
    density = (1 - t / 2) / 200
    inner = np.log(1 + np.exp(-sharpness * t)[:, None] + np.exp(-sharpness * t))
    expected = math.log(3) - density @ inner @ density
    # Four standard errors of 4,000 pairs, whose deviation is 0.3 nats.
    assert information(transparent(sharpness)) == pytest.approx(expected, abs=0.02)


def test_infogan_cr_pairs_share_the_noise_and_one_code():
    model = transparent(1.0)
    pairs = []
    model.contrastive_network = lambda pair, training: pairs.append(pair) or tf.zeros((50, 3))
    model.generate_batch(50, SEED, False)
    first, second = np.split(pairs[0].numpy(), 2, axis=1)
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    shared = first[:, 1:] == second[:, 1:]
    np.testing.assert_array_equal(shared.sum(axis=1), 1)
    assert (shared.sum(axis=0) >= 5).all()  # of 50, 17 each on average


def test_infogan_cr_terms_have_the_weight_in_both_players_objectives(make_gan, images):
    plain, model = make_gan(InfoGAN), make_gan(InfoGANCR, contrastive_weight=0.5)
    own, terms = (m.terms(images, None, SEED, False) for m in (plain, model))
    found = float(terms["contrastive_information"])
    assert found <= math.log(2)
    for name in ("loss", "discriminator_objective"):
        expected = float(own[name]) - 0.5 * found
        assert float(terms[name]) == pytest.approx(expected, rel=1e-5)
    assert model.ceilings(10)["contrastive_information"] == pytest.approx(math.log(2))


def test_infogan_cr_warmup_is_of_the_generator_alone(make_gan, images):
    model = make_gan(InfoGANCR, contrastive_warmup=10)
    plain = make_gan(InfoGAN)
    own, terms = (m.terms(images, None, SEED, True) for m in (plain, model))
    found = float(terms["contrastive_information"])
    assert float(terms["loss"]) == pytest.approx(float(own["loss"]), rel=1e-5)
    lost = float(own["discriminator_objective"] - terms["discriminator_objective"])
    assert lost == pytest.approx(found, abs=1e-5)


def test_infogan_cr_without_weight_is_the_infogan_bit_for_bit(make_gan, images):
    found = []
    for cls, settings in ((InfoGAN, {}), (InfoGANCR, {"contrastive_weight": 0.0})):
        model = make_gan(cls, **settings)
        model.run_eagerly = True
        logs = model.train_on_batch(images[:8], return_dict=True)
        found.append((logs, model.get_weights()))
    (logs, weights), (own_logs, own_weights) = found
    assert own_logs == logs
    for a, b in zip(weights, own_weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_infogan_cr_refuses_settings_that_make_no_sense(make_gan):
    with pytest.raises(ValueError, match="at least two codes, got 1"):
        make_gan(InfoGANCR, codes=[Code("digit", Categorical(4))])
    with pytest.raises(ValueError, match="contrastive_weight is a finite number of at least 0"):
        make_gan(InfoGANCR, contrastive_weight=-1.0)
    x = keras.Input((8, 8, 3))
    other = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    with pytest.raises(ValueError, match="takes pairs of shape"):
        make_gan(InfoGANCR, contrastive_network=other)
