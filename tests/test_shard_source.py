"""Shards give back the images, labels and order of what they were made of."""

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import cli, datasets
from keras_infomodels.datasets.loading import find
from keras_infomodels.datasets.shard_source import ShardedImages, write_shards
from keras_infomodels.datasets.source import Options
from keras_infomodels.zoo.build import load_split
from keras_infomodels.zoo.figures import load_images
from keras_infomodels.zoo.recipes import Recipe


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (23, 4, 3, 1), np.uint8), rng.integers(0, 5, 23)


@pytest.fixture
def shards(tmp_path, arrays):
    images, labels = arrays
    path = tmp_path / "set.npz"
    np.savez(path, train_images=images, train_labels=labels, test_images=images[:5])
    source = find(path, Options())
    assert write_shards(source, tmp_path / "shards", files=4) == {"train": 23, "test": 5}
    return tmp_path / "shards"


def test_shard_source_reads_what_write_shards_wrote(shards, arrays):
    images, labels = arrays
    assert datasets.split_names(shards) == ["train", "test"]
    assert datasets.image_shape(shards) == (4, 3, 1)
    assert datasets.count_images(shards, "train[:50%]") == 12
    found, found_labels = datasets.load_arrays(shards, "train[5:20]")
    np.testing.assert_array_equal(found, images[5:20])
    np.testing.assert_array_equal(found_labels, labels[5:20])
    assert datasets.load_arrays(shards, "test")[1] is None
    read, _ = find(shards, Options()).read("train[5:20]")
    assert isinstance(read, ShardedImages)
    rows = np.array([14, 0, 3, 3, 8])
    np.testing.assert_array_equal(read[rows], images[5:20][rows])
    assert read.fingerprint() != find(shards, Options()).read("train[6:21]")[0].fingerprint()


def test_write_shards_writes_records_that_tensorflow_reads(shards, arrays):
    files = sorted(map(str, shards.glob("train-*-of-00004.tfrecord")))
    records = [tf.io.decode_raw(each, tf.uint8) for each in tf.data.TFRecordDataset(files)]
    np.testing.assert_array_equal(np.reshape(records, arrays[0].shape), arrays[0])


def test_load_of_shards_has_the_batches_of_arrays(shards, arrays):
    images, labels = arrays
    found = datasets.load(shards, "train", 8, seed=3, labels=True)
    expected = datasets.from_arrays(images, labels, 8, seed=3)
    for _ in range(2):  # epochs
        for (x, y), (a, b) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(y, b)
            np.testing.assert_allclose(x, a, rtol=1e-6)


def test_shard_source_refuses_what_it_cannot_give(shards):
    with pytest.raises(ValueError, match="images of 4x3; make others"):
        datasets.load(shards, image_size=(8, 8))
    with pytest.raises(FileExistsError, match="is there already"):
        write_shards(find(shards, Options()), shards)
    file = shards / "train-00001-of-00004.tfrecord"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"train-00001-of-00004\.tfrecord has .* not whole"):
        datasets.load(shards, "train")


def test_write_shards_refuses_images_that_are_no_bytes(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((3, 2, 2, 1), np.float32))
    with pytest.raises(ValueError, match="Shards hold bytes"):
        write_shards(find(tmp_path / "set.npz", Options()), tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_shard_command_writes_shards(tmp_path, arrays, capsys):
    np.savez(tmp_path / "set.npz", images=arrays[0])
    out = tmp_path / "shards"
    assert cli.main(["shard", str(tmp_path / "set.npz"), "--out", str(out), "--files", "2"]) == 0
    assert "train 23" in capsys.readouterr().out
    np.testing.assert_array_equal(datasets.load_arrays(out)[0], arrays[0])


def recipe_of(place, folder):
    text = f"[data]\n{place} = '{folder}'\n[model]\nclass = 'VAE'\n"
    return Recipe.parse(text, "recipe.toml", epochs=1, network="mlp", widths=[4])


def test_recipe_takes_shards_in_the_place_of_a_name(shards):
    recipe = recipe_of("shards", shards)
    assert recipe == recipe_of("name", shards)
    assert next(iter(load_split(recipe, "train", None))).shape == (23, 4, 3, 1)


def test_recipe_refuses_shards_that_are_none(shards, tmp_path):
    with pytest.raises(ValueError, match=r"data.shards is a folder with shards.json"):
        recipe_of("shards", tmp_path)
    with pytest.raises(ValueError, match="leave one out"):
        recipe_of("name = 'mnist'\nshards", shards)


def test_load_images_reads_no_more_of_shards_than_its_limit(shards, arrays, monkeypatch):
    read, counts = ShardedImages.__getitem__, []

    def count(self, rows):
        found = read(self, rows)
        counts.append(len(found))
        return found

    monkeypatch.setattr(ShardedImages, "__getitem__", count)
    images, labels = load_images(recipe_of("shards", shards), "train[2:]", None, limit=7)
    assert counts == [7]
    np.testing.assert_array_equal(labels, arrays[1][2:9])
    np.testing.assert_allclose(images, arrays[0][2:9] / 255, rtol=1e-6)
