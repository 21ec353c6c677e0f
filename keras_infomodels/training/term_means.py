"""Means of named terms over an epoch, in one variable."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

__all__ = ["TermMeans"]


class TermMeans:
    """Weighted means of scalars by name, updated by one operation.

    Args:
        names: list of str. Names of the terms.

    Attributes:
        metrics: list of Keras metrics. One metric for each term, in the order of the names.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        first = _TermMean(self.names[0])
        table = first.add_variable((2, len(self.names)), "zeros", "float32", name="terms")
        self._table = table  # sums in row 0, counts in row 1
        self.metrics = [first, *map(_TermMean, self.names[1:])]
        for column, metric in enumerate(self.metrics):
            metric.attach(table, column)

    def add(self, terms: Mapping[str, tf.Tensor], counts: Mapping[str, tf.Tensor]):
        """Adds a batch.

        Args:
            terms: dict of scalars. Mean of each term over the batch.
            counts: dict of scalars. Number of examples in each mean.
        """
        counts = tf.stack([tf.cast(counts[name], tf.float32) for name in self.names])
        values = tf.stack([tf.cast(terms[name], tf.float32) for name in self.names])
        # One operation for all terms, where Keras has two or three for each metric.
        self._table.value.assign_add(tf.stack([values * counts, counts]))

    def results(self) -> dict[str, tf.Tensor]:
        """Returns the means so far; 0 for a term without examples."""
        totals, counts = tf.unstack(self._table.value)
        return dict(zip(self.names, tf.unstack(tf.math.divide_no_nan(totals, counts)), strict=True))

    def count(self, name: str) -> tf.Tensor:
        """Returns the number of examples in the mean of a term, a float32 scalar."""
        return self._table.value[1, self.names.index(name)]

    def are_finite(self) -> tf.Tensor:
        """Returns a boolean scalar: True if all terms have been finite so far."""
        return tf.reduce_all(tf.math.is_finite(self._table.value))


class _TermMean(keras.metrics.Metric):
    """One column of the table; the first metric owns the variable."""

    def __init__(self, name: str):
        super().__init__("float32", name)

    def attach(self, table: keras.Variable, column: int):
        # Plain attribute assignment would make Keras list the variable once for each metric.
        vars(self).update(table=table, column=column)

    def update_state(self, value, sample_weight=1.0):
        count = tf.cast(sample_weight, tf.float32)
        added = tf.stack([tf.cast(value, tf.float32) * count, count])
        column = self.table.value[:, self.column]
        self.table.value[:, self.column].assign(column + added)

    def reset_state(self):
        self.table.value[:, self.column].assign(tf.zeros(2))

    def result(self):
        total, count = tf.unstack(self.table.value[:, self.column])
        return tf.math.divide_no_nan(total, count)
