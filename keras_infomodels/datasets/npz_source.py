"""`.npz` files as a data source, such as the small sets inside the package."""

import os
import re
import zipfile
import zlib
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.checks import as_pixels
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.source import Options

__all__ = ["BUNDLED", "NpzSource"]

BUNDLED = ("fashion_mnist_mini", "mnist_mini")
"""Sets inside the package: the first images of each class in the order of the full set.

fashion_mnist_mini: 250 training and 50 test images per class (MIT licence, (c) 2017 Zalando SE).
mnist_mini: 10 test images per class (CC BY-SA 3.0, (c) Yann LeCun and Corinna Cortes).
"""

_LAYOUTS = ((r"(.+)_images", "{}_labels"), (r"x_(.+)", "y_{}"), (r"images()", "labels"))
"""Pattern of the name of an array of images, and the name of its labels."""


class NpzSource:
    """Source of a `.npz` file with arrays of images and labels for each split.

    The arrays are named `train_images` and `train_labels`, or `x_train` and `y_train` as in Keras'
    files. A single split "train" may have the names `images` and `labels`. Images are uint8 or
    floats in [0, 1], (n, height, width) or (n, height, width, channels). Labels are optional:
    integers (n,) or (n, 1). An optional array `class_names` of text names the classes.

    Args:
        file: Path. The file.
        options: `Options`. Only `image_size` is used.
    """

    def __init__(self, file: Path | Traversable, options: Options):
        self.file = file
        self.options = options

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "NpzSource | None":
        if name in BUNDLED:
            return cls(files(__package__).joinpath(f"{name}.npz"), options)
        path = Path(os.fspath(name)).expanduser()
        if path.suffix.lower() != ".npz" or path.is_dir():
            return None
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        return cls(path, options)

    def sizes(self) -> dict[str, int]:
        # Labels are read faster than images.
        keys = {part: labels or images for part, (images, labels) in self._parts().items()}
        return {part: len(self._array(key)) for part, key in keys.items()}

    def class_names(self) -> list[str] | None:
        names = self._array("class_names")
        return None if names is None else names.tolist()

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        part, rows = tfds_source.parse_split(split, self.sizes())
        images_key, labels_key = self._parts()[part]
        images, labels = self._array(images_key), None
        if labels_key is not None:
            labels = self._check_labels(labels_key, len(images))[rows]
        images = as_pixels(images[rows])
        if self.options.image_size is not None:
            images = resize(images, self.options).numpy()
        return images, labels

    def _parts(self) -> dict[str, tuple[str, str | None]]:
        """Returns the names of the arrays of images and labels of each split."""
        names = self._read(lambda archive: archive.files)
        found = {}
        for pattern, labels in _LAYOUTS:
            for match in filter(None, (re.fullmatch(pattern, name) for name in names)):
                own = labels.format(match[1])
                found.setdefault(match[1] or "train", []).append(
                    (match[0], own if own in names else None)
                )
        if not found or any(len(keys) > 1 for keys in found.values()):
            raise ValueError(
                f"{self.file} contains the arrays {', '.join(names) or '(none)'}; name the images "
                "of "
                "each split once, such as train_images and test_images, or images, and labels "
                "train_labels and test_labels, or labels."
            )
        return {part: keys for part, (keys,) in found.items()}

    def _array(self, name: str) -> np.ndarray | None:
        """Returns an array; None if there is none of this name."""
        return self._read(lambda archive: archive[name] if name in archive.files else None)

    def _read(self, take: Callable[[NpzFile], object]):
        """Returns `take(archive)`, with errors that name the file."""
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return take(archive)
        # NumPy raises TypeError for a file without arrays, and ValueError for Python objects.
        except (zipfile.BadZipFile, zlib.error, EOFError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.file} is not a .npz file of plain arrays, or is damaged; write one with "
                "numpy.savez_compressed(path, train_images=..., train_labels=...)."
            ) from error

    def _check_labels(self, name: str, count: int) -> np.ndarray:
        labels = self._array(name)
        if labels.shape == (count, 1):
            labels = labels[:, 0]
        if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"{name} in {self.file} are integers, one for each of the {count} images; got "
                f"{labels.dtype} of shape {labels.shape}."
            )
        return labels.astype(np.int64)
