"""Finding images by name: the set inside the package, TensorFlow Datasets, a folder of images."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.pipeline import from_arrays

__all__ = ["MINI", "load", "load_arrays", "prepare"]

MINI = "fashion_mnist_mini"
"""250 training and 50 test images of each of the ten classes of Fashion-MNIST (MIT licence, (c)
2017 Zalando SE): the first of each class in the order of the full set."""

prepare = tfds_source.prepare


def load(
    name: str,
    split: str = "train",
    batch_size: int = 128,
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    labels: bool = False,
    image_size: tuple[int, int] | None = None,
    shuffle: bool | None = None,
) -> tf.data.Dataset:
    """A set of images as batches of float32 in [0, 1], decoded once and kept in memory.

    Args:
        name: "fashion_mnist_mini" (inside the package), "mnist", "fashion_mnist", "kmnist",
            "binarized_mnist" or any image set of TensorFlow Datasets, or the path of a folder of
            images, with one subfolder a class or none, below "train" and "test" or not.
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

    Returns:
        A dataset of (batch, height, width, channels), or of pairs with labels (batch,).

    Raises:
        FileNotFoundError: data that are not there, at once, with what to do.
        ValueError: an unknown name or split, or a set without images or labels.
    """
    images, classes = load_arrays(
        name, split, data_dir=data_dir, download=download, image_size=image_size
    )
    if labels and classes is None:
        raise ValueError(f"{name} has no labels; load it with labels=False.")
    shuffle = split.startswith("train") if shuffle is None else shuffle
    classes = classes if labels else None
    return from_arrays(images, classes, batch_size, seed=seed, shuffle=shuffle)


def load_arrays(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    image_size: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The images of `load` as one array, in the set's own order: see there for the arguments.

    Returns:
        Images (n, height, width, channels), uint8 or float32 in [0, 1], and int64 labels (n,), or
        None for a set without labels.
    """
    if name == MINI:
        return _mini(split, image_size)
    if Path(name).is_dir():
        return _folder(Path(name), split, image_size)
    return tfds_source.read(name, split, data_dir, download, image_size)


def _mini(split: str, image_size: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
    with files(__package__).joinpath(f"{MINI}.npz").open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False))
    sizes = {part: len(arrays[f"{part}_labels"]) for part in ("train", "test")}
    part, rows = tfds_source.parse_split(split, sizes)
    images = arrays[f"{part}_images"][rows][..., None]
    if image_size is not None:
        images = tfds_source.resize(images, image_size)
    return images, arrays[f"{part}_labels"][rows].astype(np.int64)


def _folder(
    folder: Path, split: str, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    import keras

    parts = [part for part in ("train", "test", "validation") if (folder / part).is_dir()]
    roots = {part: folder / part for part in parts} or {"train": folder}
    part = split.split("[")[0]
    if part not in roots:
        raise ValueError(f"{folder} has the splits {', '.join(roots)}; got {split!r}.")
    root = roots[part]
    has_classes = any(path.is_dir() for path in root.iterdir())
    options = {"labels": "inferred" if has_classes else None, "shuffle": False, "verbose": False}
    size = image_size or _first_size(root)
    channels = _first_channels(root)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    dataset = keras.utils.image_dataset_from_directory(
        root, image_size=size, color_mode=mode, batch_size=256, **options
    )
    batches = [(b if has_classes else (b, None)) for b in dataset.as_numpy_iterator()]
    images = np.concatenate([np.clip(np.rint(x), 0, 255).astype(np.uint8) for x, _ in batches])
    classes = np.concatenate([y for _, y in batches]) if has_classes else None
    _, rows = tfds_source.parse_split(split, {part: len(images)})
    return images[rows], None if classes is None else classes[rows].astype(np.int64)


def _first_image(root: Path) -> tf.Tensor:
    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in suffixes:
            return tf.io.decode_image(tf.io.read_file(str(path)), expand_animations=False)
    raise ValueError(f"{root} has no images; they end in {', '.join(suffixes)}.")


def _first_size(root: Path) -> tuple[int, int]:
    return tuple(_first_image(root).shape[:2])


def _first_channels(root: Path) -> int:
    return int(_first_image(root).shape[2])
