"""Differentiable augmentation of a discriminator's images."""

import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_nonnegative

__all__ = ["Augmentation"]


@built_in
class Augmentation(Spec):
    """Differentiable random augmentation of real and generated images.

    A GAN's discriminator memorizes a small training set; augmentation prevents this. Real and
    generated images are augmented in the same way, so the generator does not learn to draw
    augmented images.
    Source: Zhao et al., "Differentiable augmentation for data-efficient GAN training", 2020.

    Args:
        color: float, at least 0. Strength of color changes. A number from -color to color is added
            to all pixels (brightness). Saturation is multiplied by a factor from 1 - 2 color to 1 +
            2 color. Contrast is multiplied by a factor from 1 - color to 1 + color. 0 means no
            change.
        translation: float, at least 0. Largest shift, as a fraction of height and width. Pixels
            that move in from outside the image are black. 0 means no shift.
        cutout: float, from 0 to 1. Height and width of a gray rectangle at a random place, as a
            fraction of the image's height and width. 0 means none.

    Raises:
        ValueError: If a number is negative.

    Example:
        generator = ki.networks.ConvGenerator((28, 28, 1), latent_dim=64)
        discriminator = ki.networks.ConvDiscriminator((28, 28, 1))
        model = ki.GAN(
            generator, discriminator, noise_dim=64, augmentation=ki.Augmentation(cutout=0.25)
        )
    """

    def __init__(self, color: float = 0.5, translation: float = 0.125, cutout: float = 0.5):
        for name, value in {"color": color, "translation": translation, "cutout": cutout}.items():
            check_nonnegative(name, value)
        self.color, self.translation, self.cutout = float(color), float(translation), float(cutout)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Augments images.

        Args:
            images: float32 tensor (batch, height, width, channels) in [0, 1].
            seed: int32 tensor (2,). Seed of the draws.

        Returns:
            Tensor of the same shape.
        """
        color, shift, cut = tf.unstack(tf.random.experimental.stateless_split(seed, num=3))
        if self.color:
            images = self._recolored(images, color)
        if self.translation:
            images = self._translated(images, shift)
        return self._cut_out(images, cut) if self.cutout else images

    def _recolored(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0]
        # Three factors for each image, which broadcast over its pixels: (3, batch, 1, 1, 1).
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
        # Each image has rows and columns of its own, (batch, height) and (batch, width).
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
