"""Arrays as a `tf.data.Dataset` whose order depends only on the seed and the epoch."""

import hashlib
from functools import partial

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.checks import as_labels, as_pixels
from keras_infomodels.datasets.order import Order, in_order

__all__ = ["from_arrays", "keep_labels"]


def from_arrays(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    batch_size: int = 128,
    *,
    seed: int = 0,
    shuffle: bool = True,
    labeled_per_batch: int = 0,
) -> tf.data.Dataset:
    """Creates a dataset of float32 images in [0, 1] from arrays in memory.

    The arrays keep their type in memory; only batches are converted. The order of an epoch depends
    on the seed and the epoch only. So a resumed run sees the same order as an uninterrupted one.
    The variable `dataset.epoch` counts the iterations over the dataset; `callbacks.FollowEpoch`
    sets it. `dataset.fingerprint()` returns JSON values that identify the data, for
    `callbacks.AtomicBackup`.

    Args:
        images: array (n, height, width, channels), or (n, height, width) for one channel. The
            pixels are uint8, or floats in [0, 1]. If all bytes are 0 or 1, they become 0.0 and 1.0;
            otherwise bytes are divided by 255.
        labels: int array (n,). Class of each image from 0, or -1 for unlabeled. `None` returns
            images only.
        batch_size: int. Number of images in a batch. The last batch may be smaller.
        seed: int. Seed of the order.
        shuffle: bool. `False` keeps the order of the arrays.
        labeled_per_batch: int. Number of labeled examples that are added to every batch, drawn anew
            for each batch. Use it if only few examples are labeled. 0 adds none.

    Returns:
        `tf.data.Dataset` of images (batch, height, width, channels), or of pairs with int32 labels
        (batch,).

    Raises:
        ValueError: If the images have another shape or type, or the labels do not fit.

    Example:
        images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), np.uint8)
        train = ki.datasets.from_arrays(images, batch_size=32)
    """
    images = as_pixels(np.asarray(images))
    if labels is not None:
        labels = as_labels(labels, len(images))
        labeled = np.flatnonzero(labels >= 0)
        labels = tf.constant(labels, tf.int32)
    if labeled_per_batch and (labels is None or not len(labeled)):
        raise ValueError("labeled_per_batch needs labels, and some of them not -1.")
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1, got {batch_size}.")
    images = tf.constant(images)
    count = len(images)

    def more_rows(start, current):
        seeds = tf.random.experimental.stateless_fold_in(tf.stack([seed, current]), start)
        drawn = tf.random.stateless_uniform((labeled_per_batch,), seeds, 0, len(labeled), tf.int32)
        return tf.gather(tf.constant(labeled, tf.int32), drawn)

    def read(rows):
        x = tf.gather(images, rows)
        x = tf.cast(x, tf.float32) / 255 if x.dtype == tf.uint8 else x
        return x if labels is None else (x, tf.gather(labels, rows))

    order = Order(count, batch_size, seed, shuffle, more_rows if labeled_per_batch else None)
    dataset = in_order(order, read)
    dataset.fingerprint = partial(_fingerprint, images, labels)
    return dataset


def _fingerprint(images: tf.Tensor, labels: tf.Tensor | None) -> dict:
    """JSON values that identify the data: the shape, and a digest of all values."""
    digest = hashlib.sha256()
    for tensor in (images, labels):
        if tensor is not None:
            digest.update(memoryview(tensor).cast("B"))
    return {"shape": images.shape.as_list(), "sha256": digest.hexdigest()}


def keep_labels(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Keeps `count` random labels, equally many of each class, and sets the others to -1.

    Use it to simulate semi-supervised data.

    Args:
        labels: int array (n,). Classes from 0, and -1 for unlabeled examples.
        count: int. Number of labels to keep, a multiple of the number of classes.
        seed: int. Seed of the choice.

    Returns:
        int64 array (n,).

    Raises:
        ValueError: If the labels are not integers, or `count` is not a multiple of the number of
            classes.

    Example:
        >>> labels = ki.datasets.keep_labels(np.arange(100) % 10, count=20)
        >>> int((labels >= 0).sum())
        20
    """
    labels = as_labels(labels)
    classes, sizes = np.unique(labels[labels >= 0], return_counts=True)
    if not len(classes):
        raise ValueError("There is no label to keep: all are -1, or there are none.")
    each = count // len(classes)
    if count < 1 or count % len(classes) or each > sizes.min():
        raise ValueError(
            f"{count} labels cannot be shared evenly by {len(classes)} classes of {sizes.min()} or "
            f"more examples; take a multiple of {len(classes)} up to {len(classes) * sizes.min()}."
        )
    random = np.random.default_rng(seed)
    chosen = [random.choice(np.flatnonzero(labels == c), each, replace=False) for c in classes]
    kept = np.full_like(labels, -1)
    kept[np.concatenate(chosen)] = labels[np.concatenate(chosen)]
    return kept
