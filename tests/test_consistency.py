"""Random affine transforms, and the category that withstands them."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.training.consistency import (
    Consistency,
    adversarial_shift,
    category_consistency,
    random_affine,
)

STILL = {"degrees": 0.0, "shift": 0.0, "scale": 0.0, "slant": 0.0}


def blob(x, y, size=28):
    """A small Gaussian blob centered at (x, y), in pixels from the image's center."""
    grid = np.arange(size) - (size - 1) / 2
    image = np.exp(-((grid[None] - x) ** 2 + (grid[:, None] - y) ** 2) / 4)
    return image[None, :, :, None].astype(np.float32)


def centers(images):
    """Where the blobs of (n, size, size, 1) are, (n, 2)."""
    images = np.asarray(images)[..., 0]
    grid = np.arange(images.shape[1]) - (images.shape[1] - 1) / 2
    mass = images.sum(axis=(1, 2))
    return np.stack(
        [(images.sum(1) * grid).sum(1) / mass, (images.sum(2) * grid).sum(1) / mass], axis=1
    )


def test_random_affine_without_movement_is_the_identity():
    images = np.random.default_rng(0).uniform(size=(3, 9, 12, 2)).astype(np.float32)
    still = random_affine(images, tf.constant([0, 1]), **STILL)
    np.testing.assert_allclose(still, images, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "spread_x", "spread_y"),
    [
        ({"shift": 0.1}, (4 - 2.8, 4 + 2.8), (-2.8, 2.8)),
        ({"degrees": 30.0}, (4 * math.cos(math.pi / 6), 4), (-2, 2)),
        ({"scale": 0.2}, (3.2, 4.8), (0, 0)),
        ({"slant": 0.5}, (4, 4), (0, 0)),  # a point at the center's height stays
    ],
)
def test_random_affine_keeps_each_movement_in_its_range(change, spread_x, spread_y):
    """A blob 4 pixels right of the center reaches, and never passes, both ends."""
    images = np.repeat(blob(4, 0), 400, axis=0)
    x, y = centers(random_affine(images, tf.constant([0, 1]), **STILL | change)).T
    for values, (low, high) in ((x, spread_x), (y, spread_y)):
        assert values.min() == pytest.approx(low, abs=0.12)
        assert values.max() == pytest.approx(high, abs=0.12)


def test_random_affine_shifts_rows_by_the_height():
    """A blob in the middle of 40 rows and 20 columns moves by up to 4 rows and 2 columns."""
    y, x = np.meshgrid(np.arange(40) - 19.5, np.arange(20) - 9.5, indexing="ij")
    image = np.exp(-(x**2 + y**2) / 4).astype(np.float32)
    images = np.repeat(image[None, :, :, None], 400, axis=0)
    shifted = random_affine(images, tf.constant([0, 1]), **STILL | {"shift": 0.1}).numpy()[..., 0]
    for grid, end in ((y, 4), (x, 2)):
        place = (grid * shifted).sum(axis=(1, 2)) / shifted.sum(axis=(1, 2))
        assert (place.min(), place.max()) == (
            pytest.approx(-end, abs=0.12),
            pytest.approx(end, abs=0.12),
        )


def test_random_affine_slant_moves_rows_by_their_height():
    images = np.repeat(blob(0, 6), 400, axis=0)
    x, y = centers(random_affine(images, tf.constant([0, 1]), **STILL | {"slant": 0.5})).T
    assert (x.min(), x.max()) == (pytest.approx(-3, abs=0.15), pytest.approx(3, abs=0.15))
    np.testing.assert_allclose(y, 6, atol=0.15)


def test_random_affine_passes_gradients_to_the_images():
    images = tf.constant(blob(2, 2))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(random_affine(images, tf.constant([0, 1])))
    assert float(tf.reduce_sum(tape.gradient(total, images))) > 100


