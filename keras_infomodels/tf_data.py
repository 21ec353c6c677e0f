"""Options of `tf.data` that every layer takes."""

import tensorflow as tf

__all__ = ["untuned"]


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset with tf.data's autotuning off.

    A `fit` that does not exhaust its dataset ends only when the thread that tunes next wakes up,
    which may take as long again as the training did.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
