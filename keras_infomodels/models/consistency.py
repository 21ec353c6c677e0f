"""Categories that stay the same when an image is moved a little."""

import keras
import tensorflow as tf

__all__ = ["category_consistency", "random_affine"]


def random_affine(
    images: tf.Tensor,
    seed: tf.Tensor,
    degrees: float = 12.0,
    shift: float = 0.09,
    scale: float = 0.1,
) -> tf.Tensor:
    """Each image rotated, scaled and shifted at random about its center; what comes in is black.

    Never mirrored and never turned far, so that a 6 does not become a 9.

    Args:
        images: (batch, height, width, channels).
        seed: int32 of shape (2,).
        degrees: the largest rotation, either way.
        shift: the largest shift along each axis, as a fraction of the image's size.
        scale: the size changes by a factor from 1 - scale to 1 + scale.

    Returns:
        Images of the same shape, interpolated bilinearly.
    """
    count = tf.shape(images)[0]
    height, width = images.shape[1:3]
    u = tf.unstack(tf.random.stateless_uniform((4, count), seed, -1.0, 1.0))
    angle = u[0] * (degrees * 3.141592653589793 / 180)
    cos, sin = tf.cos(angle) / (1 + scale * u[1]), tf.sin(angle) / (1 + scale * u[1])
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    dx = center_x + u[2] * (shift * width) - cos * center_x + sin * center_y
    dy = center_y + u[3] * (shift * height) - sin * center_x - cos * center_y
    zero = tf.zeros_like(angle)
    matrix = tf.stack([cos, -sin, dx, sin, cos, dy, zero, zero], axis=1)
    return keras.ops.image.affine_transform(images, matrix, fill_mode="constant")


def category_consistency(logits: tf.Tensor, moved_logits: tf.Tensor) -> tf.Tensor:
    """KL(q(category|x) || q(category|T x)) + ln K - H(mean q(category|x)), in nats; at best 0.

    The first term, a mean over the batch in which q(.|x) is a target without gradient, makes the
    category withstand T; the rest makes the batch use all K evenly, without which one category for
    everything would be best. It assumes that the kinds sought are about equally frequent.
    Source: Hu et al., "Learning discrete representations via information maximizing self-augmented
    training", 2017, equations 4 and 8.

    Args:
        logits: of the images, shape (batch, K).
        moved_logits: of the same images after T, shape (batch, K).
    """
    logits, moved_logits = tf.cast(logits, tf.float32), tf.cast(moved_logits, tf.float32)
    p, log_p = tf.stop_gradient(tf.nn.softmax(logits)), tf.stop_gradient(tf.nn.log_softmax(logits))
    log_q = tf.nn.log_softmax(moved_logits)
    divergence = tf.reduce_mean(tf.reduce_sum(p * (log_p - log_q), axis=1))
    mean = tf.reduce_mean(tf.nn.softmax(logits), axis=0)
    unevenness = tf.math.log(float(logits.shape[1])) + tf.reduce_sum(tf.math.xlogy(mean, mean))
    return divergence + unevenness
