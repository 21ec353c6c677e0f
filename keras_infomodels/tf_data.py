"""Options of `tf.data` that every layer takes."""

from functools import partial

import tensorflow as tf

from keras_infomodels import replicas

__all__ = ["epoch_counter", "untuned"]


def epoch_counter() -> tf.Variable:
    """Creates the counter of a dataset's epochs, which belongs to no strategy."""
    return replicas.outside_scope(partial(tf.Variable, 0, trainable=False, dtype=tf.int32))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset without tf.data's autotuning.

    A `fit` that does not exhaust its dataset ends only when the thread that tunes next wakes up,
    which may take as long again as the training did.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
