import numpy as np
import pytest

from keras_infomodels.datasets.factor_information import image_information
from keras_infomodels.datasets.sprites import SHAPES, Sprites, patches


@pytest.fixture(scope="module")
def sprites():
    return Sprites()


def shot(sprites, shape="heart", scale=5, orientation=0, x=16, y=16):
    return sprites.images([[SHAPES.index(shape), scale, orientation, x, y]])[0, ..., 0]


def test_sprites_images_are_windows_at_x_and_y(sprites):
    factors = sprites.factors.sample(50, seed=0)
    images = sprites.images(factors)
    assert images.shape == (50, 64, 64, 1)
    assert images.dtype == np.uint8
    for image, (shape, scale, orientation, x, y) in zip(images[..., 0], factors, strict=True):
        np.testing.assert_array_equal(
            image[y : y + 33, x : x + 33], patches()[shape, scale, orientation]
        )
        assert image.sum(dtype=int) == patches()[shape, scale, orientation].sum(dtype=int)


def test_sprites_are_whole_in_their_windows():
    """The largest shapes reach the windows' rim nowhere, and are in the middle."""
    windows = patches().reshape(-1, 33, 33).astype(float)
    assert windows[:, [0, -1]].max() == windows[:, :, [0, -1]].max() == 0
    at = np.arange(33) - 16
    masses = windows.sum(axis=(1, 2))
    offsets = [(windows * a).sum(axis=(1, 2)) / masses for a in (at, at[:, None])]
    symmetric = slice(0, 480)
    assert np.abs(np.array(offsets)[:, symmetric]).max() < 0.02
    assert np.abs(offsets).max() < 1.5  # hearts


@pytest.mark.parametrize(("shape", "area"), [("square", 22**2), ("ellipse", np.pi * 15.4 * 9.1)])
def test_sprites_have_the_areas_of_their_shapes(shape, area):
    scales = np.linspace(0.5, 1, 6)
    found = patches()[SHAPES.index(shape)].sum(axis=(2, 3), dtype=float) / 255
    np.testing.assert_allclose(found / (area * scales**2)[:, None], 1, atol=0.015)


def test_sprites_turn_counterclockwise_in_steps_of_9_degrees(sprites):
    """Ten steps of a heart are `np.rot90`, and one step of a square turns its diagonal."""
    upright = shot(sprites)
    np.testing.assert_array_equal(upright, upright[:, ::-1][:, np.r_[63, 0:63]])
    assert upright[:32].sum(dtype=int) > upright[33:].sum(dtype=int)  # lobes up
    window = patches()[2, 5]
    turned = np.abs(window[10].astype(int) - np.rot90(window[0]))
    assert turned.max() <= 8
    rows, columns = np.nonzero(patches()[0, 5, 1] > 127)
    corner = np.argmax(columns - rows)  # the upper right one, at 45 + 9 degrees
    angle = np.rad2deg(np.arctan2(16 - rows[corner], columns[corner] - 16))
    assert angle == pytest.approx(54, abs=3)


def test_sprites_are_anti_aliased(sprites):
    levels = np.unique(shot(sprites, orientation=3))
    assert len(levels) > 10
    assert levels[0] == 0
    assert levels[-1] == 255


def test_sprites_are_distinct_but_for_symmetry(sprites):
    """Windows are distinct wherever they are put, because each shape is in its middle."""
    windows = patches().reshape(3, 6, 40, -1)
    counts = [len(np.unique(windows[i].reshape(240, -1), axis=0)) for i in range(3)]
    assert counts == [60, 120, 240]
    assert len(np.unique(windows.reshape(720, -1), axis=0)) == 420
    np.testing.assert_array_equal(windows[0, :, 3], windows[0, :, 33])
    np.testing.assert_array_equal(windows[1, :, 3], windows[1, :, 23])


def test_sprites_image_information_of_a_part_of_the_set(sprites):
    nats = image_information(sprites, scale=2, y=7)
    expected = {"shape": np.log(3), "orientation": np.log(20), "x": np.log(32)}
    assert nats == pytest.approx(expected)


@pytest.mark.slow
def test_sprites_image_information_of_all_images(sprites):
    sizes = dict(zip(sprites.factors.names, sprites.factors.sizes, strict=True))
    expected = {name: np.log(size) for name, size in sizes.items()} | {"orientation": np.log(20)}
    assert image_information(sprites) == pytest.approx(expected)


def test_sprites_refuse_factors_that_are_none(sprites):
    with pytest.raises(ValueError, match="orientation is from 0 to 39"):
        sprites.images([[0, 0, 40, 0, 0]])
