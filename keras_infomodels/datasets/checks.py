"""Checks of images and labels, for all models and data sources.

Arrays are checked as a whole. Of a dataset, the first batch is checked when `fit` begins. The
largest and smallest pixels of later batches are checked in the graph of each training step.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import (
    is_array,
    is_repeatable,
    iterate_images,
    order_of_epoch_0,
)

__all__ = ["Pixels", "as_labels", "as_pixels", "check_images", "check_labels", "label_problem"]

_ROUNDING = 1e-5
"""Tolerance of pixels outside [0, 1]; `keras.layers.Resizing` returns up to 1.0000003."""

_OF_A_BYTE = 0.01
"""Tolerance of 255 times a pixel from an integer; float32 rounding reaches 3e-5."""

_DARK = 16
"""Images whose bytes are all below this look black, which is probably a mistake."""


@dataclass(frozen=True)
class Pixels:
    """Allowed pixel values of a model's images.

    Attributes:
        support: str. "real" (any finite number), "unit" ([0, 1]), "bytes" (0, 1/255, ..., 1) or
            "binary" (0 and 1).
        asked_by: str. Reason for the restriction, for error messages, such as "a Bernoulli
            likelihood".
    """

    support: str = "real"
    asked_by: str = "this model"

    def check(self, images: np.ndarray):
        """Raises ValueError for pixels outside the support, and for NaN."""
        images = np.asarray(images)
        low, high, off = float(images.min()), float(images.max()), 0.0
        if self.support == "binary" and images.dtype.kind == "f":
            off = float((images * (1 - images)).max())
        if self.support == "bytes" and images.dtype.kind == "f":
            off = float(np.abs(255 * images - np.round(255 * images)).max())
        if problem := self.problem(low, high, off):
            raise ValueError(problem)

    def problem(self, low: float, high: float, off: float) -> str | None:
        """Returns an error message for pixels outside the support; None if all are allowed.

        Args:
            low: float. Smallest pixel; NaN if a pixel is NaN.
            high: float. Largest pixel.
            off: float. Distance of pixels x from allowed values between 0 and 1: the largest
                x (1 - x) for "binary", the largest distance of 255 x from an integer for "bytes".
        """
        if not np.isfinite([low, high]).all():
            return "The images contain NaN or infinite pixels; remove those images first."
        if self.support == "real":
            return None
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            remedy = (
                "Scale the images first, for example x / 255 for bytes or (x + 1) / 2 for [-1, 1]."
            )
            if low > -0.5 and high < 1.5:
                remedy = "Clip the overshoot of resizing, np.clip(x, 0, 1), or scale the images."
            return (
                f"Pixels are in [0, 1] for {self.asked_by}, got values from {low:.8g} to "
                f"{high:.8g}. {remedy}"
            )
        if self.support == "bytes" and off > _OF_A_BYTE:
            return (
                f"Pixels are bytes divided by 255 for {self.asked_by}, a distribution of 8-bit "
                "values; got values between these. Round them with np.round(255 * x) / 255, "
                'or take a density, such as likelihood="shared_gaussian".'
            )
        if self.support == "binary" and off > _ROUNDING:
            return (
                f"Pixels are binary, 0 or 1, for {self.asked_by}; got gray pixels. Binarize "
                'them with likelihood="bernoulli_stochastic" or "bernoulli_threshold", '
                'or a density on [0, 1] with likelihood="continuous_bernoulli".'
            )
        return None

    def extremes(self, images: tf.Tensor) -> tf.Tensor:
        """Computes the arguments of `problem` in a graph: (-low, high, off), a tensor (3,)."""
        # Two passes without a copy, and a third only if the support needs it.
        off = 0.0
        if self.support == "binary":
            off = tf.reduce_max(images * (1 - images))
        if self.support == "bytes":
            off = tf.reduce_max(tf.abs(255 * images - tf.round(255 * images)))
        return tf.stack([-tf.reduce_min(images), tf.reduce_max(images), off])

    def allow(self, extremes: tf.Tensor) -> tf.Tensor:
        """Checks in a graph that `extremes` are within the support; returns a boolean scalar."""
        limit = 1 + _ROUNDING
        limits = {"real": [np.inf, np.inf, np.inf], "unit": [_ROUNDING, limit, np.inf]}
        limits["binary"] = [_ROUNDING, limit, _ROUNDING]
        limits["bytes"] = [_ROUNDING, limit, _OF_A_BYTE]
        return tf.reduce_all(extremes <= limits[self.support])


def check_images(data, shape: tuple[int, ...], pixels: Pixels) -> tf.Tensor | None:
    """Checks the shape and the pixels of images.

    Args:
        data: data as `fit` takes them. An array is checked as a whole, a dataset by its first
            batch. A generator is not checked, because reading would consume it.
        shape: tuple of int. Shape of one example.
        pixels: `Pixels`. Allowed pixel values.

    Returns:
        float32 images: up to 32 of an array, or the first batch of a dataset. None for a generator.

    Raises:
        ValueError: If there are no images, the shape differs, or pixels are not allowed.
    """
    if isinstance(data, dict | list | tuple):
        raise ValueError(
            "Images come as an array, a tf.data.Dataset or a PyDataset, got a "
            f"{type(data).__name__}; labels come after them, such as fit(x, y)."
        )
    if not is_repeatable(data):
        return None
    with order_of_epoch_0(data):
        images = data if is_array(data) else next(iterate_images(data, 1), None)
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
    pixels.check(images)
    return tf.cast(images[:32] if is_array(data) else images, tf.float32)


def as_labels(labels, count: int | None = None) -> np.ndarray:
    """Returns labels as int64 (n,).

    Args:
        labels: array (n,) or (n, 1). Integers from 0, or -1 for unlabeled.
        count: int. Number n of images. `None` accepts any.

    Raises:
        ValueError: If the shape differs, as for one-hot labels, or a value is not an integer of at
            least -1.
    """
    labels = np.asarray(labels)
    wanted = "n" if count is None else count
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or count not in (None, len(labels)):
        hint = " Turn one-hot labels into integers with labels.argmax(axis=1)." * (labels.ndim == 2)
        raise ValueError(
            f"Labels are integers of shape ({wanted},), one per image and -1 for unlabeled, got "
            f"labels of shape {labels.shape}.{hint}"
        )
    if labels.dtype.kind not in "buif" or not (labels == np.round(labels)).all():
        raise ValueError(
            f"Labels are integers from 0, and -1 for unlabeled; got {labels[:3].tolist()}, ..."
        )
    if len(labels) and labels.min() < -1:
        raise ValueError(f"Labels are integers from 0, and -1 for unlabeled; got {labels.min():g}.")
    return labels.astype(np.int64)  # uint8 has no -1


def check_labels(labels, classes: int):
    """Raises ValueError for labels outside the classes.

    Args:
        labels: array as `as_labels` takes it.
        classes: int. Number of classes.
    """
    labels = as_labels(labels)
    if len(labels) and (problem := label_problem(labels.min(), labels.max(), classes)):
        raise ValueError(problem)


def label_problem(low: float, high: float, classes: int) -> str | None:
    """Returns an error message if labels from `low` to `high` are not classes, else None."""
    if low >= -1 and high < classes:
        return None
    hint = ""
    if low >= 1 and high == classes:
        hint = " If the classes are numbered from 1, take labels - 1."
    return (
        f"Labels are from 0 to {classes - 1} for {classes} classes, or -1 for unlabeled, got "
        f"labels from {low:g} to {high:g}.{hint}"
    )


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Returns images as bytes from 0 to 255, or as float32 in [0, 1].

    Booleans, and bytes that are all 0 or 1, are masks, as in dSprites or segmentations; their 1
    becomes 255. Unsigned 16-bit integers are divided by 65535.

    Args:
        images: array (n, height, width, channels), or (n, height, width) for one channel.

    Raises:
        ValueError: If the shape or type differs, there are no images, or floats are outside [0, 1].
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"images are (n, height, width, channels) with n of at least 1, got {images.shape}."
        )
    if images.dtype == bool:
        return images * np.uint8(255)
    if images.dtype == np.uint8:
        return _as_bytes(images)
    if images.dtype == np.uint16:
        return images.astype(np.float32) / 65535
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"images are uint8, uint16, bool or floats in [0, 1], got {images.dtype}.")
    Pixels("unit", "images of floating point").check(images)
    return np.clip(images, 0, 1).astype(np.float32, copy=False)


def _as_bytes(images: np.ndarray) -> np.ndarray:
    high = images.max()
    if high == 1:
        return images * np.uint8(255)
    if 1 < high < _DARK:
        warnings.warn(
            f"The largest byte of the images is {high} of 255, so they are almost black. If these "
            f"are gray levels or classes, pass floats in [0, 1], such as images / {high}.",
            stacklevel=4,
        )
    return images
