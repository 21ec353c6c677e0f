"""Differentiable augmentation: what it changes, how far, and what passes through."""

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import GAN, networks
from keras_infomodels.training.augmentation import Augmentation

SEED = tf.constant([3, 4])


def random_images(*shape):
    return np.random.default_rng(0).random(shape).astype(np.float32)


def test_augmentation_shifts_rows_by_the_height_and_columns_by_the_width():
    """Each image is found again, shifted by at most an eighth, with black coming in."""
    x = 0.1 + random_images(200, 16, 24, 2)
    found = Augmentation(color=0, cutout=0)(x, SEED).numpy()
    padded = np.pad(x, ((0, 0), (2, 2), (3, 3), (0, 0)))
    seen = set()
    for image, wide in zip(found, padded, strict=True):
        places = [
            (i, j)
            for i in range(5)
            for j in range(7)
            if np.array_equal(image, wide[i : i + 16, j : j + 24])
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 35


def test_augmentation_cuts_a_square_of_half_the_side():
    found = Augmentation(color=0, translation=0)(np.ones((300, 16, 24, 1), np.float32), SEED)
    cut = found.numpy()[..., 0] == 0.5
    rows, columns = cut.any(axis=2).sum(axis=1), cut.any(axis=1).sum(axis=1)
    assert (rows.max(), columns.max()) == (8, 12)
    assert np.array_equal(cut.sum(axis=(1, 2)), rows * columns)
    assert ((found.numpy() == 1) | (found.numpy() == 0.5)).all()


def test_augmentation_keeps_grey_grey_and_moves_brightness_within_its_range():
    x = np.full((500, 4, 4, 3), 0.5, np.float32)
    found = Augmentation(translation=0, cutout=0)(x, SEED).numpy()
    np.testing.assert_allclose(found, found[:, :1, :1, :1] + 0 * found, atol=1e-6)
    assert -0.001 < found.min() < 0.05
    assert 0.95 < found.max() < 1.001
    x = random_images(500, 4, 4, 3)
    only = Augmentation(color=0.25, translation=0, cutout=0)(x, SEED).numpy()
    means = only.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))
    assert 0.2 < np.abs(means).max() < 0.2501


def test_augmentation_lets_gradients_through_and_repeats():
    x = tf.constant(random_images(4, 16, 16, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = Augmentation()(x, SEED)
    gradient = tape.gradient(y, x)
    assert np.count_nonzero(gradient) > 0.5 * x.numpy().size
    np.testing.assert_array_equal(y, Augmentation()(x, SEED))
    assert np.abs(y - Augmentation()(x, SEED + 1)).max() > 0.1


def test_gan_augments_what_is_judged_in_training_alone():
    """Both kinds of images; samples and evaluation stay as they are."""
    keras.utils.set_random_seed(0)
    generator = networks.ConvGenerator((16, 16, 3), 4, (6, 5), 8)
    discriminator = networks.ConvDiscriminator((16, 16, 3), (4, 5), 8, normalization=None)
    model = GAN(generator, discriminator, noise_dim=4, augmentation=Augmentation(cutout=0.9))
    x = tf.constant(random_images(8, 16, 16, 3))
    assert np.array_equal(model.discriminate_real(x, SEED, False)["images"], x)
    seen = model.discriminate_real(x, SEED, True)["images"].numpy()
    assert (seen == 0.5).mean() > 0.2
    fake = model.generate_batch(8, SEED, True)["images"].numpy()
    assert (fake == 0.5).mean() > 0.2
    assert not np.array_equal(fake == 0.5, seen == 0.5)
    again = GAN.from_config(model.get_config())
    assert again.augmentation.cutout == 0.9
    model.compile()
    history = model.fit(x, epochs=1, batch_size=4, verbose=0).history
    assert np.isfinite([v[-1] for v in history.values()]).all()
