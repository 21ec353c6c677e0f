"""The Bernoulli distribution of pixels, against TFP's own."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions.binary import BernoulliPixel

tfd = tfp.distributions
LOGITS = tf.constant([0.0, -0.0, 1e-3, 3.0, -3.0, 50.0, -50.0, 200.0, -200.0, np.inf, -np.inf])


def test_bernoulli_pixel_log_prob_and_its_gradients_are_those_of_tfp():
    for x in (0.0, 1.0, 0.3):
        found = []
        for cls in (tfd.Bernoulli, BernoulliPixel):
            logits, pixels = tf.identity(LOGITS), tf.fill(LOGITS.shape, x)
            with tf.GradientTape() as tape:
                tape.watch([logits, pixels])
                log_prob = cls(logits=logits, dtype=tf.float32).log_prob(pixels)
            found.append([log_prob, *tape.gradient(log_prob, [logits, pixels])])
        for expected, actual in zip(*found, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


def test_bernoulli_pixel_log_prob_broadcasts_and_differentiates_twice():
    logits, x = tf.random.normal((2, 3), seed=0), tf.constant(np.eye(3), tf.float32)[:, None]
    with tf.GradientTape() as outer, tf.GradientTape() as inner:
        outer.watch(logits)
        inner.watch(logits)
        log_prob = BernoulliPixel(logits=logits).log_prob(x)  # x is (3, 1, 3)
        slope = inner.gradient(log_prob, logits)
    expected = tfd.Bernoulli(logits=logits).log_prob(x)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-6, atol=1e-6)
    p = tf.sigmoid(logits)
    np.testing.assert_allclose(outer.gradient(slope, logits), -3 * p * (1 - p), rtol=1e-5)


def test_bernoulli_pixel_of_probabilities_is_tfps():
    x = tf.constant([0.0, 1.0])
    actual = BernoulliPixel(probs=[0.3, 0.3], dtype=tf.float32).log_prob(x)
    np.testing.assert_allclose(actual, np.log([0.7, 0.3]), rtol=1e-6)
    kl = tfd.kl_divergence(BernoulliPixel(logits=1.0), tfd.Bernoulli(logits=0.0))
    expected = tfd.kl_divergence(tfd.Bernoulli(logits=1.0), tfd.Bernoulli(logits=0.0))
    np.testing.assert_allclose(kl, expected)
