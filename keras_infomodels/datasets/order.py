"""Batches of rows in an order that depends only on the seed and the epoch."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from keras_infomodels.tf_data import epoch_counter, untuned

__all__ = ["Order", "in_order"]


class Order(NamedTuple):
    """Assignment of rows of a data set to the batches of an epoch.

    Attributes:
        count: int. Number of rows.
        batch_size: int. Number of rows of a batch. The last batch may have fewer.
        seed: int. Seed of the order.
        shuffle: bool. `True` draws a random permutation from (seed, epoch). `False` keeps the order
            of the rows.
        more: function. Returns additional rows for a batch, given its first position and the epoch.
            `None` adds none.
    """

    count: int
    batch_size: int
    seed: int
    shuffle: bool
    more: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None

    @property
    def batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.count // self.batch_size)

    def rows(self, start: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the rows of the batch whose first position is `start`, int32 (n,)."""
        rows = tf.range(start, tf.minimum(start + self.batch_size, self.count))
        if self.shuffle:
            rows = tf.random.experimental.index_shuffle(
                rows, tf.stack([self.seed, epoch]), self.count - 1
            )
        return rows if self.more is None else tf.concat([rows, self.more(start, epoch)], axis=0)


def in_order(order: Order, read: Callable[[tf.Tensor], tuple]) -> tf.data.Dataset:
    """Creates a dataset of the batches of an order.

    The dataset's variable `epoch` counts the iterations over it. Its method
    `of_replicas(first, here, of)` returns a dataset for some of the `of` replicas, with the same
    counter. It splits each batch in `of` parts and returns only the `here` parts of the replicas
    first, first + 1, .... Rows of other replicas are not read.

    Args:
        order: Order. Rows of each batch.
        read: function. Returns a batch, given its rows, int32 (n,).
    """
    epoch = epoch_counter()

    def count_epoch(_):
        current = epoch.read_value()
        with tf.control_dependencies([current]):
            epoch.assign_add(1)
        return current

    def dataset(batches_of: Callable[[tf.Tensor], tf.data.Dataset]) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(0).map(count_epoch).flat_map(batches_of)

    def batches_of(current):
        starts = tf.data.Dataset.range(0, order.count, order.batch_size, output_type=tf.int32)
        return starts.map(lambda start: read(order.rows(start, current)), num_parallel_calls=2)

    whole = dataset(batches_of).apply(tf.data.experimental.assert_cardinality(order.batches))
    whole = untuned(whole.prefetch(2))
    whole.epoch = epoch
    whole.of_replicas = lambda first, here, of: _finished(
        dataset(partial(_parts, order, read, first, here, of)), order, here
    )
    return whole


def _parts(order: Order, read: Callable, first: int, here: int, of: int, epoch: tf.Tensor):
    """Parts of each batch of an epoch: of replicas first to first + here - 1."""

    def part(number):
        rows = order.rows(number // here * order.batch_size, epoch)
        replica, size = first + number % here, tf.size(rows)
        return read(rows[size * replica // of : size * (replica + 1) // of])

    numbers = tf.data.Dataset.range(order.batches * here, output_type=tf.int32)
    return numbers.map(part, num_parallel_calls=2)


def _finished(parts: tf.data.Dataset, order: Order, here: int) -> tf.data.Dataset:
    # Keras takes the number of elements for that of steps.
    if here == 1:
        parts = parts.apply(tf.data.experimental.assert_cardinality(order.batches))
    return untuned(parts.prefetch(2 * here))
