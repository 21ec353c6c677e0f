"""Consistency of inferred categories under augmentation of the images."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.names import guess
from keras_infomodels.registry import built_in
from keras_infomodels.renames import old_attribute, rename, takes_old_arguments
from keras_infomodels.spec import Spec, check_nonnegative
from keras_infomodels.training.gradients import gradient
from keras_infomodels.training.warmup import Warmup, warmup_of

__all__ = ["Consistency", "adversarial_shift", "category_consistency", "random_affine"]

_AUGMENTATIONS = ("adversarial", "affine", "both")


@built_in
@takes_old_arguments(rename(moves="augmentations", evenness_slack="balance_tolerance"))
class Consistency(Spec):
    """Loss term that keeps an inferred category the same under small changes of the images.

    A model with a category infers q(category|x), the probabilities of K categories for an image x.
    The term compares them with those of the augmented image, and it rewards using all K categories
    equally often; see `category_consistency`. It assumes that all classes are about equally
    frequent.

    Args:
        weight: float, at least 0. Weight of the term in the loss.
        augmentations: str. "adversarial" is a small shift in the direction that changes the
            category most. "affine" is a small random rotation, scaling, slant and translation.
            "both" is "affine", then "adversarial". XLA cannot compile "affine" and "both".
        radius: float, above 0. Euclidean length of the adversarial shift, in pixel values over the
            whole image.
        balance_tolerance: float, at least 0, in nats. The entropy of the category's mean
            probabilities may be below its maximum ln K by this amount without a penalty. Use a
            value above 0 if the number of categories is not a multiple of the number of classes.
        warmup: `Warmup` or int. Number of training steps over which the weight rises from 0. With
            the full weight from the start, all probabilities may stay equal to 1/K, because such a
            category is trivially consistent. `None` means no warm-up.

    Raises:
        ValueError: If a number is out of range, or `augmentations` is unknown.

    Example:
        model = ki.AdversarialAutoencoder(
            ki.networks.MLPEncoder(latent_dim=12, num_categories=10),
            ki.networks.MLPDecoder(latent_dim=12),
            prior=ki.distributions.CategoricalNormal(num_categories=10, continuous_dim=2),
            consistency=ki.Consistency(30.0, "both", warmup=500),
        )
    """

    moves = old_attribute("moves", "augmentations")
    evenness_slack = old_attribute("evenness_slack", "balance_tolerance")

    def __init__(
        self,
        weight: float = 1.0,
        augmentations: str = "adversarial",
        radius: float = 1.0,
        balance_tolerance: float = 0.0,
        warmup: Warmup | int | None = None,
    ):
        check_nonnegative("weight", weight)
        check_nonnegative("balance_tolerance", balance_tolerance)
        if not 0 < radius < math.inf:
            raise ValueError(f"radius is above 0, got {radius!r}.")
        if augmentations not in _AUGMENTATIONS:
            raise ValueError(
                f"augmentations is one of {_AUGMENTATIONS}, got {augmentations!r}."
                f"{guess(augmentations, _AUGMENTATIONS)}"
            )
        self.weight = float(weight)
        self.augmentations = augmentations
        self.radius = float(radius)
        self.balance_tolerance = float(balance_tolerance)
        self.warmup = warmup_of(warmup)

    @property
    def uses_affine(self) -> bool:
        """True if images are transformed by affine maps, which XLA cannot compile."""
        return self.weight > 0 and self.augmentations != "adversarial"

    def __call__(
        self,
        images: tf.Tensor,
        logits: tf.Tensor,
        classify: Callable[[tf.Tensor], tf.Tensor],
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Computes the unweighted term, a scalar in nats.

        Args:
            images: tensor (batch, height, width, channels). With "adversarial", data of any shape.
            logits: tensor (batch, K). Result of `classify(images)`.
            classify: function from images to logits (batch, K).
            seed: int32 tensor (2,). Seed of the augmentations.
        """
        augmented = classify(self.augment(images, logits, classify, seed))
        return category_consistency(logits, augmented, self.balance_tolerance)

    def augment(self, images, logits, classify, seed) -> tf.Tensor:
        """Augments images as the consistency term does.

        Args:
            images: tensor (batch, height, width, channels). Images to augment.
            logits: tensor (batch, K). Logits of the category of each image.
            classify: function from images to logits.
            seed: int32 tensor (2,). Seed of the augmentation.

        Returns:
            Tensor of the shape of `images`.
        """
        if self.augmentations == "adversarial":
            return adversarial_shift(images, logits, classify, seed, self.radius)
        images = random_affine(images, seed)
        if self.augmentations == "affine":
            return images
        return adversarial_shift(images, classify(images), classify, seed, self.radius)

    def get_config(self) -> dict:
        return {
            "weight": self.weight,
            "augmentations": self.augmentations,
            "radius": self.radius,
            "balance_tolerance": self.balance_tolerance,
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
    """Rotates, scales, slants and shifts each image at random.

    Pixels from outside the image are black. Images are never mirrored, and rotations are small, so
    that a 6 does not become a 9.

    Args:
        images: tensor (batch, height, width, channels).
        seed: int32 tensor (2,). Seed of the draws.
        degrees: float. Largest rotation about the center, in either direction.
        shift: float. Largest shift along each axis, as a fraction of the image's size.
        scale: float. The size changes by a factor from 1 - scale to 1 + scale.
        slant: float. Largest horizontal shift of a row per pixel of its distance from the center.

    Returns:
        Images of the same shape, interpolated bilinearly.
    """
    height, width = images.shape[1:3]
    u = replicas.own_rows(  # (5, batch)
        lambda n: tf.random.stateless_uniform((5, n), seed, -1.0, 1.0), tf.shape(images)[0], axis=1
    )
    angle, size, lean = u[0] * math.radians(degrees), 1 + scale * u[1], slant * u[2]
    cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
    # Inverse map R(angle) S(lean) / size: source of each pixel of the result, about the center.
    xx, xy, yx, yy = cos, lean * cos - sin, sin, lean * sin + cos
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx = x0 + shift * width * u[3] - xx * x0 - xy * y0
    dy = y0 + shift * height * u[4] - yx * x0 - yy * y0
    zero = tf.zeros_like(angle)
    matrix = tf.stack([xx, xy, dx, yx, yy, dy, zero, zero], axis=1)  # (batch, 8), as Keras has it
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
    """Shifts each image by `radius` in the direction that changes its category most.

    The direction is computed by one power iteration from a random start. No gradient flows through
    the direction. If the category of an image is so certain that its gradient rounds to zero, the
    shift is shorter or zero. In float16 this happens earlier than in float32.
    Source: Miyato et al., "Virtual adversarial training", 2018, algorithm 1; used for clustering
    by Hu et al., 2017.

    Args:
        images: tensor (batch, height, width, channels), or data of any shape.
        logits: tensor (batch, K). Result of `classify(images)`.
        classify: function from images to logits.
        seed: int32 tensor (2,). Seed of the start.
        radius: float. Euclidean length of the shift, in units of pixel values over the whole
            image. Two different MNIST digits are about 10 apart, nearest neighbors about 6.

    Returns:
        Images of the same shape; pixels may leave [0, 1].
    """
    shape = tf.shape(images)

    def draw(n):
        return tf.random.stateless_normal(tf.concat([n[None], shape[1:]], 0), seed)

    direction = _unit(replicas.own_rows(draw, shape[0]))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(direction)
        distance = _divergence(logits, classify(images + radius * direction))
    direction = _unit(gradient(tape, distance, direction))
    return images + radius * tf.stop_gradient(direction)


def category_consistency(
    logits: tf.Tensor, augmented_logits: tf.Tensor, balance_tolerance: float = 0.0
) -> tf.Tensor:
    """Computes KL(q(category|x) || q(category|T x)) + ln K - H(mean q(category|x)), at least 0.

    q(category|x) are the probabilities of K categories for an image x. T is the augmentation, H the
    entropy, and both means are over the batch. The KL term is small if the augmentation does not
    change the category; q(category|x) is a target through which no gradient flows. The term ln K -
    H is small if the batch uses all K categories equally often. Without this term, one category for
    all images would be optimal. It assumes that all classes are about equally frequent.

    Source: Hu et al., "Learning discrete representations via information maximizing self-augmented
    training", 2017, equations 4 and 8.

    Args:
        logits: tensor (batch, K). Logits of the images.
        augmented_logits: tensor (batch, K). Logits of the same images after T.
        balance_tolerance: float, at least 0, in nats. H may be below ln K by this amount without a
            penalty. Ten classes cannot fill 16 categories equally: with six of them in two
            categories each and four in one, H is 0.054 nats below ln 16.

    Returns:
        Scalar tensor, in nats.
    """
    logits = tf.cast(logits, tf.float32)
    divergence = _divergence(logits, tf.cast(augmented_logits, tf.float32))
    mean = replicas.mean(tf.nn.softmax(logits), axis=0)
    imbalance = tf.math.log(float(logits.shape[1])) + tf.reduce_sum(tf.math.xlogy(mean, mean))
    return divergence + tf.maximum(imbalance - balance_tolerance, 0.0)


def _divergence(logits: tf.Tensor, augmented_logits: tf.Tensor) -> tf.Tensor:
    # As in virtual adversarial training, the target q(.|x) is a constant.
    log_p = tf.stop_gradient(tf.nn.log_softmax(logits))
    log_ratio = log_p - tf.nn.log_softmax(augmented_logits)
    return replicas.mean(tf.reduce_sum(tf.exp(log_p) * log_ratio, axis=1))


def _unit(x: tf.Tensor) -> tf.Tensor:
    norm = tf.norm(tf.reshape(x, (tf.shape(x)[0], -1)), axis=1)
    # A vanishing gradient has norm 0, which must not divide.
    return x / tf.reshape(norm + 1e-12, [-1] + [1] * (len(x.shape) - 1))
