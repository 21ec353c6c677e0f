"""Loading of data sets by name or path."""

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
"""Sources in order; the first one that finds a name reads it. `TfdsSource` takes any name."""


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
    image_size: int | tuple[int, int] | None = None,
    shuffle: bool | None = None,
    fit: str = "crop",
    channels: int | None = None,
    background: str | tuple[int, int, int] = "white",
    skip_broken: bool = False,
    cache: str | Path | None = None,
) -> tf.data.Dataset:
    """Loads a data set as batches of float32 images in [0, 1].

    Images are decoded once and kept in memory. A folder whose decoded images would take more than 2
    GiB is decoded in every epoch, or once into the folder `cache`. `name` is one of:

    - "fashion_mnist_mini" or "mnist_mini": small sets inside the package, which need no download.
      "mnist_mini" has only a test split.
    - "mnist", "fashion_mnist", "kmnist", "binarized_mnist" or another image set of TensorFlow
      Datasets (TFDS).
    - Path of a folder of images, with optional folders "train" and "test" and an optional subfolder
      for each class. Write "./NAME" if the folder has the name of a data set. Labels number the
      sorted class names of all splits. Hidden files and folders are skipped.
    - Path of a `.npz` file with the arrays `train_images`, `train_labels`, `test_images`, ..., or
      `x_train`, `y_train`, ..., or `images` and `labels`.
    - "scenes", "sprites" or "nouns": sets that the library draws from factors. "scenes" are rooms
      with an object (64x64x3, factors of 3D Shapes). "sprites" are gray shapes (64x64x1, factors of
      dSprites). "nouns" are figures of five parts (32x32x3, CC0 1.0, by nounders for Nouns DAO);
      they need one file of 151 kB, which is downloaded or in `data_dir/nouns/`. The splits "train",
      "validation" and "test" share no combination of factors. They hold 20,000, 2,000 and 2,000
      scenes, 50,000, 15,000 and 15,000 sprites, or 50,000, 5,000 and 5,000 nouns.
    - "cars3d": read from its published files in `data_dir/cars3d/`.

    Args:
        name: str or path. Name or path of the data set.
        split: str. Split in the syntax of TensorFlow Datasets, such as "test" or "train[:90%]".
        batch_size: int. Number of images in a batch. The last batch may be smaller.
        data_dir: str or path. Folder with prepared TFDS data. It may instead hold the originally
            published files in `data_dir/NAME/`; these are prepared once into TFDS's own folder,
            with verified checksums. `None` is TFDS's own folder: the environment variable
            TFDS_DATA_DIR, or ~/tensorflow_datasets.
        download: bool. `True` allows the download of missing data. `False` raises an error if data
            are missing.
        seed: int. Seed of the shuffled order. Each epoch has another order.
        labels: bool. `True` returns pairs (images, int32 labels).
        factors: bool. `True` returns pairs (images, int32 factors), with columns in the order of
            `datasets.factors(name)`. It cannot be combined with `labels`. Sets with factors are
            "scenes", "sprites", "nouns" and "cars3d", and from TFDS "dsprites", "shapes3d",
            "smallnorb" (factors named `label_*`) and "celeb_a" (40 attributes).
        image_size: int or (height, width). Size to resize images to. `None` keeps the size,
            which must be the same for all images.
        shuffle: bool. `True` shuffles the images in each epoch. `None` shuffles only splits whose
            name begins with "train".
        fit: str. Treatment of images with another aspect ratio than `image_size`: "crop" cuts the
            longer side equally at both ends, "pad" adds bars in the background color, "stretch"
            distorts the image.
        channels: int. Number of channels of a folder's images: 1 for gray, 3 for color. `None` is 3
            if any image has color, else 1.
        background: str or (red, green, blue). Color behind transparent images of a folder: a name
            such as "white" or "#ff8800", or three numbers from 0 to 255.
        skip_broken: bool. `True` skips images of a folder that cannot be decoded, with a warning
            that names them. `False` raises an error.
        cache: str or path. Folder to store decoded images in, for a folder of images that does not
            fit in memory. `None` stores nothing.

    Returns:
        `tf.data.Dataset` of float32 images (batch, height, width, channels), or of pairs with int32
        labels (batch,) or factors (batch, k).

    Raises:
        FileNotFoundError: If data are missing. The message says what to do.
        ValueError: If the name or split is unknown, the set has no images, labels or factors, an
            image cannot be read, or a folder holds both images and class folders.

    Example:
        train = ki.datasets.load("fashion_mnist_mini", "train", batch_size=64)
        for images in train.take(1):
            print(images.shape)  # (64, 28, 28, 1)
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
    """Reads images, and their factors or labels."""
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
    image_size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    channels: int | None = None,
    background: str | tuple[int, int, int] = "white",
    skip_broken: bool = False,
    cache: str | Path | None = None,
    factors: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Loads a data set as one array, in the set's own order.

    The arguments have the same meaning as in `load`. The name and the split select the images, and
    `image_size` to `cache` say how they are read.

    Returns:
        Two values. Images: array (n, height, width, channels), uint8 from 0 to 255 or float32 in
        [0, 1]. Labels: int64 array (n,), or None for a set without labels. With `factors=True` the
        second value is factors, int64 (n, k).

    Example:
        >>> images, labels = ki.datasets.load_arrays("mnist_mini", "test")
        >>> images.shape, labels.shape
        ((100, 28, 28, 1), (100,))
    """
    options = Options(data_dir, download, image_size, fit, channels, background, skip_broken, cache)
    images, beside = _read(name, options, split, factors)
    return as_pixels(np.asarray(images)), beside


