"""Finding images by name or path, and loading them."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.cars3d_source import Cars3dSource
from keras_infomodels.datasets.checks import as_pixels
from keras_infomodels.datasets.factor_source import DRAWN, FactorSource
from keras_infomodels.datasets.factor_space import Factors, pair_with_factors
from keras_infomodels.datasets.folder_source import FolderSource
from keras_infomodels.datasets.npz_source import NpzSource
from keras_infomodels.datasets.picture_files import PictureFiles
from keras_infomodels.datasets.pipeline import from_arrays
from keras_infomodels.datasets.shard_source import ShardedImages, ShardSource
from keras_infomodels.datasets.source import FactoredSource, Options, Source
from keras_infomodels.datasets.streaming import from_rows
from keras_infomodels.datasets.tfds_source import TfdsSource, parse_split

__all__ = [
    "class_names",
    "count_images",
    "draw",
    "factors",
    "find",
    "image_shape",
    "load",
    "load_arrays",
    "prepare",
    "split_names",
]

SOURCES = (NpzSource, ShardSource, FactorSource, Cars3dSource, FolderSource, TfdsSource)
"""The first that finds a name reads it; `TfdsSource` takes any name."""


def load(
    name: str | Path,
    split: str = "train",
    batch_size: int = 128,
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    labels: bool = False,
    factors: bool = False,
    image_size: tuple[int, int] | None = None,
    shuffle: bool | None = None,
    fit: str = "crop",
    channels: int | None = None,
    background: str | tuple[int, int, int] = "white",
    skip_broken: bool = False,
    cache: str | Path | None = None,
) -> tf.data.Dataset:
    """A set of images as batches of float32 in [0, 1], decoded once and kept in memory.

    Pictures of a folder that would take more than 2 GiB are decoded anew in every epoch, or once
    into `cache`.

    Args:
        name: "fashion_mnist_mini" or "mnist_mini" (inside the package; the latter has a test split
            alone), "mnist", "fashion_mnist", "kmnist", "binarized_mnist" or any image set of
            TensorFlow Datasets, or the path of a folder of images, with one subfolder a class or
            none, below "train" and "test" or not. A folder of the same name as a set is written
            "./NAME". The classes of a folder are numbered by name over all its splits; hidden
            files and folders are left out. Or the path of a `.npz` file with the arrays
            `train_images`, `train_labels`, `test_images`, ..., or `x_train`, `y_train`, ..., or
            `images` and `labels`. Or the path of a folder of shards, which `infomodels shard`
            writes: images are read when a batch needs them. Or a set that is drawn from its
            factors: "scenes", rooms of 64x64 pixels with an object, by the factors of 3D Shapes;
            "sprites", grey shapes of 64x64 pixels, by the factors of dSprites; or "nouns", figures
            of 32x32 pixels of five parts (CC0 1.0, by nounders for Nouns DAO), from one file of 151
            kB that is downloaded or in `data_dir/nouns/`. Their splits share no combination of
            factors: the sum of the factors ends in 8 in "validation", in 9 in "test" and in other
            digits in "train". They hold 20,000, 2,000 and 2,000 scenes, 50,000, 15,000 and 15,000
            sprites, or 50,000, 5,000 and 5,000 nouns.
        split: as TensorFlow Datasets writes it, such as "train", "test", "train[:90%]".
        batch_size: the last batch may be smaller.
        data_dir: prepared TFDS data, or a folder with the canonical files in `data_dir/NAME/`,
            which are prepared once into TFDS's own directory, checksums verified. None is that
            directory: the variable TFDS_DATA_DIR, else ~/tensorflow_datasets.
        download: whether data that are not there may be downloaded.
        seed: of the order, with the epoch (see `from_arrays`).
        labels: whether to return pairs (images, int32 labels).
        factors: bool. Whether to return pairs (images, int32 factors), in the order of
            `datasets.factors(name)`; not together with `labels`. Sets with factors are "scenes",
            "sprites", "nouns", "cars3d" (from its published files in `data_dir/cars3d/`) and of
            TFDS "dsprites", "shapes3d", "smallnorb" (classes named `label_*`) and "celeb_a" (40
            attributes).
        image_size: (height, width). What images are resized to. None keeps their size, which
            must then be the same for all.
        shuffle: bool. None shuffles the splits whose name begins with "train".
        fit: str. For pictures of a folder with another aspect: "crop" cuts what is too long,
            equally at both ends, "pad" adds bars of the background, "stretch" distorts.
        channels: 1 for grey, 3 for color. None is 3 if any picture of a folder has color.
        background: str or (red, green, blue) from 0 to 255. Color behind transparent pictures of
            a folder, by a name such as "white" or "#ff8800".
        skip_broken: bool. Whether images of a folder that cannot be decoded are left out, with a
            warning that names them. False raises an error.
        cache: path. A folder for the decoded pictures of a folder, which are then read from disk;
            for more than memory holds.

    Returns:
        A dataset of (batch, height, width, channels), or of pairs with labels (batch,) or factors
        (batch, k).

    Raises:
        FileNotFoundError: data that are not there, at once, with what to do.
        ValueError: an unknown name or split, a set without images, labels or factors, an image that
            cannot be read, or one beside class folders.
    """
    if labels and factors:
        raise ValueError("labels=True and factors=True exclude each other; load one of them.")
    options = Options(data_dir, download, image_size, fit, channels, background, skip_broken, cache)
    images, beside = _read(name, options, split, factors)
    if labels and beside is None:
        raise ValueError(f"{name} has no labels; load it with labels=False.")
    shuffle = split.startswith("train") if shuffle is None else shuffle
    if factors:
        rows = np.arange(len(images))
        dataset = from_arrays(images, rows, batch_size, seed=seed, shuffle=shuffle)
        return pair_with_factors(dataset, beside)
    beside = beside if labels else None
    read_later = isinstance(images, PictureFiles | ShardedImages | np.memmap)
    make = from_rows if read_later else from_arrays
    return make(images, beside, batch_size, seed=seed, shuffle=shuffle)


def _read(name: str | Path, options: Options, split: str, factors: bool) -> tuple:
    """Images, and the factors or labels beside them."""
    source = find(name, options)
    if not factors:
        return source.read(split)
    _factors_of(source, name)
    return source.read_factors(split)


def load_arrays(
    name: str | Path,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    image_size: tuple[int, int] | None = None,
    fit: str = "crop",
    channels: int | None = None,
    background: str | tuple[int, int, int] = "white",
    skip_broken: bool = False,
    cache: str | Path | None = None,
    factors: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The images of `load` as one array, in the set's own order: see there for the arguments.

    Returns:
        Images (n, height, width, channels), uint8 or float32 in [0, 1], and int64 labels (n,), or
        None for a set without labels; with `factors=True` int64 factors (n, k) in their place.
    """
    options = Options(data_dir, download, image_size, fit, channels, background, skip_broken, cache)
    images, beside = _read(name, options, split, factors)
    return as_pixels(np.asarray(images)), beside


