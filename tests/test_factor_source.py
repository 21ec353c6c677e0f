import hashlib
import itertools

import numpy as np
import pytest

from keras_infomodels import datasets
from keras_infomodels.datasets import Factors
from keras_infomodels.datasets.factor_source import draw_split

NOUNS = Factors(("background", "body", "accessory", "head", "glasses"), (2, 30, 143, 254, 23))
SIZES = {"train": 50_000, "validation": 5_000, "test": 5_000}


def test_draw_split_gives_disjoint_combinations_with_every_value():
    drawn = {part: draw_split(NOUNS, part, count) for part, count in SIZES.items()}
    digits = {part: set(rows.sum(axis=1) % 10) for part, rows in drawn.items()}
    assert digits == {"train": set(range(8)), "validation": {8}, "test": {9}}
    for part, rows in drawn.items():
        assert len(np.unique(NOUNS.index(rows))) == len(rows) == SIZES[part]
        assert [len(np.unique(column)) for column in rows.T] == list(NOUNS.sizes)


def test_draw_split_is_the_same_everywhere_and_begins_alike():
    rows = draw_split(NOUNS, "test", 5000)
    np.testing.assert_array_equal(draw_split(NOUNS, "test", 10), rows[:10])
    digest = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    assert digest == "7e346018264c1150819be85eea11bb4686ffa373048fecfd5477ede94fddce98"
    # In random order: the head is not the first in the product's order.
    assert rows[:100, 3].std() > 50


def test_draw_split_takes_all_combinations_there_are():
    small = Factors(("a", "b"), (10, 4))
    rows = draw_split(small, "validation", 4)
    expected = [pair for pair in itertools.product(range(10), range(4)) if sum(pair) == 8]
    assert sorted(map(tuple, rows.tolist())) == [(5, 3), (6, 2), (7, 1), (8, 0)] == expected
    with pytest.raises(ValueError, match="validation has fewer than 5 of 40"):
        draw_split(small, "validation", 5)


def test_load_reads_scenes_with_factors_and_slices():
    images, factors = datasets.load_arrays("scenes", "test[10:30]", factors=True)
    assert images.shape == (20, 64, 64, 3)
    assert images.dtype == np.uint8
    assert (factors.sum(axis=1) % 10 == 9).all()
    again, none = datasets.load_arrays("scenes", "test[10:30]")
    assert none is None
    np.testing.assert_array_equal(images, again)
    batch, rows = next(iter(datasets.load("scenes", "test[10:30]", 8, factors=True)))
    np.testing.assert_array_equal(np.rint(255 * batch.numpy()), images[:8])
    np.testing.assert_array_equal(rows, factors[:8])
    assert datasets.load_arrays("scenes", "train[:3]", image_size=(32, 16))[0].shape == (
        3,
        32,
        16,
        3,
    )
    np.testing.assert_array_equal(datasets.draw("scenes", factors), images)
    with pytest.raises(ValueError, match=r"mnist_mini is not drawn .*; nouns, scenes and sprites"):
        datasets.draw("mnist_mini", factors)
    assert datasets.split_names("scenes") == ["train", "validation", "test"]
    assert datasets.class_names("scenes") is None
    assert datasets.factors("scenes").count == 480_000


def test_load_scenes_refuses_labels_unknown_splits_and_preparing():
    with pytest.raises(ValueError, match="scenes has no labels"):
        datasets.load("scenes", "test[:2]", labels=True)
    with pytest.raises(ValueError, match="split is one of train, validation, test"):
        datasets.load("scenes", "valid")
    with pytest.raises(ValueError, match="already available"):
        datasets.prepare("scenes")
    with pytest.raises(ValueError, match=r"fashion_mnist_mini has no factors.* scenes"):
        datasets.load("fashion_mnist_mini", "test", factors=True)
    with pytest.raises(ValueError, match="has no factors"):
        datasets.factors("fashion_mnist_mini")


def test_load_reads_sprites_with_factors():
    images, factors = datasets.load_arrays("sprites", "test[10:30]", factors=True)
    assert images.shape == (20, 64, 64, 1)
    assert (factors.sum(axis=1) % 10 == 9).all()
    np.testing.assert_array_equal(datasets.draw("sprites", factors), images)
    assert datasets.factors("sprites").sizes == (3, 6, 40, 32, 32)
    assert datasets.count_images("sprites", "train") == 50_000


def test_image_information_of_sprites_knows_their_symmetry():
    nats = datasets.image_information("sprites", scale=0, x=3, y=4)
    assert nats == pytest.approx({"shape": np.log(3), "orientation": np.log(20)})
    with pytest.raises(ValueError, match="mnist_mini is not drawn"):
        datasets.image_information("mnist_mini")
