"""Finding images by name: sets inside the package, TensorFlow Datasets, a folder of images."""

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets import folder_source, tfds_source
from keras_infomodels.datasets.checks import as_pixels
from keras_infomodels.datasets.pipeline import from_arrays

__all__ = ["BUNDLED", "load", "load_arrays", "prepare", "split_names"]

BUNDLED = ("fashion_mnist_mini", "mnist_mini")
"""The sets inside the package: the first images of each class in the order of the full set.

fashion_mnist_mini: 250 training and 50 test images a class (MIT licence, (c) 2017 Zalando SE).
mnist_mini: 10 test images a class (CC BY-SA 3.0, (c) Yann LeCun and Corinna Cortes).
"""


def load(
    name: str | Path,
    split: str = "train",
    batch_size: int = 128,
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    labels: bool = False,
    image_size: tuple[int, int] | None = None,
    shuffle: bool | None = None,
    skip_broken: bool = False,
) -> tf.data.Dataset:
    """A set of images as batches of float32 in [0, 1], decoded once and kept in memory.

    Args:
        name: "fashion_mnist_mini" or "mnist_mini" (inside the package; the latter has a test split
            alone), "mnist", "fashion_mnist", "kmnist", "binarized_mnist" or any image set of
            TensorFlow Datasets, or the path of a folder of images, with one subfolder a class or
            none, below "train" and "test" or not. A folder of the same name as a set is written
            "./NAME". The classes of a folder are numbered by name over all its splits; hidden
            files and folders are left out.
        split: as TensorFlow Datasets writes it, such as "train", "test", "train[:90%]".
        batch_size: the last batch may be smaller.
        data_dir: prepared TFDS data, or a folder with the canonical files in `data_dir/NAME/`,
            which are prepared once into TFDS's own directory, checksums verified. None is that
            directory: the variable TFDS_DATA_DIR, else ~/tensorflow_datasets.
        download: whether data that are not there may be downloaded.
        seed: of the order, with the epoch (see `from_arrays`).
        labels: whether to return pairs (images, int32 labels).
        image_size: (height, width) to resize to; needed where a set's images differ in size.
        shuffle: None shuffles the splits whose name begins with "train".
        skip_broken: bool. Whether images of a folder that cannot be decoded are left out, with a
            warning that names them. False raises an error.

    Returns:
        A dataset of (batch, height, width, channels), or of pairs with labels (batch,).

    Raises:
        FileNotFoundError: data that are not there, at once, with what to do.
        ValueError: an unknown name or split, a set without images or labels, an image that cannot
            be read, or one beside class folders.
    """
    images, classes = load_arrays(
        name,
        split,
        data_dir=data_dir,
        download=download,
        image_size=image_size,
        skip_broken=skip_broken,
    )
    if labels and classes is None:
        raise ValueError(f"{name} has no labels; load it with labels=False.")
    shuffle = split.startswith("train") if shuffle is None else shuffle
    classes = classes if labels else None
    return from_arrays(images, classes, batch_size, seed=seed, shuffle=shuffle)


def load_arrays(
    name: str | Path,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    image_size: tuple[int, int] | None = None,
    skip_broken: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The images of `load` as one array, in the set's own order: see there for the arguments.

    Returns:
        Images (n, height, width, channels), uint8 or float32 in [0, 1], and int64 labels (n,), or
        None for a set without labels.
    """
    if name in BUNDLED:
        images, labels = _bundled(name, split, image_size)
    elif folder := _folder(name):
        images, labels = folder_source.read(folder, split, image_size, skip_broken)
    else:
        images, labels = tfds_source.read(name, split, data_dir, download, image_size)
    return as_pixels(images), labels


def split_names(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> list[str]:
    """The parts that a set has, such as ["train", "test"]; the arguments are those of `load`."""
    if name in BUNDLED:
        return _parts(_archive(name))
    if folder := _folder(name):
        return list(folder_source.parts(folder))
    return tfds_source.split_names(name, data_dir, download)


def prepare(name: str, data_dir: str | Path | None = None) -> Path:
    """Downloads a set of TensorFlow Datasets and prepares it, once; see `tfds_source.prepare`."""
    if name in BUNDLED or _folder(name):
        raise ValueError(f"{name} is at hand already; there is nothing to prepare.")
    return tfds_source.prepare(name, data_dir)


def _folder(name: str | Path) -> Path | None:
    """Returns the folder that a name is the path of; None for the name of a set.

    Raises:
        FileNotFoundError: a path where there is no folder.
    """
    text = os.fspath(name)
    is_path = isinstance(name, Path) or os.sep in text or text.startswith((".", "~"))
    folder = Path(text).expanduser()
    if folder.is_dir() and (is_path or not tfds_source.is_known(text)):
        return folder
    # "emnist/letters" is a set of TFDS.
    if is_path and (isinstance(name, Path) or not tfds_source.is_known(text.split("/")[0])):
        raise FileNotFoundError(f"There is no folder {folder}.")
    return None


def _bundled(
    name: str, split: str, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    arrays = _archive(name)
    sizes = {part: len(arrays[f"{part}_labels"]) for part in _parts(arrays)}
    part, rows = tfds_source.parse_split(split, sizes)
    images = arrays[f"{part}_images"][rows][..., None]
    if image_size is not None:
        images = tfds_source.resize(images, image_size)
    return images, arrays[f"{part}_labels"][rows].astype(np.int64)


def _archive(name: str) -> dict[str, np.ndarray]:
    with files(__package__).joinpath(f"{name}.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


def _parts(arrays: dict[str, np.ndarray]) -> list[str]:
    return [part for part in ("train", "test") if f"{part}_labels" in arrays]
