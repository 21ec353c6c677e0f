"""Measurement of the information at the end of an evaluation."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.spec import check_int

__all__ = ["InformationReader", "Table", "reader_among"]


class InformationReader(keras.callbacks.Callback):
    """Callback that measures information at the end of an evaluation.

    It runs before the other callbacks of `fit`, so that the information is measured with the
    evaluated weights (`SwapEMAWeights` and `WeightAverage` swap the weights back at the end of an
    evaluation).

    Args:
        every: int. Number of epochs of `fit` between two measurements. The last epoch is always
            measured. 0 measures none.

    Attributes:
        read: function. Measures the information. `evaluate` sets it.
        glance: function. Cheaper measurement for epochs before the last, from data that the
            evaluation stored. It returns None if nothing was stored. `evaluate` sets it.
    """

    def __init__(self, every: int = 1):
        super().__init__()
        self.every = check_int("information_freq", every, 0)
        self.read: Callable[[], dict] = dict
        self.glance: Callable[[], dict | None] = lambda: None
        self._found: dict | None = None
        self._epoch: int | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_test_begin(self, logs=None):
        self._found = None

    def on_test_end(self, logs=None):
        # After an evaluation that failed there is nothing to measure.
        finite = np.isfinite([*(logs or {}).values()]).all()
        self._found = self._measured() if finite else {}

    def _measured(self) -> dict:
        if self._epoch is None:  # `evaluate` was called outside of `fit`
            return self.read()
        last = self._epoch + 1 == self.params.get("epochs")
        if not self.every or ((self._epoch + 1) % self.every and not last):
            return {}
        found = None if last else self.glance()
        return self.read() if found is None else found

    def result(self) -> dict:
        """Returns the last measurement, or measures now if there is none."""
        return self.read() if self._found is None else self._found


class Table:
    """Rows that the steps of an evaluation write in order, in one variable.

    The variable is not part of a model, so that weights files do not contain it.

    Args:
        rows: int. Number of rows that are kept. Later rows are dropped.
    """

    def __init__(self, rows: int):
        self._limit = rows
        self._rows = self._count = None

    def reset(self):
        """Discards the rows."""
        if self._rows is not None:
            self._count.assign(0)

    def add(self, rows: tf.Tensor):
        """Adds the rows of a batch, (batch, columns), within a graph or eagerly.

        On several replicas, the rows of all replicas are added, by one replica of each process.
        """
        if not replicas.is_first_here():
            return
        if self._rows is None:
            replicas.outside_scope(self._make, rows.shape[1])
        start, size = self._count.read_value(), tf.shape(rows)[0]
        places = tf.minimum(start + tf.range(size), self._limit)
        self._rows.scatter_nd_update(places[:, None], rows)
        self._count.assign(tf.minimum(start + size, self._limit))

    def _make(self, columns: int):
        with tf.init_scope():
            # One row more takes what is dropped: XLA needs writes of one size.
            self._rows = tf.Variable(tf.zeros((self._limit + 1, columns)), trainable=False)
            self._count = tf.Variable(0, trainable=False)

    def rows(self) -> np.ndarray:
        """Returns the rows since `reset`, float32 (n, columns)."""
        if self._rows is None:
            return np.empty((0, 0), np.float32)
        return self._rows.numpy()[: int(self._count)]


def reader_among(callbacks, read: Callable[[], dict]) -> InformationReader:
    """Returns the reader in the callbacks of `fit`, or a new one, and sets its function `read`."""
    reader = (
        next(
            (
                each
                for each in getattr(callbacks, "callbacks", ())
                if isinstance(each, InformationReader)
            ),
            None,
        )
        or InformationReader()
    )
    reader.read = read
    return reader
