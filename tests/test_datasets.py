import functools
import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums

from keras_infomodels import datasets
from keras_infomodels.callbacks import FollowEpoch
from keras_infomodels.datasets import tfds_source

tfds.disable_progress_bar()
rng = np.random.default_rng(0)


def numbered(count, **kwargs):
    """Images whose only pixel is their number / 100."""
    images = (np.arange(count) / 100).astype(np.float32).reshape(-1, 1, 1, 1)
    return datasets.from_arrays(images, **kwargs)


def order(dataset):
    return np.rint(100 * np.concatenate([b.numpy().ravel() for b in dataset])).astype(int).tolist()


def test_from_arrays_permutes_by_seed_and_epoch():
    dataset = numbered(23, batch_size=5, seed=3)
    first, second = order(dataset), order(dataset)
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second
    dataset.epoch.assign(1)
    assert order(dataset) == second
    again = numbered(23, batch_size=7, seed=3)
    assert [order(again), order(again)] == [first, second]
    assert order(numbered(23, seed=4)) != first


def test_from_arrays_without_shuffle_keeps_the_order():
    dataset = numbered(23, batch_size=5, shuffle=False)
    assert order(dataset) == order(dataset) == list(range(23))
    assert len(dataset) == 5
    assert [len(batch) for batch in dataset] == [5, 5, 5, 5, 3]


def test_from_arrays_keeps_labels_with_their_images():
    images = (np.arange(30) / 100).astype(np.float32).reshape(-1, 1, 1, 1)
    for x, y in datasets.from_arrays(images, np.arange(30), batch_size=4):
        np.testing.assert_array_equal(np.rint(100 * x.numpy().ravel()), y)
        assert y.dtype == tf.int32


def test_follow_epoch_gives_the_fit_epoch_to_the_data(make_model, images):
    seen = []

    class Spy(FollowEpoch):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            seen.append(int(self.dataset.epoch))

    dataset = datasets.from_arrays(images, batch_size=16)
    make_model().fit(dataset, initial_epoch=3, epochs=5, verbose=0, callbacks=[Spy(dataset)])
    assert seen == [3, 4]
    assert int(dataset.epoch) == 5


def test_fit_with_initial_epoch_equals_a_straight_run(make_model, images):
    dataset = datasets.from_arrays(images, batch_size=16)
    straight, resumed = make_model(), make_model()
    straight.fit(dataset, epochs=3, verbose=0)
    resumed.fit(dataset, epochs=2, verbose=0)
    resumed.fit(dataset, initial_epoch=2, epochs=3, verbose=0)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_from_arrays_makes_unit_floats_of_bytes():
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1)
    (batch,) = datasets.from_arrays(images, shuffle=False)
    assert batch.dtype == tf.float32
    np.testing.assert_allclose(batch.numpy().ravel(), [0, 0.2, 1])


@pytest.mark.parametrize(
    ("images", "what"),
    [
        (np.zeros((3, 4, 4, 1), np.int32), "uint8"),
        (np.full((3, 4, 4, 1), 2.0), r"\[0, 1\]"),
        (np.full((3, 4, 4, 1), np.nan), "NaN"),
        (np.zeros((0, 4, 4, 1)), "at least 1"),
        (np.zeros((4, 4)), "height, width, channels"),
    ],
)
def test_from_arrays_refuses_arrays_that_are_no_images(images, what):
    with pytest.raises(ValueError, match=what):
        datasets.from_arrays(images)


@pytest.mark.parametrize(
    ("images", "pixels"),
    [
        (np.uint8([0, 1, 1]), [0, 1, 1]),  # a mask, as dSprites in TFDS
        (np.uint8([0, 0, 0]), [0, 0, 0]),
        (np.array([False, True, True]), [0, 1, 1]),
        (np.uint8([1, 51, 255]), [1 / 255, 0.2, 1]),
        (np.uint16([0, 13107, 65535]), [0, 0.2, 1]),
        (np.array([-1e-7, 0.5, 1 + 2.4e-7]), [0, 0.5, 1]),  # of keras.layers.Resizing
    ],
)
def test_from_arrays_scales_pixels_by_what_they_are(images, pixels):
    (batch,) = datasets.from_arrays(images.reshape(3, 1, 1), shuffle=False)
    np.testing.assert_allclose(batch.numpy().ravel(), pixels, rtol=1e-6)
    assert 0 <= batch.numpy().min() <= batch.numpy().max() <= 1


