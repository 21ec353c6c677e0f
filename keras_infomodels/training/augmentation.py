"""Differentiable augmentation of what a discriminator sees."""

import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_nonnegative

__all__ = ["Augmentation"]


@built_in
class Augmentation(Spec):
    """Random changes of real and generated images, through which gradients pass.

    A discriminator with few images learns them by heart; it cannot where it never sees the same
    twice, and the generator does not learn the changes, as its own images are changed as well.
    Source: Zhao et al., "Differentiable augmentation for data-efficient GAN training", 2020.

    Args:
        color: float, at least 0. Largest change of brightness; saturation and contrast are
            multiplied by numbers from 1 - 2 color to 1 + 2 color.
        translation: float, at least 0. Largest shift as a share of height and width; what comes in
            is black.
        cutout: float from 0 to 1. Side of a grey square as a share of height and width.

    Example:
        model = ki.GAN(generator, discriminator, noise_dim=64, augmentation=Augmentation())
    """

    def __init__(self, color: float = 0.5, translation: float = 0.125, cutout: float = 0.5):
        for name, value in {"color": color, "translation": translation, "cutout": cutout}.items():
            check_nonnegative(name, value)
        self.color, self.translation, self.cutout = float(color), float(translation), float(cutout)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changed images, float32 of the same shape.

        Args:
            images: (batch, height, width, channels) in [0, 1].
            seed: int32 (2,).
        """
        color, shift, cut = tf.unstack(tf.random.experimental.stateless_split(seed, num=3))
        if self.color:
            images = self._recolored(images, color)
        if self.translation:
            images = self._translated(images, shift)
        return self._cut_out(images, cut) if self.cutout else images

    def _recolored(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0]
        drawn = replicas.own_rows(
            lambda n: tf.random.stateless_uniform((3, n, 1, 1, 1), seed, -1.0, 1.0), count, axis=1
        )
        brightness, saturation, contrast = tf.unstack(self.color * drawn)
        images += brightness
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + (images - grey) * (1 + 2 * saturation)
        middle = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        return middle + (images - middle) * (1 + contrast)

    def _translated(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        _, height, width, _ = images.shape
        down, right = round(self.translation * height), round(self.translation * width)
        padded = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]])
        drawn = _two_each(images, seed)
        rows = tf.range(height) + tf.cast(drawn[0] * (2 * down + 1), tf.int32)
        columns = tf.range(width) + tf.cast(drawn[1] * (2 * right + 1), tf.int32)
        # Rows and columns of each image by itself.
        padded = tf.gather(padded, rows, axis=1, batch_dims=1)
        return tf.gather(padded, columns, axis=2, batch_dims=1)

    def _cut_out(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        kept = []
        drawn = _two_each(images, seed)
        for size, center in zip(images.shape[1:3], tf.unstack(drawn), strict=True):
            distance = tf.abs(tf.range(size, dtype=tf.float32) + 0.5 - center * size)
            kept.append(tf.cast(distance > self.cutout * size / 2, images.dtype))
        outside = tf.maximum(kept[0][:, :, None], kept[1][:, None, :])[..., None]
        return images * outside + 0.5 * (1 - outside)

    def get_config(self) -> dict:
        return {"color": self.color, "translation": self.translation, "cutout": self.cutout}


def _two_each(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws two uniform numbers for each image, (2, n, 1)."""

    def draw(n):
        return tf.random.stateless_uniform((2, n, 1), seed)

    return replicas.own_rows(draw, tf.shape(images)[0], axis=1)
