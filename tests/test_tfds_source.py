"""Sets of TensorFlow Datasets with colours and factors: tiny ones of the real features."""

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_infomodels import datasets

tfds.disable_progress_bar()
rng = np.random.default_rng(0)


def write(name, examples):
    """Prepares a set of the real features of `name` that holds these examples alone."""
    builder = tfds.builder(name, data_dir=os.environ["TFDS_DATA_DIR"])
    parts = {"train": list(enumerate(examples))}
    with mock.patch.object(type(builder), "_split_generators", return_value=parts):
        builder.download_and_prepare()


def example_of(feature, **given):
    """An example of a set's features, drawn at random but for what is given by name."""
    if isinstance(feature, tfds.features.FeaturesDict):
        return {
            key: given[key] if key in given else example_of(part) for key, part in feature.items()
        }
    if isinstance(feature, tfds.features.Image):
        return rng.integers(0, 256, feature.shape).astype(np.uint8)
    if isinstance(feature, tfds.features.ClassLabel):
        return int(rng.integers(feature.num_classes))
    if isinstance(feature, tfds.features.Text):
        return "name"
    return rng.integers(2).astype(feature.np_dtype)


def pairs(images, values):
    """Images with what belongs to them, whatever their order."""
    return {
        (image.tobytes(), tuple(np.atleast_1d(v))) for image, v in zip(images, values, strict=True)
    }


SIZES = {
    "dsprites": {"shape": 3, "scale": 6, "orientation": 40, "x_position": 32, "y_position": 32},
    "shapes3d": {
        "floor_hue": 10,
        "wall_hue": 10,
        "object_hue": 10,
        "scale": 8,
        "shape": 4,
        "orientation": 15,
    },
    "smallnorb": {"category": 5, "elevation": 9, "azimuth": 18, "lighting": 6},
}
"""In the order of the publications, which is that of the features."""


@pytest.mark.parametrize("name", SIZES)
def test_load_arrays_reads_the_factors_of_tfds_in_the_order_of_its_features(name):
    features = tfds.builder(name).info.features
    examples = [example_of(features) for _ in range(7)]
    write(name, examples)
    known = datasets.factors(name)
    assert list(zip(known.names, known.sizes, strict=True)) == list(SIZES[name].items())
    images, factors = datasets.load_arrays(name, factors=True)
    assert factors.dtype == np.int64
    expected = [[example[f"label_{name}"] for name in SIZES[name]] for example in examples]
    assert pairs(images, factors) == pairs([e["image"] for e in examples], expected)


@pytest.mark.parametrize("name", ["cifar10", "svhn_cropped"])
def test_load_arrays_reads_colour_images_with_labels(name):
    examples = [example_of(tfds.builder(name).info.features) for _ in range(5)]
    write(name, examples)
    images, labels = datasets.load_arrays(name)
    assert images.shape == (5, 32, 32, 3)
    assert labels.dtype == np.int64
    expected = pairs([e["image"] for e in examples], [e["label"] for e in examples])
    assert pairs(images, labels) == expected
    with pytest.raises(ValueError, match=f"{name} has no factors"):
        datasets.load(name, factors=True)


def test_load_arrays_reads_celeb_a_with_its_attributes_and_resizes_it():
    features = tfds.builder("celeb_a").info.features
    left = np.zeros((218, 178, 3), np.uint8)
    left[:, :89] = 200
    faces = [left, left[:, ::-1], 255 - left]
    examples = [example_of(features, image=face) for face in faces]
    write("celeb_a", examples)
    known = datasets.factors("celeb_a")
    assert known.names == tuple(features["attributes"])
    assert known.sizes == (2,) * 40
    assert datasets.image_shape("celeb_a") == (218, 178, 3)
    images, factors = datasets.load_arrays("celeb_a", factors=True, image_size=(8, 8))
    assert images.shape == (3, 8, 8, 3)
    assert factors.shape == (3, 40)
    for image, row in zip(images, factors, strict=True):
        (at,) = [i for i, face in enumerate(faces) if (face[0, 0] == image[0, 0]).all()]
        assert row.tolist() == [int(v) for v in examples[at]["attributes"].values()]
        assert (image[:, -1] == faces[at][0, -1]).all()
    with pytest.raises(ValueError, match="celeb_a has no labels"):
        datasets.load("celeb_a", labels=True)


def test_load_arrays_resizes_masks_of_dsprites_with_grey_edges():
    features = tfds.builder("dsprites").info.features
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.uint8)[..., None]
    write("dsprites", [example_of(features, image=board)])
    images, _ = datasets.load_arrays("dsprites")
    assert np.unique(images).tolist() == [0, 255]
    small, _ = datasets.load_arrays("dsprites", image_size=(16, 16))
    assert 110 < small.min() <= small.max() < 145  # the mean of 0 and 255
    (batch,) = datasets.load("dsprites")
    assert np.unique(batch).tolist() == [0, 1]


def test_load_pairs_images_with_their_factors_in_every_order():
    features = tfds.builder("smallnorb").info.features
    write("smallnorb", [example_of(features) for _ in range(9)])
    images, factors = datasets.load_arrays("smallnorb", factors=True)
    dataset = datasets.load("smallnorb", batch_size=4, factors=True, seed=3)
    epochs = []
    for _ in range(2):
        batches = [(np.rint(255 * x).astype(np.uint8), f) for x, f in dataset.as_numpy_iterator()]
        assert {f.dtype for _, f in batches} == {np.dtype("int32")}
        assert [len(f) for _, f in batches] == [4, 4, 1]
        epochs.append([np.concatenate(column) for column in zip(*batches, strict=True)])
        assert pairs(*epochs[-1]) == pairs(images, factors)
    assert (epochs[0][1] != epochs[1][1]).any()
    assert int(dataset.epoch) == 2
    dataset.epoch.assign(0)
    np.testing.assert_array_equal(np.concatenate([f for _, f in dataset]), epochs[0][1])
    other = datasets.load("smallnorb", "train[:50%]", factors=True)
    assert dataset.fingerprint() != other.fingerprint()
    with pytest.raises(ValueError, match="exclude each other"):
        datasets.load("smallnorb", labels=True, factors=True)


def test_load_arrays_of_a_part_of_a_split():
    write("cifar10", [example_of(tfds.builder("cifar10").info.features) for _ in range(10)])
    whole, labels = datasets.load_arrays("cifar10")
    part, part_labels = datasets.load_arrays("cifar10", "train[20%:50%]")
    np.testing.assert_array_equal(part, whole[2:5])
    np.testing.assert_array_equal(part_labels, labels[2:5])
    with pytest.raises(ValueError, match="split is one of train"):
        datasets.load_arrays("cifar10", "validation")
    with pytest.raises(ValueError, match="slice such as"):
        datasets.load_arrays("cifar10", "train[:0]")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_load_arrays_needs_memory_for_the_resized_images_alone():
    features = tfds.builder("celeb_a").info.features
    example = example_of(features, image=np.zeros((218, 178, 3), np.uint8))
    write("celeb_a", [example] * 2500)  # 290 MB of pixels
    datasets.load_arrays("celeb_a", "train[:10]", image_size=(8, 8))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    images, _ = datasets.load_arrays("celeb_a", image_size=(8, 8))
    assert images.shape == (2500, 8, 8, 3)
    assert resident("VmHWM") - before < 120


def resident(key):
    """Memory of this process in MB, now or at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(key)]
    return int(line.split()[1]) / 1e3