def test_from_arrays_warns_of_images_that_are_almost_black():
    with pytest.warns(UserWarning, match=r"is 3 of 255.* / 3"):
        datasets.from_arrays(np.uint8([0, 1, 3]).reshape(3, 1, 1))


def test_from_arrays_refuses_wrong_labels_and_batch_size():
    with pytest.raises(ValueError, match="labels of shape"):
        numbered(3, labels=np.zeros(2))
    with pytest.raises(ValueError, match="argmax"):
        numbered(3, labels=np.eye(3))
    for wrong in ([0.5, 1, 2], [-2, 0, 1], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="Labels are integers"):
            numbered(3, labels=np.array(wrong))
    with pytest.raises(ValueError, match="batch_size"):
        numbered(3, batch_size=0)


def test_from_arrays_labeled_per_batch_fills_every_batch():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    labels = datasets.keep_labels(np.arange(100) % 5, 10, seed=3)
    dataset = datasets.from_arrays(images, labels, batch_size=20, seed=1, labeled_per_batch=6)
    batches = [(np.round(x * 255).astype(int).ravel(), y.numpy()) for x, y in dataset]
    assert [len(y) for _, y in batches] == [26] * 5
    added = np.concatenate([x[20:] for x, _ in batches])
    assert all((y[20:] >= 0).all() for _, y in batches)
    assert len({tuple(x[20:]) for x, _ in batches}) == 5  # drawn anew
    assert len(set(added)) > 5
    np.testing.assert_array_equal(np.sort(np.concatenate([x[:20] for x, _ in batches])), range(100))
    for x, y in batches:
        np.testing.assert_array_equal(y, labels[x])
    again = [x[20:] for x, _ in batches]
    dataset.epoch.assign(0)
    for (x, _), before in zip(dataset, again, strict=True):
        np.testing.assert_array_equal(np.round(x[20:] * 255).ravel(), before)


def test_keep_labels_is_balanced_and_repeats_with_its_seed():
    labels = np.repeat(np.arange(4), [30, 20, 40, 50]).astype(np.uint8)
    kept = datasets.keep_labels(labels, 40, seed=0)
    assert np.bincount(kept + 1).tolist() == [100, 10, 10, 10, 10]
    np.testing.assert_array_equal(kept[kept >= 0], labels[kept >= 0])
    np.testing.assert_array_equal(kept, datasets.keep_labels(labels, 40, seed=0))
    assert (kept != datasets.keep_labels(labels, 40, seed=1)).any()
    for count in (0, 41, 84):
        with pytest.raises(ValueError, match="multiple of 4 up to 80"):
            datasets.keep_labels(labels, count)
    with pytest.raises(ValueError, match="needs labels"):
        datasets.from_arrays(np.zeros((4, 2, 2, 1), np.uint8), labeled_per_batch=2)


def test_keep_labels_keeps_what_has_no_label_already_and_refuses_one_hot():
    labels = np.array([-1, 0, 0, 1, 1, -1, 2, 2])
    kept = datasets.keep_labels(labels, 3)
    assert np.bincount(kept + 1).tolist() == [5, 1, 1, 1]
    assert (kept[labels == -1] == -1).all()
    with pytest.raises(ValueError, match="argmax"):
        datasets.keep_labels(np.eye(3), 3)
    with pytest.raises(ValueError, match="no label to keep"):
        datasets.keep_labels(np.full(4, -1), 2)


def test_load_arrays_fashion_mnist_mini_is_balanced_and_small():
    images, labels = datasets.load_arrays("fashion_mnist_mini", "train")
    assert images.shape == (2500, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 250))
    test, test_labels = datasets.load_arrays("fashion_mnist_mini", "test")
    assert test.shape == (500, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(test_labels), np.full(10, 50))
    # Trousers are taller than they are wide, sneakers the other way round.
    lit = test.mean(axis=0, where=(test_labels == 1)[:, None, None, None]) > 64
    assert lit.any((1, 2)).sum() > lit.any((0, 2)).sum()
    package = Path(datasets.__path__[0])
    assert (package / "fashion_mnist_mini.npz").stat().st_size < 1_500_000
    assert "MIT License" in (package / "fashion_mnist_mini.LICENSE").read_text()


