"""Largest and smallest pixels and labels of the batches, for error messages."""

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.datasets.checks import Pixels, label_problem

__all__ = ["Extremes"]

_START = np.full(5, -np.inf, np.float32)


class Extremes:
    """Largest and smallest pixels and labels of the batches, in a variable updated by each step.

    The variable is not part of a model, so that weights files do not contain it.

    Args:
        pixels: `Pixels`. Allowed pixel values.
        classes: int. Number of classes of the labels. `None` if labels are not used.
    """

    def __init__(self, pixels: Pixels, classes: int | None):
        self.pixels = pixels
        self.classes = classes
        with tf.init_scope():
            # -low, high and grey of `Pixels.problem`, then -low and high of the labels.
            # On several replicas all have the same extremes, of the whole batch.
            self._values = tf.Variable(
                _START,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

    def reset(self):
        """Discards the batches so far."""
        self._values.assign(_START)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Context manager that raises ValueError at its end if a batch had values not allowed."""
        self.reset()
        yield
        if problem := self.problem():
            raise ValueError(problem)

    def see(self, x: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Updates the largest and smallest values with a batch, in a graph or eagerly.

        Args:
            x: tensor (batch, ...). Images.
            labels: tensor (batch,), or None.

        Returns:
            Scalar tensor: 0.0, or NaN if a pixel is not allowed. Add it to a loss; the NaN then
            stops the training. Assertions are not used, because XLA drops them.
        """
        of_pixels = self.pixels.extremes(x)
        of_labels = tf.constant(_START[3:])
        if self.classes is not None and labels is not None:
            labels = tf.cast(labels, tf.float32)
            of_labels = tf.stack([-tf.reduce_min(labels), tf.reduce_max(labels)])
        seen = replicas.maximum(tf.concat([of_pixels, of_labels], axis=0))
        self._values.assign(tf.maximum(self._values, seen))
        return tf.where(self.pixels.allow(seen[:3]), 0.0, np.nan)

    def problem(self) -> str | None:
        """Returns an error message about the batches since `reset`; None if all are allowed."""
        low, high, grey, label_low, label_high = self._values.numpy() * [-1, 1, 1, -1, 1]
        if high == -np.inf:  # nothing was seen
            return None
        problem = self.pixels.problem(low, high, grey)
        if problem is None and self.classes is not None and label_high > -np.inf:
            problem = label_problem(label_low, label_high, self.classes)
        return problem