def image_shape(
    name: str | Path, *, data_dir: str | Path | None = None, skip_broken: bool = False
) -> tuple[int | None, int | None, int]:
    """Returns (height, width, channels) of a set's images; None for a size that differs.

    Args:
        name: str or path. Name or path of the data set; see `load`.
        data_dir: str or path. Folder of the data; see `load`.
        skip_broken: bool. `True` skips images that cannot be read, with a warning.

    Example:
        >>> ki.datasets.image_shape("mnist_mini")
        (28, 28, 1)
    """
    source = find(name, Options(data_dir, skip_broken=skip_broken))
    if isinstance(source, FolderSource | TfdsSource):
        return source.image_shape()
    (part, *_) = source.sizes()
    images, _ = source.read(f"{part}[:1]")
    return as_pixels(np.asarray(images)).shape[1:]


def count_images(
    name: str | Path, split: str = "train", *, data_dir: str | Path | None = None
) -> int:
    """Returns the number of images in a split.

    Args:
        name: str or path. Name or path of the data set; see `load`.
        split: str. Split, such as "train[:90%]".
        data_dir: str or path. Folder of the data; see `load`.

    Raises:
        ValueError: If the set does not have the split, or several splits are added.

    Example:
        >>> ki.datasets.count_images("fashion_mnist_mini", "train[:90%]")
        2250
    """
    sizes = find(name, Options(data_dir)).sizes()
    part, rows = parse_split(split, sizes)
    return len(range(sizes[part])[rows])


def split_names(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> list[str]:
    """Returns the names of a set's splits.

    Args:
        name: str or path. Name or path of the data set; see `load`.
        data_dir: str or path. Folder of the data; see `load`.
        download: bool. `True` allows the download of missing data.

    Example:
        >>> ki.datasets.split_names("fashion_mnist_mini")
        ['train', 'test']
    """
    return list(find(name, Options(data_dir, download)).sizes())


def class_names(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> list[str] | None:
    """Returns the names of a set's classes, in the order of the labels.

    Args:
        name: str or path. Name or path of the data set; see `load`.
        data_dir: str or path. Folder of the data; see `load`.
        download: bool. `True` allows the download of missing data.

    Returns:
        List of str; None if the classes have no names.

    Example:
        ki.datasets.class_names("fashion_mnist_mini")
    """
    return find(name, Options(data_dir, download)).class_names()


def factors(
    name: str | Path, *, data_dir: str | Path | None = None, download: bool = False
) -> Factors:
    """Returns the names and sizes of a set's factors, in the order of `load(..., factors=True)`.

    Args:
        name: str or path. Name or path of the data set; see `load`.
        data_dir: str or path. Folder of the data; see `load`.
        download: bool. `True` allows the download of missing data.

    Raises:
        ValueError: If the set has no factors.

    Example:
        >>> ki.datasets.factors("scenes").names
        ('floor_hue', 'wall_hue', 'object_hue', 'scale', 'shape', 'view')
    """
    return _factors_of(find(name, Options(data_dir, download)), name)


def draw(
    name: str, factors: np.ndarray, *, data_dir: str | Path | None = None, download: bool = False
) -> np.ndarray:
    """Draws images of "scenes", "sprites" or "nouns" from values of their factors.

    Args:
        name: str. "scenes", "sprites" or "nouns".
        factors: int array (n, k). Values of the k factors, in the order of
            `datasets.factors(name)`. The combinations may belong to any split.
        data_dir: str or path. Folder of the data; see `load`.
        download: bool. `True` allows the download of missing data.

    Returns:
        uint8 array (n, height, width, channels).

    Raises:
        ValueError: If the set is not drawn from factors, or a factor is out of range.

    Example:
        >>> factors = ki.datasets.factors("scenes").sample(16, object_hue=6)
        >>> ki.datasets.draw("scenes", factors).shape
        (16, 64, 64, 3)
    """
    return _drawn_from_factors(name, Options(data_dir, download)).draw(factors)


def image_information(
    name: str, *, data_dir: str | Path | None = None, download: bool = False, **fixed: int
) -> dict[str, float]:
    """Computes the exact mutual information of an image and each of its factors.

    I(image; factor) = H(factor) - H(factor | image) for uniformly distributed factors, computed
    from the images of all combinations. No representation of the image can contain more information
    about the factor. The value is below H(factor) if different values of the factor give equal
    images, such as a square after a quarter turn.

    Args:
        name: str. "scenes", "sprites" or "nouns".
        data_dir: str or path. Folder of the data; see `load`.
        download: bool. `True` allows the download of missing data.
        **fixed: int. Values of factors that are kept constant, by name.

    Returns:
        dict from the name of each factor that is not fixed to its information in nats.

    Raises:
        ValueError: If the set is not drawn from factors, a factor or value is unknown, or there are
            more than two million combinations.

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
    """Downloads and prepares a set of TensorFlow Datasets (TFDS), or the file of "nouns".

    Args:
        name: str. Name of the set.
        data_dir: str or path. Folder of the prepared data. If it contains the originally published
            files in `data_dir/NAME/`, these are prepared into TFDS's own folder without a download.
            `None` is TFDS's own folder.

    Returns:
        The folder of the prepared data.

    Raises:
        FileNotFoundError: If the data must be downloaded by hand. The message says where to put
            them.
        ValueError: If the set belongs to another source and needs no preparation.
    """
    source = find(name, Options(data_dir, download=True))
    folder = source.prepare() if isinstance(source, FactorSource | TfdsSource) else None
    if folder is None:
        source.sizes()  # raises FileNotFoundError if data are missing
        raise ValueError(f"{name} is already available; there is nothing to prepare.")
    return folder


def find(name: str | Path, options: Options) -> Source:
    """Returns the source that reads a name or path."""
    return next(found for each in SOURCES if (found := each.find(name, options)) is not None)