def test_load_arrays_mnist_mini_holds_few_real_digits():
    images, labels = datasets.load_arrays("mnist_mini", "test")
    assert images.shape == (100, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 10))
    assert datasets.split_names("mnist_mini") == ["test"]
    # MNIST's test images begin with a seven; ones have the least ink.
    assert labels[0] == 7
    ink = [images[labels == digit].mean() for digit in range(10)]
    assert np.argmin(ink) == 1
    package = Path(datasets.__path__[0])
    assert (package / "mnist_mini.npz").stat().st_size < 60_000
    assert "creativecommons.org/licenses/by-sa/3.0" in (package / "mnist_mini.LICENSE").read_text()
    with pytest.raises(ValueError, match="split is one of test"):
        datasets.load("mnist_mini", "train")


def test_load_splits_and_image_size_of_fashion_mnist_mini():
    whole, _ = datasets.load_arrays("fashion_mnist_mini", "train")
    head, _ = datasets.load_arrays("fashion_mnist_mini", "train[:90%]")
    tail, _ = datasets.load_arrays("fashion_mnist_mini", "train[90%:]")
    np.testing.assert_array_equal(np.concatenate([head, tail]), whole)
    batch, labels = next(
        iter(datasets.load("fashion_mnist_mini", "test", 8, labels=True, image_size=(32, 20)))
    )
    assert batch.shape == (8, 32, 20, 1)
    assert labels.shape == (8,)
    for split in ("validation", "train[:x]", "test+train"):
        with pytest.raises(ValueError, match="split is one of train, test"):
            datasets.load("fashion_mnist_mini", split)


def test_load_takes_any_tfds_set_by_name():
    load = functools.partial(datasets.load, download=True)
    with tfds.testing.mock_data(num_examples=9):
        (batch,) = load("kmnist", "test")
        assert batch.shape == (9, 28, 28, 1)
        (batch,) = load("cifar10", "train", image_size=(16, 16))
        assert batch.shape == (9, 16, 16, 3)
        assert 0 <= float(tf.reduce_min(batch)) < float(tf.reduce_max(batch)) <= 1
        with pytest.raises(ValueError, match="image_size="):
            load("imagenette", "train")
        assert next(iter(load("imagenette", image_size=(8, 8)))).shape[1:] == (8, 8, 3)
        with pytest.raises(ValueError, match="not a data set of images"):
            load("imdb_reviews", "train")
        with pytest.raises(ValueError, match="no labels"):
            load("binarized_mnist", "train", labels=True)


def test_load_names_three_remedies_for_missing_data(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        datasets.load("kmnist", data_dir=tmp_path)
    message = str(error.value)
    assert "infomodels prepare kmnist" in message
    assert "--data-dir" in message
    assert "t10k-images-idx3-ubyte.gz" in message
    with pytest.raises(ValueError, match="catalog"):
        datasets.load("no_such_set")


def test_load_guesses_a_folder_of_the_working_directory_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'toto'"):  # a set of TFDS
        datasets.load("photo")
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="Did you mean 'photos'"):
        datasets.load("photo")
    with pytest.raises(ValueError, match="Did you mean 'scenes'"):
        datasets.load("scnes")


def idx(array):
    header = np.array([0x800 + array.ndim, *array.shape], ">i4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def raw_mnist(tmp_path):
    """A folder with 20 + 10 images of noise in MNIST's own files."""
    return write_raw(tmp_path / "raw" / "mnist")


def write_raw(folder):
    folder.mkdir(parents=True)
    images = rng.integers(0, 256, size=(30, 28, 28))
    for part, rows in (("train", slice(20)), ("t10k", slice(20, 30))):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images[rows]))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(30)[rows] % 10))
    return folder, images


