"""A folder of images."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.source import Options

__all__ = ["FolderSource"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def parts(folder: Path) -> dict[str, Path]:
    """Its parts: the subfolders "train", "validation" and "test", or all of it as "train"."""
    found = {part: folder / part for part in ("train", "validation", "test")}
    return {part: path for part, path in found.items() if path.is_dir()} or {"train": folder}


def read(
    folder: Path, split: str, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The arrays of `loading.load_arrays`; the labels number the subfolders by name."""
    roots = parts(folder)
    root = roots.get(split.split("[")[0])
    if root is None:
        raise ValueError(f"{folder} has the splits {', '.join(roots)}; got {split!r}.")
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    paths = _images(root)
    if not paths:
        raise ValueError(f"{root} has no images; they end in {', '.join(_SUFFIXES)}.")
    _, rows = tfds_source.parse_split(split, {split.split("[")[0]: len(paths)})
    paths = paths[rows]
    images = [_decode(path, image_size) for path in paths]
    if len(shapes := {image.shape for image in images}) > 1:
        raise ValueError(
            f"The images of {folder} differ in size or channels ({sorted(shapes)[:3]}); say which "
            "size they shall have with image_size=(height, width), and keep one kind of image."
        )
    labels = [classes.index(path.relative_to(root).parts[0]) for path in paths] if classes else None
    return np.stack(images), None if labels is None else np.array(labels, np.int64)


def _images(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)


def _decode(path: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    image = tf.io.decode_image(tf.io.read_file(str(path)), expand_animations=False)
    if image.shape[2] in (2, 4):  # alpha
        image = image[..., :-1]
    return image.numpy() if image_size is None else tfds_source.resize(image, image_size)


class FolderSource:
    """A folder of images: a subfolder a class or none, below "train" and "test" or not.

    Args:
        folder: Path.
        options: Options. `image_size` is used.
    """

    def __init__(self, folder: Path, options: Options):
        self.folder = folder
        self.options = options

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "FolderSource | None":
        text = os.fspath(name)
        is_path = os.sep in text or text.startswith((".", "~"))
        folder = Path(text)
        known = not is_path and tfds_source.is_known(text)
        return cls(folder, options) if folder.is_dir() and not known else None

    def sizes(self) -> dict[str, int]:
        return {part: len(_images(root)) for part, root in parts(self.folder).items()}

    def class_names(self) -> list[str] | None:
        paths = {path for root in parts(self.folder).values() for path in root.iterdir()}
        return sorted({path.name for path in paths if path.is_dir()}) or None

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        return read(self.folder, split, self.options.image_size)
