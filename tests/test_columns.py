import numpy as np
import pytest

from keras_infomodels.information import MutualInformation
from keras_infomodels.information.columns import (
    declare,
    prepare_columns,
    read_side,
    without_copies,
)

RNG = np.random.default_rng(0)


def prepared(side, discrete="auto"):
    x, _ = declare(read_side(side, "x"), read_side(np.arange(len(side)), "y"), discrete)
    return prepare_columns(x)


def test_prepare_columns_tells_labels_from_numbers():
    n = 60
    table = {
        "text": np.array(list("abc"))[RNG.integers(0, 3, n)],
        "flag": RNG.uniform(size=n) < 0.5,
        "two": RNG.integers(0, 2, n) * 7.0,
        "count": RNG.integers(0, 6, n),
        "number": RNG.normal(size=n),
        "constant": np.ones(n),
    }
    side = prepare_columns(read_side(table, "x"))
    assert side.labels.shape == (n, 3)
    assert side.values.shape == (n, 2)
    assert side.repeated == (True, False)
    assert side.as_labels().labels.shape == (n, 4)
    assert side.as_labels(5).labels.shape == (n, 3)  # the count has six values
    np.testing.assert_array_equal(side.values[:, 1], table["number"])


def test_declare_takes_masks_names_and_bools():
    x = np.stack([RNG.integers(0, 5, 40), RNG.integers(0, 5, 40), RNG.normal(size=40)], axis=1)
    y = RNG.integers(0, 4, 40)

    def labels(discrete, side_x=x):
        a, b = declare(read_side(side_x, "x"), read_side(y, "y"), discrete)
        return a.labels + b.labels

    assert labels("auto") == [None] * 4
    assert labels([True, False, False, True]) == [True, False, False, True]
    assert labels(np.array([1, 0, 0, 1], bool)) == [True, False, False, True]
    assert labels(False) == [False] * 4
    named = dict(zip("abc", x.T, strict=True))
    assert labels(["b"], named) == [None, True, None, None]
    assert labels("b", named) == [None, True, None, None]
    with pytest.raises(ValueError, match="3 of x and then 1 of y, got 3 entries"):
        labels([True] * 3)
    with pytest.raises(ValueError, match="unknown columns: d; the names are a, b, c"):
        labels(["d"], named)
    with pytest.raises(ValueError, match="give a mask"):
        labels(["a"])
    with pytest.raises(ValueError, match="text is discrete"):
        labels([False] * 2, np.array(list("ab") * 20))


def test_prepare_columns_follows_what_is_declared():
    codes = RNG.integers(0, 8, 80)
    assert prepared(codes, True).labels.shape[1] == 1
    assert prepared(codes, [False, False]).repeated == (False,)
    assert prepared(codes).repeated == (True,)
    with pytest.raises(ValueError, match="identifiers"):
        prepared(np.arange(80.0), True)


def test_mutual_information_discrete_changes_what_is_measured():
    """A code in no order of y: as a number its neighbors tell little, as a label all."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 60, 480)
    y = 3 * rng.normal(size=60)[code] + 0.5 * rng.normal(size=480)
    number, label = (
        MutualInformation().fit({"c": code}, y, discrete=d).nats for d in ([False, False], ["c"])
    )
    assert label > number + 0.3


def test_read_side_takes_underscores_for_text():
    side = read_side(np.array(["1_12", "11_2"] * 3), "x")
    assert side.columns[0].dtype.kind == "U"
    assert side.labels == [True]
    assert read_side(["1e3", "2"], "x").columns[0].tolist() == [1000, 2]


def test_read_side_scales_images():
    images = RNG.integers(0, 255, size=(20, 4, 5)).astype(np.uint8)
    side = read_side(images, "x")
    assert side.images.shape == (20, 4, 5, 1)
    assert side.images.mean() == pytest.approx(0, abs=1e-5)
    assert side.images.std() == pytest.approx(1, abs=1e-5)
    assert read_side(np.zeros((3, 4, 5, 2)), "x").images.shape == (3, 4, 5, 2)
    with pytest.raises(ValueError, match="leave such rows out"):
        read_side(np.full((3, 4, 5), np.nan), "x")


def test_without_copies_keeps_a_population_that_repeats():
    """Rows in as many copies each were copied; prices of products that were sold were not."""
    price, weight = RNG.permutation(1000)[:20] / 10, RNG.permutation(1000)[:20] / 10
    sold = RNG.integers(0, 20, 400)
    sides = [read_side(values[sold], "x") for values in (price, weight)]
    x, _, note = without_copies(*sides)
    assert (len(x), note) == (400, "")
    twice = [read_side(np.tile(RNG.normal(size=30), 2), "x") for _ in range(2)]
    x, _, note = without_copies(*twice)
    assert len(x) == 30
    assert "30 rows are copies" in note


def test_columns_joint_label_of_one_hot_columns_is_the_class():
    classes = RNG.integers(0, 7, 100)
    side = prepare_columns(read_side(np.eye(7)[classes], "x"))
    joint = side.joint_label()
    assert len(np.unique(joint)) == 7
    assert len(np.unique(np.stack([joint, classes]), axis=1).T) == 7