def fake_checksums(builder_class, paths):
    """Makes TFDS expect these files instead of the published ones."""
    infos = {info.filename: url for url, info in builder_class.url_infos.items()}
    return mock.patch.object(
        builder_class,
        "url_infos",
        {infos[path.name]: checksums.compute_url_info(path) for path in paths},
    )


def load_raw(name, folder):
    sizes = mock.patch.multiple(
        tfds.image_classification.mnist, _TRAIN_EXAMPLES=20, _TEST_EXAMPLES=10
    )
    with fake_checksums(type(tfds.builder(name)), folder.iterdir()), sizes:
        return datasets.load_arrays(name, "train", data_dir=folder.parent)


def test_load_arrays_keeps_sets_with_equal_file_names_apart(raw_mnist):
    folder, digits = raw_mnist
    garments_folder, garments = write_raw(folder.parent / "fashion_mnist")
    for path, images in ((folder, digits), (garments_folder, garments)):
        loaded, _ = load_raw(path.name, path)
        assert {a.tobytes() for a in loaded} == {a.astype(np.uint8).tobytes() for a in images[:20]}


def test_load_arrays_prepares_canonical_files_once(raw_mnist):
    folder, images = raw_mnist
    loaded, labels = load_raw("mnist", folder)
    by_label = np.argsort(labels, kind="stable")
    assert loaded.shape == (20, 28, 28, 1)
    assert {a.tobytes() for a in loaded} == {a.astype(np.uint8).tobytes() for a in images[:20]}
    np.testing.assert_array_equal(labels[by_label], np.arange(20) // 2)
    # Prepared: the files are not looked at again, and neither is the network.
    for path in folder.iterdir():
        path.write_bytes(b"gone")
    again, _ = datasets.load_arrays("mnist", "test", data_dir=folder.parent)
    assert len(again) == 10
    with pytest.raises(ValueError, match="split is one of train, test"):
        datasets.load("mnist", "validation")
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in folder.glob("*.gz"))
    np.testing.assert_array_equal(datasets.load_arrays("mnist", "train")[0], loaded)


def test_load_arrays_prepares_a_set_once_for_all_that_ask_at_once(raw_mnist):
    folder, _ = raw_mnist
    prepare, calls = tfds_source._prepare_from, []

    def counted(*arguments):
        calls.append(1)
        time.sleep(0.2)
        prepare(*arguments)

    module = tfds.image_classification.mnist
    sizes = mock.patch.multiple(module, _TRAIN_EXAMPLES=20, _TEST_EXAMPLES=10)
    count = mock.patch.object(tfds_source, "_prepare_from", counted)
    sums = fake_checksums(type(tfds.builder("mnist")), folder.iterdir())
    with sums, sizes, count, ThreadPoolExecutor(3) as pool:
        folders = pool.map(lambda _: datasets.prepare("mnist", folder.parent), range(3))
        assert len(set(folders)) == 1
    assert calls == [1]


def test_load_refuses_files_with_another_checksum(raw_mnist):
    folder, _ = raw_mnist
    with pytest.raises(ValueError, match="not the published one of mnist"):
        datasets.load("mnist", data_dir=folder.parent)


def test_load_names_missing_canonical_files(raw_mnist):
    folder, _ = raw_mnist
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="lacks t10k-labels-idx1-ubyte"):
        datasets.load("mnist", data_dir=folder.parent)


def test_load_binarized_mnist_from_plain_and_gzipped_text(tmp_path):
    folder, plain = tmp_path / "raw" / "binarized_mnist", tmp_path / "plain"
    folder.mkdir(parents=True)
    plain.mkdir()
    rows = rng.integers(0, 2, size=(3, 4, 784))
    for part, array in zip(("train", "valid", "test"), rows, strict=True):
        name = f"binarized_mnist_{part}.amat"
        np.savetxt(plain / name, array, fmt="%d")
        if part == "train":
            (folder / f"{name}.gz").write_bytes(gzip.compress((plain / name).read_bytes()))
        else:
            (folder / name).write_bytes((plain / name).read_bytes())
    builder = tfds.builder("binarized_mnist")
    with fake_checksums(type(builder), plain.iterdir()):
        (batch,) = datasets.load("binarized_mnist", "train", data_dir=folder.parent)
    assert set(np.unique(batch)) == {0.0, 1.0}
    assert {a.astype(int).tobytes() for a in batch.numpy().reshape(4, -1)} == {
        a.tobytes() for a in rows[0]
    }
    assert len(datasets.load_arrays("binarized_mnist", "validation")[0]) == 4


