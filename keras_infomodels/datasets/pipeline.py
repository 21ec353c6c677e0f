"""Arrays as a `tf.data.Dataset` whose order is a function of (seed, epoch)."""

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
    """Batches of images in float32 and [0, 1], kept in memory as they are given.

    The order of an epoch is a permutation drawn from (seed, epoch), so that a resumed run sees the
    data of an uninterrupted one. The epoch is the variable `dataset.epoch`: it counts the
    iterations over the dataset by itself, and `callbacks.FollowEpoch` sets it. The method
    `dataset.fingerprint()` returns JSON values that tell the data from others, for
    `callbacks.AtomicBackup`.

    Args:
        images: array (n, height, width, channels), or (n, height, width) for one channel; uint8,
            or floats in [0, 1]. Bytes of 0 and 1 alone are masks, which become 0.0 and 1.0; see
            `checks.as_pixels`.
        labels: integers of shape (n,), -1 for unlabeled; or None.
        batch_size: the last batch may be smaller.
        seed: of the order.
        shuffle: whether to shuffle at all.
        labeled_per_batch: examples added to every batch, drawn anew each time from those whose
            label is not -1, so that few labels among many examples are seen in every step.

    Returns:
        A dataset of (batch, height, width, channels), or of pairs with int32 labels (batch,).

    Raises:
        ValueError: images of another shape or type, or as many labels as images are not given.
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
    count = len(images)
    images = tf.constant(images)

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
    """JSON values that tell these data from others: their shape, and a digest of all of them."""
    digest = hashlib.sha256()
    for tensor in (images, labels):
        if tensor is not None:
            digest.update(memoryview(tensor).cast("B"))
    return {"shape": images.shape.as_list(), "sha256": digest.hexdigest()}


def keep_labels(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Labels of which all but `count` are -1, equally many kept of each class, drawn from the seed.

    Args:
        labels: integers of shape (n,). Classes from 0, and -1 for what has no label already.
        count: int. How many labels to keep, a multiple of the number of classes.
        seed: int. Seed of the choice.

    Raises:
        ValueError: labels that are no integers, such as one-hot labels, or a count that the
            classes cannot share evenly.
    """
    labels = as_labels(labels)
    kinds, sizes = np.unique(labels[labels >= 0], return_counts=True)
    if not len(kinds):
        raise ValueError("There is no label to keep: all are -1, or there are none.")
    each = count // len(kinds)
    if count < 1 or count % len(kinds) or each > sizes.min():
        raise ValueError(
            f"{count} labels cannot be shared evenly by {len(kinds)} classes of {sizes.min()} or "
            f"more examples; take a multiple of {len(kinds)} up to {len(kinds) * sizes.min()}."
        )
    random = np.random.default_rng(seed)
    chosen = [random.choice(np.flatnonzero(labels == kind), each, replace=False) for kind in kinds]
    kept = np.full_like(labels, -1)
    kept[np.concatenate(chosen)] = labels[np.concatenate(chosen)]
    return kept
