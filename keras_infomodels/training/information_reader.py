"""Measurement of the information at the end of an evaluation."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.spec import check_int

__all__ = ["InformationReader", "Table", "reader_among"]


class InformationReader(keras.callbacks.Callback):
    """Measures at the end of an evaluation, with the weights that were evaluated.

    It stands before the other callbacks of `fit`: `SwapEMAWeights` and `WeightAverage` put other
    weights back at the end of an evaluation.

    Args:
        every: int. Epochs of `fit` from one measurement to the next; the last epoch is measured
            too. 0 measures none.

    Attributes:
        read: function that measures. `evaluate` sets it.
        glance: function that measures from what the evaluation has kept, for the epochs before the
            last; it returns `None` where nothing was kept. `evaluate` sets it.
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
        # Of an evaluation that failed there is nothing to measure.
        finite = np.isfinite([*(logs or {}).values()]).all()
        self._found = self._measured() if finite else {}

    def _measured(self) -> dict:
        if self._epoch is None:  # no part of `fit`
            return self.read()
        last = self._epoch + 1 == self.params.get("epochs")
        if not self.every or ((self._epoch + 1) % self.every and not last):
            return {}
        found = None if last else self.glance()
        return self.read() if found is None else found

    def result(self) -> dict:
        """What was measured; measured now where no evaluation called this callback."""
        return self.read() if self._found is None else self._found


class Table:
    """Rows that the steps of an evaluation write, in their order, in one variable.

    The variable belongs to no model, so that files of weights do not hold it.

    Args:
        rows: int. Rows that are kept; later ones are dropped.
    """

    def __init__(self, rows: int):
        self._limit = rows
        self._rows = self._count = None

    def reset(self):
        """Forgets the rows."""
        if self._rows is not None:
            self._count.assign(0)

    def add(self, rows: tf.Tensor):
        """Adds the rows of a batch, (batch, columns), within a graph or outside."""
        if self._rows is None:
            with tf.init_scope():
                # One row more takes what is dropped: XLA needs writes of one size.
                zeros = tf.zeros((self._limit + 1, rows.shape[1]))
                self._rows = tf.Variable(zeros, trainable=False)
                self._count = tf.Variable(0, trainable=False)
        start, size = self._count.read_value(), tf.shape(rows)[0]
        places = tf.minimum(start + tf.range(size), self._limit)
        self._rows.scatter_nd_update(places[:, None], rows)
        self._count.assign(tf.minimum(start + size, self._limit))

    def rows(self) -> np.ndarray:
        """The rows since `reset`, float32 (n, columns)."""
        if self._rows is None:
            return np.empty((0, 0), np.float32)
        return self._rows.numpy()[: int(self._count)]


def reader_among(callbacks, read: Callable[[], dict]) -> InformationReader:
    """The reader of a list of callbacks that `fit` made, or one that nobody calls; it reads so."""
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