def write_png(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    tf.io.write_file(str(path), tf.io.encode_png(np.asarray(image, np.uint8)))


@pytest.mark.parametrize("nested", [True, False])
def test_load_arrays_reads_a_folder_of_images(tmp_path, nested):
    root = tmp_path / "train" if nested else tmp_path
    for label, shade in (("cats", 50), ("dogs", 200)):
        for i in range(3):
            write_png(root / label / f"{i}.png", np.full((6, 4, 1), shade + i))
    images, labels = datasets.load_arrays(str(tmp_path), "train")
    assert images.shape == (6, 6, 4, 1)
    np.testing.assert_array_equal(labels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(images[:, 0, 0, 0], [50, 51, 52, 200, 201, 202])
    assert len(datasets.load_arrays(str(tmp_path), "train[:50%]")[0]) == 3
    assert next(iter(datasets.load(str(tmp_path), image_size=(3, 2)))).shape == (6, 3, 2, 1)
    assert datasets.split_names(str(tmp_path)) == ["train"]
    with pytest.raises(ValueError, match="has the splits train"):
        datasets.load(str(tmp_path), "test")


def test_load_folder_without_classes_or_without_images(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no images"):
        datasets.load(str(empty))
    write_png(tmp_path / "flat" / "a.png", np.zeros((5, 5, 3)))
    images, labels = datasets.load_arrays(str(tmp_path / "flat"))
    assert images.shape == (1, 5, 5, 3)
    assert labels is None
    with pytest.raises(ValueError, match="no labels"):
        datasets.load(str(tmp_path / "flat"), labels=True)


def test_load_folder_of_unequal_images_needs_image_size(tmp_path):
    board = 255 * (np.indices((64, 64)).sum(0)[..., None] % 2)
    write_png(tmp_path / "a.png", board)
    write_png(tmp_path / "b.png", np.concatenate([board[:32], 0 * board[:32] + 255], axis=2))
    with pytest.raises(ValueError, match="image_size="):
        datasets.load(str(tmp_path))
    images, _ = datasets.load_arrays(str(tmp_path), image_size=(21, 21))
    assert images.shape == (2, 21, 21, 1)  # alpha is left out
    assert 110 < images.min() <= images.max() < 145  # antialiased


def test_load_prefers_a_set_to_a_folder_of_its_name(tmp_path, monkeypatch):
    write_png(tmp_path / "mnist" / "a.png", np.zeros((5, 5, 1)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="infomodels prepare mnist"):
        datasets.load("mnist")
    assert datasets.load_arrays("./mnist")[0].shape == (1, 5, 5, 1)
    write_png(tmp_path / "holiday" / "a.png", np.zeros((5, 5, 1)))
    assert datasets.load_arrays("holiday")[0].shape == (1, 5, 5, 1)


def test_prepare_takes_canonical_files_and_knows_what_is_at_hand(raw_mnist, tmp_path):
    folder, _ = raw_mnist
    module = tfds.image_classification.mnist
    sizes = mock.patch.multiple(module, _TRAIN_EXAMPLES=20, _TEST_EXAMPLES=10)
    with fake_checksums(type(tfds.builder("mnist")), folder.iterdir()), sizes:
        prepared = datasets.prepare("mnist", folder.parent)
    assert prepared.is_relative_to(tmp_path / "tfds")
    assert datasets.split_names("mnist") == ["train", "test"]
    with pytest.raises(ValueError, match="already available"):
        datasets.prepare("fashion_mnist_mini")


def test_from_arrays_disables_autotune_so_that_fit_ends_at_once():
    """tf.data's thread, which `fit` waits for, wakes up after as long as it has run."""
    dataset = datasets.from_arrays(np.zeros((8, 2, 2, 1), np.uint8), batch_size=2)
    assert dataset.options().autotune.enabled is False
    assert dataset.repeat().options().autotune.enabled is False
