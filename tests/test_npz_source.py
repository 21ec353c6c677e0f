"""Images in `.npz` files, read by name as any other set."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import cli, datasets

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (20, 5, 4, 3), np.uint8)
LABELS = np.arange(20) % 3


@pytest.fixture
def path(tmp_path):
    """Twelve training and eight test images of three classes with names."""
    path = tmp_path / "own.npz"
    train = {"train_images": IMAGES[:12], "train_labels": LABELS[:12].astype(np.uint8)}
    test = {"test_images": IMAGES[12:], "test_labels": LABELS[12:, None]}
    np.savez_compressed(path, **train, **test, class_names=["ant", "bee", "cat"])
    return str(path)


def test_npz_source_reads_the_arrays_of_each_split(path):
    images, labels = datasets.load_arrays(path, "train")
    np.testing.assert_array_equal(images, IMAGES[:12])
    np.testing.assert_array_equal(labels, LABELS[:12])
    assert labels.dtype == np.int64
    images, labels = datasets.load_arrays(path, "test[2:]")
    np.testing.assert_array_equal(images, IMAGES[14:])
    np.testing.assert_array_equal(labels, LABELS[14:])
    assert datasets.split_names(path) == ["train", "test"]
    assert datasets.class_names(path) == ["ant", "bee", "cat"]


def test_npz_source_load_gives_batches_in_the_unit_interval(path):
    x, y = next(iter(datasets.load(path, "test", 8, labels=True)))
    np.testing.assert_allclose(x, IMAGES[12:] / np.float32(255))
    np.testing.assert_array_equal(y, LABELS[12:])
    assert next(iter(datasets.load(path, image_size=(2, 3), batch_size=5))).shape == (5, 2, 3, 3)


def test_npz_source_resizes_floats_as_bytes(tmp_path):
    whole = np.repeat(np.repeat(IMAGES[:, :2, :2], 4, 1), 4, 2)
    np.savez(tmp_path / "bytes.npz", images=whole)
    np.savez(tmp_path / "floats.npz", images=whole / 255)
    small = [
        datasets.load_arrays(tmp_path / f"{kind}.npz", image_size=(2, 2))[0]
        for kind in ("bytes", "floats")
    ]
    assert [each.dtype for each in small] == [np.uint8, np.float32]
    np.testing.assert_allclose(small[0] / 255, small[1], atol=0.5 / 255 + 1e-6)


def test_npz_source_takes_the_layout_of_keras_and_arrays_without_splits(tmp_path):
    keras_file, alone = tmp_path / "mnist.npz", tmp_path / "alone.NPZ"
    grey = IMAGES[..., 0]
    np.savez(keras_file, x_test=grey[12:], x_train=grey[:12], y_train=LABELS[:12])
    assert datasets.split_names(keras_file) == ["test", "train"]
    images, labels = datasets.load_arrays(keras_file, "train")
    np.testing.assert_array_equal(images, grey[:12, ..., None])
    np.testing.assert_array_equal(labels, LABELS[:12])
    assert datasets.load_arrays(keras_file, "test")[1] is None
    assert datasets.class_names(keras_file) is None
    with alone.open("wb") as file:
        np.savez(file, images=IMAGES / 255, labels=LABELS)
    images, labels = datasets.load_arrays(alone, "train[:50%]")
    np.testing.assert_allclose(images, IMAGES[:10] / 255, rtol=1e-6)
    np.testing.assert_array_equal(labels, LABELS[:10])


def test_npz_source_finds_paths_from_home_and_here(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/own.npz", "own.npz", "./own.npz"):
        assert len(datasets.load_arrays(name)[0]) == 12
    with pytest.raises(FileNotFoundError, match=r"no file other\.npz"):
        datasets.load("other.npz")
    with pytest.raises(ValueError, match="already available"):
        datasets.prepare("own.npz")


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({}, r"contains the arrays \(none\)"),
        ({"pictures": IMAGES}, "contains the arrays pictures; name the images of each split"),
        ({"train_images": IMAGES, "x_train": IMAGES}, "each split once"),
        ({"images": IMAGES.astype(float)}, r"in \[0, 1\].*got values from"),
        ({"images": IMAGES[0, 0]}, "height, width, channels"),
        ({"images": IMAGES, "labels": LABELS[1:]}, "one for each of the 20 images"),
        ({"images": IMAGES, "labels": np.eye(3)[LABELS]}, r"got float64 of shape \(20, 3\)"),
        ({"images": IMAGES, "labels": LABELS.astype(str)}, "labels in .* are integers"),
        ({"images": np.array([{}, {}])}, "not a .npz file of plain arrays"),
    ],
)
def test_npz_source_refuses_arrays_that_are_no_images(tmp_path, arrays, what):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=what):
        datasets.load_arrays(path, image_size=(3, 3))


@pytest.mark.parametrize("damage", ["empty", "text", "npy", "short", "changed"])
def test_npz_source_refuses_damaged_files(path, damage):
    content = Path(path).read_bytes()
    middle = len(content) // 2
    damaged = {
        "empty": b"",
        "text": b"no archive",
        "npy": np.lib.format.magic(1, 0) + b"\x10\x00{'descr': '<f8'}",
        "short": content[:middle],
        "changed": content[:500] + bytes(200) + content[700:],
    }
    Path(path).write_bytes(damaged[damage])
    with pytest.raises(ValueError, match=r"own\.npz is not a \.npz file of plain arrays"):
        datasets.load_arrays(path, "train")


@pytest.mark.slow
def test_npz_source_trains_by_the_command(path, tmp_path):
    out = tmp_path / "run"
    command = f"train vae --dataset {path} --out {out} --epochs 1 --latent-dim 2 --widths 4"
    assert cli.main([*command.split(), "--set", "data.validation=test", "--batch-size", "4"]) == 0
    assert (out / "model.weights.h5").is_file()


def test_sources_answer_alike(path, tmp_path):
    for label in ("cats", "dogs"):
        for i in range(3):
            file = tmp_path / "folder" / "test" / label / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            tf.io.write_file(str(file), tf.io.encode_png(IMAGES[i]))
    for name in (path, "mnist_mini", str(tmp_path / "folder")):
        source = datasets.loading.find(name, datasets.source.Options())
        for split, size in source.sizes().items():
            images, labels = source.read(split)
            assert len(images) == len(labels) == size
            classes = source.class_names()
            assert classes is None or labels.max() < len(classes)
    assert datasets.class_names(str(tmp_path / "folder")) == ["cats", "dogs"]