def test_adversarial_shift_finds_the_direction_that_counts():
    """Of four pixels the category reads one: the shift goes along it, by the radius, uphill."""

    def classify(x):
        return tf.stack([5 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], axis=1)

    images = tf.constant(np.full((50, 2, 2, 1), 0.1, np.float32))
    with tf.GradientTape() as tape:
        tape.watch(images)
        shifted = adversarial_shift(images, classify(images), classify, tf.constant([0, 1]), 0.5)
    shift = (shifted - images).numpy().reshape(50, 4)
    np.testing.assert_allclose(np.abs(shift[:, 0]), 0.5, rtol=1e-5)
    np.testing.assert_allclose(shift[:, 1:], 0, atol=1e-6)
    start = tf.random.stateless_normal(images.shape, [0, 1]).numpy()[:, 0, 0, 0]
    np.testing.assert_array_equal(np.sign(shift[:, 0]), np.sign(start))  # uphill from there
    np.testing.assert_array_equal(tape.gradient(shifted, images), 1)  # the direction is a constant


def test_adversarial_shift_has_a_constant_direction():
    """Of a direction that changes with the image no gradient is taken: the slope is 1."""

    def classify(x):
        a, b = x[:, 0, 0, 0], x[:, 0, 1, 0]
        return tf.stack([tf.sin(3 * a) + a * b, b**2], axis=1)

    images = tf.random.stateless_uniform((5, 2, 2, 1), [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(images)
        shifted = adversarial_shift(images, classify(images), classify, tf.constant([0, 1]), 0.5)
    np.testing.assert_array_equal(tape.gradient(shifted, images), np.ones(images.shape))


@pytest.mark.parametrize("kind", ["affine", "adversarial", "both"])
def test_moved_with_both_shifts_the_affine_image(kind):
    """The category reads one corner; only a shift, of length 2, can be seen beside the affine."""

    def classify(x):
        return tf.stack([5 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], axis=1)

    images, seed = tf.constant(np.repeat(blob(2, 2), 3, axis=0)), tf.constant([0, 1])
    affine = images if kind == "adversarial" else random_affine(images, seed)
    difference = (
        Consistency(1.0, kind, 2.0).augment(images, classify(images), classify, seed) - affine
    )
    length = 0.0 if kind == "affine" else 2.0
    np.testing.assert_allclose(np.abs(difference[:, 0, 0, 0]), length, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(difference, axis=(1, 2)).ravel(), length, rtol=1e-5)


def test_category_consistency_of_perfect_and_useless_categories():
    certain = tf.constant(50 * np.eye(4), tf.float32)
    assert float(category_consistency(certain, certain)) == pytest.approx(0, abs=1e-5)
    one = tf.constant(np.tile([50.0, 0, 0, 0], (4, 1)), tf.float32)
    assert float(category_consistency(one, one)) == pytest.approx(math.log(4), abs=1e-5)


@pytest.mark.parametrize(("slack", "expected"), [(0.0, 0.0541), (0.05, 0.0041), (0.06, 0.0)])
def test_category_consistency_slack_for_ten_kinds_in_sixteen(slack, expected):
    """Six kinds in two categories each and four in one: 12 of mass .05 and 4 of .1."""
    categories = np.repeat(np.arange(16), [1] * 12 + [2] * 4)
    logits = tf.constant(100 * np.eye(16)[categories], tf.float32)
    value = float(category_consistency(logits, logits, slack))
    assert value == pytest.approx(expected, abs=1e-4)


def test_category_consistency_equals_its_formula_and_gradient():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 3)).astype(np.float32)
    p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (a, b))
    kl = np.sum(p * np.log(p / q), axis=1).mean()
    mean = p.mean(0)
    expected = kl + math.log(3) + np.sum(mean * np.log(mean))
    with tf.GradientTape() as tape:
        logits, others = tf.constant(a), tf.constant(b)
        tape.watch([logits, others])
        value = category_consistency(logits, others)
    gradients = tape.gradient(value, [logits, others])
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradients[1], (q - p) / 6, atol=1e-6)
    # Of the images' own logits only the evenness is a function: d/dp is ln(mean) + 1.
    slope = p * (np.log(mean) - np.sum(p * np.log(mean), axis=1, keepdims=True)) / 6
    np.testing.assert_allclose(gradients[0], slope, atol=1e-6)
