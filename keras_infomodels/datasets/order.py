"""Batches of rows in an order that is a function of (seed, epoch)."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from keras_infomodels.tf_data import epoch_counter, untuned

__all__ = ["Order", "in_order"]


class Order(NamedTuple):
    """Rows of each batch of an epoch.

    Attributes:
        count: int. Number of rows.
        batch_size: int. Rows of a batch; the last one may have fewer.
        seed: int. Seed of the order.
        shuffle: bool. Whether the order of an epoch is a permutation, drawn from (seed, epoch).
        more: function from the batch's first position and the epoch to further rows; None for none.
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
    """A dataset of the batches of an order.

    Its variable `epoch` counts the iterations over it. Its method `of_replicas(first, here, of)`
    returns the dataset of some replicas, with the same counter: of each batch it has `here`
    elements, the parts of replicas first, first + 1, ..., of so many. No other rows are read.

    Args:
        order: Order.
        read: function from rows, int32 (n,), to a batch.
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
