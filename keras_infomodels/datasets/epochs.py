"""Order of the data in an epoch, as a function of (seed, epoch)."""

from collections.abc import Callable

import tensorflow as tf

from keras_infomodels.tf_data import untuned

__all__ = ["batches_by_epoch"]


def batches_by_epoch(
    take: Callable,
    count: int,
    batch_size: int,
    seed: int,
    shuffle: bool,
    fingerprint: Callable[[], dict],
) -> tf.data.Dataset:
    """Creates a dataset of batches in the order of an epoch.

    The order is a permutation drawn from (seed, epoch). The variable `dataset.epoch` counts the
    iterations over the dataset.

    Args:
        take: function (rows, start, seed) -> batch. It gets the row numbers of the batch, int32
            (batch,), the position of its first example and the epoch's seed, int32 (2,).
        count: int. Number of examples.
        batch_size: int. The last batch may be smaller.
        seed: int. Seed of the order.
        shuffle: bool. `False` keeps the order of the rows.
        fingerprint: function. Becomes `dataset.fingerprint`.
    """
    epoch = tf.Variable(0, trainable=False, dtype=tf.int32)

    def count_epoch(_):
        current = epoch.read_value()
        # The value is read before it is increased.
        with tf.control_dependencies([current]):
            epoch.assign_add(1)
        return current

    def batches_of(current):
        def batch(start):
            own = tf.stack([seed, current])
            rows = tf.range(start, tf.minimum(start + batch_size, count))
            if shuffle:
                rows = tf.random.experimental.index_shuffle(rows, own, count - 1)
            return take(rows, start, own)

        starts = tf.data.Dataset.range(0, count, batch_size, output_type=tf.int32)
        return starts.map(batch, num_parallel_calls=2)

    dataset = tf.data.Dataset.from_tensors(0).map(count_epoch).flat_map(batches_of)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))
    dataset = untuned(dataset.prefetch(2))
    dataset.epoch = epoch
    dataset.fingerprint = fingerprint
    return dataset
