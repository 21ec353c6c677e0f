import itertools

import numpy as np
import pytest

from keras_infomodels.datasets import scenes as scenes_file
from keras_infomodels.datasets.scenes import SHAPES, Scenes, light, mix

SIDE = 64
HUES = np.array(list(itertools.product(range(10), repeat=3)))


@pytest.fixture(scope="module")
def scenes():
    return Scenes()


def cells(image):
    """Pixels of an image whose floor is red, wall green and object blue, by what they show."""
    return image.argmax(axis=-1)


def shot(scenes, scale=4, shape="sphere", view=7):
    return scenes.images([[0, 3, 6, scale, SHAPES.index(shape), view]])[0]


def test_scenes_have_480_000_distinct_images(scenes):
    """On every sixth row and column of pixels alone."""
    pixels = np.arange(SIDE**2).reshape(SIDE, SIDE)[3::6, 3::6].ravel()
    geometries = light().reshape(480, 3, -1)[:, :, pixels]
    assert len(np.unique(geometries.reshape(480, -1), axis=0)) == 480
    factors = np.zeros((len(HUES), 6), int)
    factors[:, :3] = HUES
    # A linear hash, exact in float64; equal images have equal sums.
    random = np.random.default_rng(0).integers(2**34, size=3 * len(pixels)).astype(float)
    sums = set()
    for geometry in geometries:
        images = mix(np.broadcast_to(geometry, (len(HUES), *geometry.shape)), factors)
        sums |= set((images.reshape(len(HUES), -1) @ random).tolist())
    assert len(sums) == 480_000 == scenes.factors.count


def test_scenes_images_are_mixes_of_floor_wall_and_object(scenes):
    factors = scenes.factors.sample(50, seed=0)
    images = scenes.images(factors)
    assert images.shape == (50, SIDE, SIDE, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[7:8], scenes.images(factors[7:8]))
    weights = light()
    assert (weights >= 0).all()
    assert weights.sum(axis=3).max() <= 1
    # Another hue of the object changes no pixel but those that show some of it.
    other = factors.copy()
    other[:, 2] = (other[:, 2] + 1) % 10
    changed = (scenes.images(other) != images).any(axis=-1).reshape(50, -1)
    shares = weights[factors[:, 3], factors[:, 4], factors[:, 5], 2]
    assert not changed[shares == 0].any()
    assert changed[shares > 0.05].all()


@pytest.mark.parametrize("shape", SHAPES)
def test_scenes_objects_grow_with_scale_in_the_middle_of_the_floor(scenes, shape):
    areas = [(cells(shot(scenes, i, shape)) == 2).sum() for i in range(8)]
    assert (np.diff(areas) > 0).all()
    # Sides go from 0.7 to 1.3 and the larger object is nearer to the camera in part.
    assert (1.3 / 0.7) ** 2 * 0.9 < areas[-1] / areas[0] < (1.3 / 0.7) ** 2 * 1.5
    columns = np.nonzero(cells(shot(scenes, 4, shape)) == 2)[1]
    assert abs(columns.mean() - 31.5) < 0.5
    image = cells(shot(scenes, 0, shape))
    assert (image[-8:] == 0).all()
    assert (image[:12] == 1).all()


def test_scenes_sphere_has_the_outline_of_its_projection(scenes):
    """An ellipse, whose half width is f tan(asin(r / distance)) to first order."""
    shown = light()[4, 2, 7, 2].reshape(SIDE, SIDE) > 0.2
    radius = 0.75 * np.linspace(0.7, 1.3, 8)[4]
    camera = np.array([4.6, 2.5])  # distance from the middle, height
    distance = np.hypot(camera[0], camera[1] - radius)
    expected = 32 / np.tan(np.deg2rad(24)) * np.tan(np.arcsin(radius / distance))
    assert abs(shown.any(axis=0).sum() / 2 - expected) < 1


def test_scenes_view_moves_the_rooms_corner_behind_a_sphere(scenes):
    """The sphere stays where it is; the edge between the walls goes from left to right."""
    images = [shot(scenes, view=view).astype(int) for view in (3, 7, 11)]
    edges = [np.abs(np.diff(image[4, :, 1])).argmax() for image in images]
    assert edges[1] == 31
    assert abs(edges[0] - 31) > 8
    assert edges[0] + edges[2] == 62
    outlines = [cells(image) == 2 for image in images]
    assert (outlines[0] == outlines[2]).mean() > 0.99


def test_scenes_are_lit_from_above_with_a_shadow_on_the_floor(scenes):
    image = shot(scenes).astype(int)
    rows, columns = np.nonzero(cells(image) == 2)
    column = 32
    own = rows[columns == column]
    assert image[own.min() + 3, column, 2] > image[own.max() - 3, column, 2] + 40
    floor = image[own.max() + 2 :, column, 0]
    assert (np.diff(floor) >= 0).all()
    assert floor[0] < 0.8 * floor[-1]


def test_scenes_edges_are_anti_aliased(scenes):
    share = light()[4, 0, 7].reshape(3, SIDE, SIDE)[2]
    full = share.max()
    assert ((share > 0.1 * full) & (share < 0.4 * full)).sum() > 20


def test_scenes_refuse_factors_that_are_none(scenes):
    with pytest.raises(ValueError, match="view is from 0 to 14"):
        scenes.images([[0, 0, 0, 0, 0, 15]])
    with pytest.raises(ValueError, match="floor_hue, wall_hue"):
        scenes.images([[0, 0, 0]])


@pytest.mark.parametrize("shape", range(4))
def test_scenes_of_twice_the_side_show_the_same_room(shape):
    fine, coarse = (
        scenes_file._Room(*scenes_file._rays(0.2, side)).render(shape, np.float32(1))
        for side in (128, 64)
    )
    blocks = fine.reshape(3, 64, 2, 64, 2).mean(axis=(2, 4)).reshape(3, -1)
    # Only pixels at edges differ, since their rays are others.
    assert np.abs(blocks - coarse).mean() < 2e-3
    assert np.mean(np.abs(blocks - coarse) > 0.1) < 2e-3


def test_scenes_have_the_side_that_is_asked_for():
    assert Scenes(128).shape == (128, 128, 3)
    with pytest.raises(ValueError, match="side of 1 to 256 pixels, got 300"):
        Scenes(300)
