"""Options of `tf.data` that every layer takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial

import tensorflow as tf

from keras_infomodels import replicas

__all__ = ["epoch_counter", "untuned", "without_tuning"]


def epoch_counter() -> tf.Variable:
    """Creates the counter of a dataset's epochs, which belongs to no strategy."""
    return replicas.outside_scope(partial(tf.Variable, 0, trainable=False, dtype=tf.int32))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset without tf.data's autotuning.

    The thread that tunes an iterator may miss that the iterator is deleted: TensorFlow 2.21 wakes
    it before the mark that it looks for is set. Deletion then waits until the thread wakes by
    itself, which takes as long again as the iteration did, at most a minute. Keras deletes an
    iterator at the end of each epoch.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


_in_untuned = ContextVar("in_untuned", default=False)


@contextmanager
def without_tuning() -> Iterator[None]:
    """Context manager in which no iterator is tuned, as of `untuned` datasets.

    It includes the iterators that Keras creates for arrays, and those that a strategy creates for
    each device, which do not have the options of the dataset. A dataset whose option
    `autotune.enabled` is set keeps it.
    """
    _watch_iterators()
    token = _in_untuned.set(True)
    try:
        yield
    finally:
        _in_untuned.reset(token)


@cache
def _watch_iterators():
    """Makes new iterators of this process obey `without_tuning`.

    TensorFlow has no public place for this: each new iterator calls a private method that applies
    the options of tf.data's debug mode. If a later version has no such method, nothing is changed.
    """
    options_of = getattr(tf.data.Dataset, "_apply_debug_options", None)
    if options_of is None:
        return

    def apply_options(dataset):
        dataset = options_of(dataset)
        keeps = not _in_untuned.get() or dataset.options().autotune.enabled is not None
        return dataset if keeps else untuned(dataset)

    tf.data.Dataset._apply_debug_options = apply_options
