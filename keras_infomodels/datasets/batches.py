"""Looking into what a person gives to `fit`: arrays, tensors, datasets, generators."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

__all__ = ["check_images", "is_repeatable", "iterate_images"]


def is_repeatable(data) -> bool:
    """Whether the data can be read again: all but Python generators."""
    return isinstance(data, tf.data.Dataset | keras.utils.PyDataset) or _is_array(data)


def iterate_images(data, batch_size: int) -> Iterator[tf.Tensor]:
    """Batches of images in float32, without their labels.

    Args:
        data: an array, a tensor, a `tf.data.Dataset` or a `PyDataset`.
        batch_size: for arrays; datasets have their own.
    """
    if _is_array(data):
        for start in range(0, len(data), batch_size):
            yield tf.cast(data[start : start + batch_size], tf.float32)
        return
    batches = data if isinstance(data, tf.data.Dataset) else (data[i] for i in range(len(data)))
    for batch in batches:
        yield tf.cast(keras.utils.unpack_x_y_sample_weight(batch)[0], tf.float32)


def check_images(data, shape: tuple[int, ...], likelihood):
    """Raises ValueError for images of another shape or outside the likelihood's support.

    Arrays are looked at as a whole, datasets at their first batch, generators not at all.
    """
    if not is_repeatable(data):
        return
    images = data if _is_array(data) else next(iterate_images(data, 1), None)
    if images is None or len(images) == 0:
        raise ValueError("There are no images: the data are empty.")
    images = np.asarray(images)
    if images.shape[1:] != shape:
        hint = ""
        if images.shape[1:] == shape[:-1] and shape[-1] == 1:
            hint = " Add the channel axis with x[..., None]."
        raise ValueError(
            f"The model takes data of shape (batch, {', '.join(map(str, shape))}), got "
            f"{images.shape}.{hint}"
        )
    likelihood.check(images)


def _is_array(data) -> bool:
    return isinstance(data, np.ndarray | tf.Tensor)
