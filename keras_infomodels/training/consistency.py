"""Categories that stay the same when an image is moved a little."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_infomodels.names import guess
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_nonnegative
from keras_infomodels.training.gradients import gradient
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["Consistency", "adversarial_shift", "category_consistency", "random_affine"]

_MOVES = ("adversarial", "affine", "both")


@built_in
class Consistency(Spec):
    """A loss term that makes an inferred category withstand small moves of the images.

    The term is `category_consistency` between the category of images and that of moved ones. It
    assumes kinds of about equal frequency.

    Args:
        weight: float, at least 0. Weight of the term in the loss.
        moves: "adversarial" (`adversarial_shift`), "affine" (`random_affine`) or "both" (the shift
            of what was moved affinely). XLA cannot compile the affine ones.
        radius: float, above 0. Euclidean length of the adversarial shift.
        evenness_slack: float, at least 0, in nats. See `category_consistency`; for a number of
            categories that is no multiple of the number of kinds.
        warmup: Warmup or int. Steps over which the weight rises from 0. At full weight from the
            start the category may stay undecided: one that is as likely as any other for every
            image withstands all moves. None is no warm-up.

    Raises:
        ValueError: a number outside its range, or another kind of moves.

    Example:
        model = ki.AdversarialAutoencoder(
            encoder, decoder, prior, consistency=Consistency(30.0, "both", warmup=500)
        )
    """

    def __init__(
        self,
        weight: float = 1.0,
        moves: str = "adversarial",
        radius: float = 1.0,
        evenness_slack: float = 0.0,
        warmup: Warmup | int | None = None,
    ):
        check_nonnegative("weight", weight)
        check_nonnegative("evenness_slack", evenness_slack)
        if not 0 < radius < math.inf:
            raise ValueError(f"radius is above 0, got {radius!r}.")
        if moves not in _MOVES:
            raise ValueError(f"moves is one of {_MOVES}, got {moves!r}.{guess(moves, _MOVES)}")
        self.weight = float(weight)
        self.moves = moves
        self.radius = float(radius)
        self.evenness_slack = float(evenness_slack)
        self.warmup = warmup_of(warmup)

    @property
    def moves_affinely(self) -> bool:
        """Whether images are moved by affine maps, which XLA cannot compile."""
        return self.weight > 0 and self.moves != "adversarial"

    def __call__(
        self,
        images: tf.Tensor,
        logits: tf.Tensor,
        classify: Callable[[tf.Tensor], tf.Tensor],
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """The unweighted term, a scalar in nats.

        Args:
            images: (batch, height, width, channels); with "adversarial" data of any shape.
            logits: (batch, K). classify(images).
            classify: function from images to logits.
            seed: int32 of shape (2,).
        """
        moved = classify(self.move(images, logits, classify, seed))
        return category_consistency(logits, moved, self.evenness_slack)

    def move(self, images, logits, classify, seed) -> tf.Tensor:
        """The moved images; arguments as for a call."""
        if self.moves == "adversarial":
            return adversarial_shift(images, logits, classify, seed, self.radius)
        images = random_affine(images, seed)
        if self.moves == "affine":
            return images
        return adversarial_shift(images, classify(images), classify, seed, self.radius)

    def get_config(self) -> dict:
        return {
            "weight": self.weight,
            "moves": self.moves,
            "radius": self.radius,
            "evenness_slack": self.evenness_slack,
            "warmup": self.warmup.steps,
        }


def random_affine(
    images: tf.Tensor,
    seed: tf.Tensor,
    degrees: float = 15.0,
    shift: float = 0.1,
    scale: float = 0.15,
    slant: float = 0.3,
) -> tf.Tensor:
    """Each image rotated, scaled, slanted and shifted at random; what comes in is black.

    Never mirrored and never turned far, so that a 6 does not become a 9.

    Args:
        images: (batch, height, width, channels).
        seed: int32 of shape (2,).
        degrees: the largest rotation about the center, either way.
        shift: the largest shift along each axis, as a fraction of the image's size.
        scale: the size changes by a factor from 1 - scale to 1 + scale.
        slant: the largest horizontal shift of a row per pixel of its distance from the center.

    Returns:
        Images of the same shape, interpolated bilinearly.
    """
    height, width = images.shape[1:3]
    u = tf.random.stateless_uniform((5, tf.shape(images)[0]), seed, -1.0, 1.0)
    angle, size, lean = u[0] * math.radians(degrees), 1 + scale * u[1], slant * u[2]
    cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
    # Where each pixel of the result comes from, relative to the center: R(angle) S(lean) / size.
    xx, xy, yx, yy = cos, lean * cos - sin, sin, lean * sin + cos
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx = x0 + shift * width * u[3] - xx * x0 - xy * y0
    dy = y0 + shift * height * u[4] - yx * x0 - yy * y0
    zero = tf.zeros_like(angle)
    matrix = tf.stack([xx, xy, dx, yx, yy, dy, zero, zero], axis=1)
    return keras.ops.image.affine_transform(
        images, matrix, fill_mode="constant", data_format="channels_last"
    )


def adversarial_shift(
    images: tf.Tensor,
    logits: tf.Tensor,
    classify: Callable[[tf.Tensor], tf.Tensor],
    seed: tf.Tensor,
    radius: float = 1.0,
) -> tf.Tensor:
    """Each image moved by `radius` into the direction that changes its category most.

    The direction is one power iteration's, from a random start; no gradient flows through it. An
    image whose category is certain to the last bit has no such direction and is moved less, or not
    at all; in float16 that begins earlier.
    Source: Miyato et al., "Virtual adversarial training", 2018, algorithm 1; used for clustering
    by Hu et al., 2017.

    Args:
        images: (batch, height, width, channels), or data of any shape.
        logits: classify(images), shape (batch, K).
        classify: from images to logits.
        seed: int32 of shape (2,).
        radius: Euclidean length of the shift, in units of pixel values over the whole image. Two
            different MNIST digits are about 10 apart, neighbors about 6.

    Returns:
        Images of the same shape; pixels may leave [0, 1].
    """
    direction = _unit(tf.random.stateless_normal(tf.shape(images), seed))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(direction)
        distance = _divergence(logits, classify(images + radius * direction))
    direction = _unit(gradient(tape, distance, direction))
    return images + radius * tf.stop_gradient(direction)


def category_consistency(
    logits: tf.Tensor, moved_logits: tf.Tensor, slack: float = 0.0
) -> tf.Tensor:
    """KL(q(category|x) || q(category|T x)) + ln K - H(mean q(category|x)), in nats; at best 0.

    The first term, a mean over the batch in which q(.|x) is a target without gradient, makes the
    category withstand T; the rest makes the batch use all K evenly, without which one category for
    everything would be best. It assumes that the kinds sought are about equally frequent.
    Source: Hu et al., "Learning discrete representations via information maximizing self-augmented
    training", 2017, equations 4 and 8.

    Args:
        logits: of the images, shape (batch, K).
        moved_logits: of the same images after T, shape (batch, K).
        slack: nats that the batch may lack in ln K at no cost. Ten kinds in 16 categories cannot
            be even: with six in two categories each and four in one they lack 0.054 nats.
    """
    logits = tf.cast(logits, tf.float32)
    divergence = _divergence(logits, tf.cast(moved_logits, tf.float32))
    mean = tf.reduce_mean(tf.nn.softmax(logits), axis=0)
    unevenness = tf.math.log(float(logits.shape[1])) + tf.reduce_sum(tf.math.xlogy(mean, mean))
    return divergence + tf.maximum(unevenness - slack, 0.0)


def _divergence(logits: tf.Tensor, moved_logits: tf.Tensor) -> tf.Tensor:
    log_p = tf.stop_gradient(tf.nn.log_softmax(logits))
    log_ratio = log_p - tf.nn.log_softmax(moved_logits)
    return tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * log_ratio, axis=1))


def _unit(x: tf.Tensor) -> tf.Tensor:
    norm = tf.norm(tf.reshape(x, (tf.shape(x)[0], -1)), axis=1)
    return x / tf.reshape(norm + 1e-12, [-1] + [1] * (len(x.shape) - 1))
