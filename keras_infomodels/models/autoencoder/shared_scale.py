"""Standard deviation that all pixels of a Gaussian likelihood share."""

import math

import keras
import tensorflow as tf

from keras_infomodels import replicas

__all__ = ["FLOOR", "SharedScale"]

FLOOR = 1 / (255 * math.sqrt(12))
"""Standard deviation of the error of rounding to bytes."""

_LEAST_RATE = 0.01


class SharedScale(keras.layers.Layer):
    """Layer that estimates one standard deviation for all pixels of a Gaussian likelihood.

    In training the standard deviation is the root mean square error of the batch, which maximizes
    the log-likelihood of the batch, so no gradient is needed. In evaluation it is the moving
    average of these values. Source: Rybkin, Daniilidis and Levine, 2020, section 3.
    """

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.variance = self.add_weight((), "ones", trainable=False, name="variance")
        self.steps = self.add_weight((), "zeros", trainable=False, name="steps")
        self.built = True

    @property
    def value(self) -> tf.Tensor:
        """Moving average over about the last hundred batches of training, a scalar."""
        return tf.sqrt(tf.convert_to_tensor(self.variance))

    def fit(self, loc: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns the value for one batch, and adds it to the moving average.

        Args:
            loc: tensor (batch, ...). Predicted pixels.
            x: tensor (batch, ...). True pixels.
        """
        error = replicas.mean(tf.square(x - tf.cast(loc, tf.float32)))
        variance = tf.stop_gradient(tf.maximum(error, FLOOR**2))
        steps = tf.convert_to_tensor(self.steps) + 1
        old = tf.convert_to_tensor(self.variance)
        rate = tf.maximum(1 / steps, _LEAST_RATE)
        new = (1 - rate) * old + rate * variance
        # The update of such a batch is skipped; the average must not take it in either.
        finite = tf.math.is_finite(new)
        self.variance.assign(tf.where(finite, new, old))
        self.steps.assign(tf.where(finite, steps, steps - 1))
        return tf.sqrt(variance)
