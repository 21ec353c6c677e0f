"""Access to the data that `fit` takes: arrays, tensors, datasets and generators."""

import contextlib
import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

__all__ = [
    "epoch_variable",
    "is_array",
    "is_repeatable",
    "iterate_images",
    "order_of_epoch_0",
]


def is_repeatable(data) -> bool:
    """Returns True if the data can be read again; False for Python generators."""
    return isinstance(data, tf.data.Dataset | keras.utils.PyDataset) or is_array(data)


def iterate_images(
    data,
    batch_size: int,
    steps: int | None = None,
    check: Callable[[np.ndarray], None] | None = None,
    limit: int | None = None,
) -> Iterator[tf.Tensor]:
    """Yields batches of float32 images, without labels.

    Args:
        data: array, tensor, `tf.data.Dataset` or `PyDataset`.
        batch_size: int. Batch size for arrays; datasets have their own.
        steps: int. Largest number of batches. `None` yields all.
        check: function. Raises an error for a batch of wrong images. `None` means no check.
        limit: int. The iteration ends after the batch that reaches this number of images. `None`
            yields all.

    Raises:
        ValueError: If the data are a generator, or a dataset of dicts.
    """
    if not is_repeatable(data):
        raise ValueError(
            f"Images come as an array, a tf.data.Dataset or a PyDataset, got {type(data).__name__}."
        )
    if is_array(data):
        batches = (data[start : start + batch_size] for start in range(0, len(data), batch_size))
    elif isinstance(data, tf.data.Dataset):
        batches = iter(data)
    else:
        batches = (data[i] for i in range(len(data)))
    count = 0
    for batch in itertools.islice(batches, steps):
        if isinstance(batch, dict):
            raise ValueError(
                f"The dataset yields dicts of {sorted(batch)}; map it to images or to pairs of "
                "images and labels, such as dataset.map(lambda example: example['image'])."
            )
        images = batch if is_array(data) else keras.utils.unpack_x_y_sample_weight(batch)[0]
        if check is not None:
            check(images)
        yield tf.cast(images, tf.float32)
        count += len(images)
        if limit is not None and count >= limit:
            return


@contextlib.contextmanager
def order_of_epoch_0(data):
    """Context manager in which a dataset of this package has the order of epoch 0."""
    epoch = epoch_variable(data)
    before = None if epoch is None else int(epoch)
    if epoch is not None:
        epoch.assign(0)
    try:
        yield
    finally:
        if epoch is not None:
            epoch.assign(before)


def epoch_variable(data) -> tf.Variable | None:
    """Returns the epoch counter of a dataset of this package; None for other data."""
    epoch = getattr(data, "epoch", None)
    return epoch if isinstance(data, tf.data.Dataset) and isinstance(epoch, tf.Variable) else None


def is_array(data) -> bool:
    """Returns True if the data are one NumPy array or tensor."""
    return isinstance(data, np.ndarray | tf.Tensor)
