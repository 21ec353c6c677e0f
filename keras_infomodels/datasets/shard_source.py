"""Shards: images of one size in a few TFRecord files, from which single rows can be read."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.checks import as_pixels
from keras_infomodels.datasets.source import Options, Source
from keras_infomodels.io import saving_folder

__all__ = ["INDEX", "ShardSource", "ShardedImages", "write_shards"]

INDEX = "shards.json"
"""File that makes a folder one of shards."""

_HEAD, _TAIL = 12, 4
"""Bytes of a TFRecord before its data, a length and its checksum, and after it."""

_AT_ONCE = 1024


class ShardedImages:
    """Images in TFRecord files, as an array whose rows are read when they are accessed.

    A record holds the bytes of one image, so the position of each row in a file is known. Only
    accessed rows are in memory; the operating system caches parts of the files.

    Args:
        files: list of Path. Files in the order of their rows.
        counts: list of int. Number of rows of each file.
        image_shape: (height, width, channels). Shape of an image.
        rows: range. Rows of the files that belong to the array.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, files: list[Path], counts: list[int], image_shape: tuple[int, ...], rows: range
    ):
        record = [("head", f"V{_HEAD}"), ("image", "u1", image_shape), ("tail", f"V{_TAIL}")]
        record = np.dtype(record)
        for file, count in zip(files, counts, strict=True):
            if (size := file.stat().st_size) != count * record.itemsize:
                raise ValueError(
                    f"{file} has {size} bytes and should have {count * record.itemsize}: it is "
                    "not whole. Copy it again, or make the shards anew."
                )
        self._files = [np.memmap(file, record, "r") for file in files]
        self._ends = np.cumsum(counts)
        self._rows = rows
        self._names = [[file.name, count] for file, count in zip(files, counts, strict=True)]
        self.shape = (len(rows), *image_shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows) -> np.ndarray:
        if isinstance(rows, slice):
            rows = self._rows[rows]
            rows = np.arange(rows.start, rows.stop, rows.step)
        else:
            rows = self._rows.start + np.asarray(rows)
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        own = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(own):
            here = own == number
            file = self._files[number]
            images[here] = file["image"][rows[here] - (self._ends[number] - len(file))]
        return images

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def fingerprint(self) -> dict:
        """Returns JSON values that identify the images: a digest of names, rows and samples."""
        digest = hashlib.sha256(repr([self._names, self._rows]).encode())
        digest.update(self[np.unique(np.linspace(0, len(self) - 1, 64).astype(int))])
        return {"shape": list(self.shape), "sha256_of_names_and_64_images": digest.hexdigest()}


class ShardSource:
    """Source of a folder of shards, written by `infomodels shard`.

    Args:
        folder: Path. Folder of the shards.
        options: Options. Size and channels are those of the shards and cannot be changed.
    """

    def __init__(self, folder: Path, options: Options):
        self.folder, self.options = folder, options
        self._index = json.loads((folder / INDEX).read_text())

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "ShardSource | None":
        folder = Path(os.fspath(name)).expanduser()
        return cls(folder, options) if (folder / INDEX).is_file() else None

    def sizes(self) -> dict[str, int]:
        return {part: sum(files.values()) for part, files in self._index["splits"].items()}

    def class_names(self) -> list[str] | None:
        return self._index["class_names"]

    def read(self, split: str) -> tuple[ShardedImages, np.ndarray | None]:
        size, shape = self.options.image_size, tuple(self._index["shape"])
        if size is not None and tuple(size) != shape[:2]:
            raise ValueError(
                f"The shards in {self.folder} hold images of {shape[0]}x{shape[1]}; make others "
                "of another size with infomodels shard --image-size."
            )
        part, rows = tfds_source.parse_split(split, self.sizes())
        files = self._index["splits"][part]
        kept = range(sum(files.values()))[rows]
        paths = [self.folder / name for name in files]
        images = ShardedImages(paths, list(files.values()), shape, kept)
        labels = self.folder / f"{part}_labels.npy"
        return images, np.load(labels)[rows].astype(np.int64) if labels.is_file() else None


def write_shards(source: Source, folder: str | Path, files: int = 16) -> dict[str, int]:
    """Writes the images of all splits of a data set as shards, in the set's own order.

    For a source that reads images one by one, such as a folder of images, only a thousand images
    are in memory at a time.

    Args:
        source: Source. Data set to write, as `datasets.find` returns it.
        folder: path. Folder to create. It appears under this name when it is complete.
        files: int. Number of files of each split. Every worker can read every file, so the number
            need not match the number of workers.

    Returns:
        dict from the name of each split to its number of images.

    Raises:
        FileExistsError: If the folder exists.
        ValueError: If pixels are not bytes (uint8).
    """
    folder = Path(folder).expanduser()
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; choose another folder.")
    index = {"format": 1, "class_names": source.class_names(), "splits": {}}
    with saving_folder(folder.parent) as new:
        for part, count in source.sizes().items():
            images, labels = source.read(part)
            index["shape"] = _shape(images)
            names = [f"{part}-{i:05d}-of-{files:05d}.tfrecord" for i in range(files)]
            bounds = np.arange(files + 1) * count // files
            index["splits"][part] = dict(zip(names, np.diff(bounds).tolist(), strict=True))
            for name, first, last in zip(names, bounds, bounds[1:], strict=False):
                _write(new / name, images, first, last)
            if labels is not None:
                np.save(new / f"{part}_labels.npy", labels.astype(np.int32))
        (new / INDEX).write_text(json.dumps(index, indent=1))
        new.rename(folder)
    return {part: sum(rows.values()) for part, rows in index["splits"].items()}


def _shape(images) -> list[int]:
    first = as_pixels(np.asarray(images[:1]))
    if first.dtype != np.uint8:
        raise ValueError(
            f"Shards hold bytes, and these images are {images.dtype}; give images of 8 bits."
        )
    return list(first.shape[1:])


def _write(path: Path, images, first: int, last: int):
    with tf.io.TFRecordWriter(str(path)) as writer:
        starts = range(first, last, _AT_ONCE)
        for start in tqdm(starts, path.name, disable=len(starts) < 10):
            rows = np.asarray(images[start : min(start + _AT_ONCE, last)])
            rows = rows[..., None] if rows.ndim == 3 else rows
            for image in rows:
                writer.write(np.ascontiguousarray(image).tobytes())
