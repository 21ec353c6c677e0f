"""Images that do not fit in memory, as a `tf.data.Dataset`."""

import hashlib
from functools import partial

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.checks import as_labels, as_pixels
from keras_infomodels.datasets.order import Order, in_order
from keras_infomodels.datasets.picture_files import PictureFiles
from keras_infomodels.datasets.shard_source import ShardedImages

__all__ = ["from_rows"]

_LOOKED_AT = 64


def from_rows(
    images: PictureFiles | ShardedImages | np.memmap,
    labels: np.ndarray | None = None,
    batch_size: int = 128,
    *,
    seed: int = 0,
    shuffle: bool = True,
) -> tf.data.Dataset:
    """Creates a dataset like `from_arrays` from images that are read when a batch needs them.

    Only a few batches and the labels are in memory. Only the first images are checked for masks
    (bytes that are all 0 or 1) and dark images. The pixels of every batch are checked in the graph
    of the training step.

    Args:
        images: `PictureFiles`, `ShardedImages` or memory map (n, height, width, channels).
        labels: int array (n,). Class of each image. `None` returns images only.
        batch_size: int. Number of images in a batch. The last batch may be smaller.
        seed: int. Seed of the order.
        shuffle: bool. `False` keeps the order of the rows.
    """
    labels = None if labels is None else tf.constant(as_labels(labels, len(images)), tf.int32)
    as_pixels(images[: min(_LOOKED_AT, len(images))])
    count, shape = len(images), images.shape[1:]
    largest = np.iinfo(images.dtype).max

    def read(rows):
        # Reading in the order of the files is faster on disks.
        order = np.argsort(rows)
        found = np.empty((len(rows), *shape), images.dtype)
        found[order] = images[rows[order]]
        return found

    def read_batch(rows):
        x = tf.ensure_shape(tf.numpy_function(read, [rows], images.dtype), (None, *shape))
        x = tf.cast(x, tf.float32) / largest
        return x if labels is None else (x, tf.gather(labels, rows))

    dataset = in_order(Order(count, batch_size, seed, shuffle), read_batch)
    dataset.fingerprint = partial(_fingerprint, images, labels)
    return dataset


def _fingerprint(
    images: PictureFiles | ShardedImages | np.memmap, labels: tf.Tensor | None
) -> dict:
    """JSON values that identify the data."""
    digest = hashlib.sha256()
    if labels is not None:
        digest.update(memoryview(labels).cast("B"))
    if isinstance(images, np.memmap):
        digest.update(images)
        own = {"shape": list(images.shape)}
    else:
        own = images.fingerprint()
    return own | {"sha256": digest.hexdigest()}
