import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.epochs import batches_by_epoch


def rows_of(shuffle=True, seed=3):
    def take(rows, start, own):
        return rows, tf.fill(tf.shape(rows), start), tf.repeat(own[None], tf.shape(rows)[0], 0)

    return batches_by_epoch(take, 7, 3, seed, shuffle, lambda: {"name": "tiny"})


def test_batches_by_epoch_permutes_all_rows_by_seed_and_epoch():
    dataset = rows_of()
    epochs = [np.concatenate([rows for rows, *_ in dataset]) for _ in range(2)]
    assert [sorted(rows) for rows in epochs] == [list(range(7))] * 2
    assert (epochs[0] != epochs[1]).any()
    dataset.epoch.assign(0)
    np.testing.assert_array_equal(np.concatenate([rows for rows, *_ in dataset]), epochs[0])
    assert dataset.fingerprint() == {"name": "tiny"}


def test_batches_by_epoch_gives_the_start_and_the_seed_of_the_epoch():
    dataset = rows_of(shuffle=False)
    assert int(dataset.cardinality()) == 3
    for _ in range(2):
        found = [np.concatenate(column) for column in zip(*dataset, strict=True)]
    np.testing.assert_array_equal(found[0], np.arange(7))
    np.testing.assert_array_equal(found[1], [0, 0, 0, 3, 3, 3, 6])
    np.testing.assert_array_equal(found[2], np.tile([3, 1], (7, 1)))  # the second epoch