def image_shape(
    name: str | Path, *, data_dir: str | Path | None = None
) -> tuple[int | None, int | None, int]:
    """(height, width, channels) of a set's images; None for a size in which they differ.

    Args:
        name: see `load`.
        data_dir: see `load`.
    """
    source = find(name, Options(data_dir))
    if isinstance(source, FolderSource | TfdsSource):
        return source.image_shape()
    (part, *_) = source.sizes()
    images, _ = source.read(f"{part}[:1]")
    return as_pixels(np.asarray(images)).shape[1:]


def count_images(
    name: str | Path, split: str = "train", *, data_dir: str | Path | None = None
) -> int:
    """Number of images in a split such as "train[:90%]".

    Args:
        name: see `load`.
        split: see `load`.
        data_dir: see `load`.

    Raises:
        ValueError: a split that the set does not have, or several added up.
    """
    sizes = find(name, Options(data_dir)).sizes()
    part, rows = parse_split(split, sizes)
    return len(range(sizes[part])[rows])


def split_names(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> list[str]:
    """The parts that a set has, such as ["train", "test"]; the arguments are those of `load`."""
    return list(find(name, Options(data_dir, download)).sizes())


def class_names(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> list[str] | None:
    """The names of a set's classes, in the order of the labels.

    Args:
        name: see `load`.
        data_dir: see `load`.
        download: see `load`.

    Returns:
        List of str, or None for a set whose classes have no names.
    """
    return find(name, Options(data_dir, download)).class_names()


def factors(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> Factors:
    """The names and sizes of a set's factors, in the order of `load(..., factors=True)`.

    Args:
        name: see `load`.
        data_dir: see `load`.
        download: see `load`.

    Raises:
        ValueError: a set without factors.

    Example:
        >>> ki.datasets.factors("scenes").names
        ('floor_hue', 'wall_hue', 'object_hue', 'scale', 'shape', 'view')
    """
    return _factors_of(find(name, Options(data_dir, download)), name)


def draw(
    name: str, factors: np.ndarray, *, data_dir: str | Path | None = None, download: bool = False
) -> np.ndarray:
    """Draws images of "scenes", "sprites" or "nouns" by their factors, of any split.

    Args:
        name: "scenes", "sprites" or "nouns".
        factors: integers (n, k), in the order of `datasets.factors(name)`.
        data_dir: see `load`.
        download: see `load`.

    Returns:
        uint8 (n, height, width, channels).

    Raises:
        ValueError: another set, or factors that it does not have.

    Example:
        >>> factors = ki.datasets.factors("scenes").sample(16, object_hue=6)
        >>> ki.datasets.draw("scenes", factors).shape
        (16, 64, 64, 3)
    """
    return _drawn_from_factors(name, Options(data_dir, download)).draw(factors)


def image_information(
    name: str, *, data_dir: str | Path | None = None, download: bool = False, **fixed: int
) -> dict[str, float]:
    """What an image of "scenes", "sprites" or "nouns" tells of each factor, exactly.

    I(image; factor) = H(factor) - H(factor | image) under uniform factors, counted over the images
    of all combinations. It is the ceiling of what any code of the image can know of the factor. It
    is below H(factor) where images are equal, as those of a square after a quarter turn.

    Args:
        name: "scenes", "sprites" or "nouns".
        data_dir: see `load`.
        download: see `load`.
        **fixed: int. Values of factors that are the same in all images, by name.

    Returns:
        Nats by the name of each factor that is not fixed.

    Raises:
        ValueError: another set, an unknown factor or value, or more than two million combinations.

    Example:
        >>> nats = ki.datasets.image_information("sprites", x=0, y=0)
        >>> round(float(np.exp(nats["orientation"])), 3)
        20.0
    """
    return _drawn_from_factors(name, Options(data_dir, download)).information(**fixed)


def _drawn_from_factors(name: str, options: Options) -> FactorSource:
    source = find(name, options)
    if not isinstance(source, FactorSource):
        first, last = ", ".join([*DRAWN][:-1]), [*DRAWN][-1]
        raise ValueError(f"{name} is not drawn from factors; {first} and {last} are.")
    return source


def _factors_of(source: Source, name: str | Path) -> Factors:
    found = source.factors() if isinstance(source, FactoredSource) else None
    if found is None:
        raise ValueError(
            f"{name} has no factors; load it with factors=False. Sets with factors are scenes, "
            "sprites, nouns, dsprites, shapes3d, cars3d, smallnorb and celeb_a."
        )
    return found


def prepare(name: str, data_dir: str | Path | None = None) -> Path:
    """Downloads a set of TensorFlow Datasets, or the parts of nouns, and prepares it, once.

    Args:
        name: str. As in `load`.
        data_dir: path. Where it goes; None is TFDS's own directory. If it holds the canonical files
            in `data_dir/NAME/`, these are prepared into TFDS's own directory without a download.

    Returns:
        The folder of the prepared data.

    Raises:
        FileNotFoundError: data that only a person can fetch, with where to put them.
        ValueError: a set of another source, for which there is nothing to do.
    """
    source = find(name, Options(data_dir, download=True))
    folder = source.prepare() if isinstance(source, FactorSource | TfdsSource) else None
    if folder is None:
        source.sizes()  # raises FileNotFoundError for what is not there
        raise ValueError(f"{name} is at hand already; there is nothing to prepare.")
    return folder


def find(name: str | Path, options: Options) -> Source:
    """The source that reads a name or path."""
    return next(found for each in SOURCES if (found := each.find(name, options)) is not None)
