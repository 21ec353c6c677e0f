"""Resizing of images that are read as arrays, by TensorFlow."""

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.decoding import check_look
from keras_infomodels.datasets.source import Options

__all__ = ["resize"]


def resize(images, options: Options) -> tf.Tensor:
    """Resizes images with antialiasing.

    `Options.fit` says what is done if the aspect ratio differs.

    Args:
        images: tensor (..., height, width, channels). Bytes, or floats in [0, 1].
        options: `Options`. `image_size` is not None.

    Returns:
        Tensor (..., *image_size, channels) of the same type.
    """
    background = check_look(options.fit, options.channels, options.background)
    images = tf.convert_to_tensor(images)
    size = tf.constant(options.image_size, tf.int32)
    if options.fit == "crop":
        images = _cropped(images, size)
    if options.fit != "pad":
        return _scaled(images, size)
    height, width = tf.unstack(_sides(images))
    ratio = tf.reduce_min(tf.cast(size, tf.float64) / tf.cast([height, width], tf.float64))
    inner = tf.cast(tf.round(ratio * tf.cast([height, width], tf.float64)), tf.int32)
    inner = tf.clip_by_value(inner, 1, size)
    return _padded(_scaled(images, inner), size, background)


def _sides(images: tf.Tensor) -> tf.Tensor:
    return tf.shape(images)[-3:-1]


def _cropped(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Crops the largest part in the middle with the aspect ratio of a size."""
    height, width = tf.unstack(tf.cast(_sides(images), tf.float64))
    rows, columns = tf.unstack(tf.cast(size, tf.float64))
    kept = tf.stack(
        [tf.minimum(height, width * rows / columns), tf.minimum(width, height * columns / rows)]
    )
    kept = tf.maximum(tf.cast(tf.round(kept), tf.int32), 1)
    top, left = tf.unstack((_sides(images) - kept) // 2)
    return images[..., top : top + kept[0], left : left + kept[1], :]


def _scaled(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    scaled = tf.image.resize(images, size, antialias=True)
    if images.dtype.is_floating:
        return tf.clip_by_value(scaled, 0.0, 1.0)
    return tf.saturate_cast(tf.round(scaled), images.dtype)


def _padded(images: tf.Tensor, size: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    color = np.float32(background)
    if images.shape[-1] == 1:
        color = color @ np.float32([[0.299], [0.587], [0.114]])
    color = color / 255 if images.dtype.is_floating else np.round(color)
    color = tf.cast(color, images.dtype)
    missing = size - _sides(images)
    before = missing // 2
    paddings = tf.stack([before, missing - before], axis=1)
    paddings = tf.pad(paddings, [[tf.rank(images) - 3, 1], [0, 0]])
    inside = tf.pad(tf.ones_like(images[..., :1]), paddings)
    return tf.pad(images, paddings) + (1 - inside) * color
