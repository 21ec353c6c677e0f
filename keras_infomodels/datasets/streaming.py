"""Images that do not fit memory, as a `tf.data.Dataset`."""

import hashlib
from functools import partial

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.checks import as_labels, as_pixels
from keras_infomodels.datasets.epochs import batches_by_epoch
from keras_infomodels.datasets.picture_files import PictureFiles

__all__ = ["from_rows"]

_LOOKED_AT = 64


def from_rows(
    images: PictureFiles | np.memmap,
    labels: np.ndarray | None = None,
    batch_size: int = 128,
    *,
    seed: int = 0,
    shuffle: bool = True,
) -> tf.data.Dataset:
    """Creates the batches of `from_arrays` from images that are read when a batch needs them.

    Memory holds a few batches and the labels. Only the first images are checked for masks and dark
    images; the pixels of every step are checked in its graph.

    Args:
        images: `PictureFiles` or memory map (n, height, width, channels).
        labels: int array (n,), or None.
        batch_size: int. The last batch may be smaller.
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

    def take(rows, start, own):
        x = tf.ensure_shape(tf.numpy_function(read, [rows], images.dtype), (None, *shape))
        x = tf.cast(x, tf.float32) / largest
        return x if labels is None else (x, tf.gather(labels, rows))

    fingerprint = partial(_fingerprint, images, labels)
    return batches_by_epoch(take, count, batch_size, seed, shuffle, fingerprint)


def _fingerprint(images: PictureFiles | np.memmap, labels: tf.Tensor | None) -> dict:
    """JSON values that identify the data."""
    digest = hashlib.sha256()
    if labels is not None:
        digest.update(memoryview(labels).cast("B"))
    if isinstance(images, PictureFiles):
        own = images.fingerprint()
    else:
        digest.update(images)
        own = {"shape": list(images.shape)}
    return own | {"sha256": digest.hexdigest()}
