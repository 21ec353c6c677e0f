"""A folder of images."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.source import Options

__all__ = ["FolderSource"]

_PARTS = ("train", "validation", "test")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_BY_PILLOW = (".tif", ".tiff", ".webp")
"""Formats that TensorFlow cannot read."""


def parts(folder: Path) -> dict[str, Path]:
    """Returns the subfolders "train", "validation" and "test", or all of it as "train"."""
    found = {part: folder / part for part in _PARTS}
    return {part: path for part, path in found.items() if path.is_dir()} or {"train": folder}


def class_names(folder: Path) -> list[str]:
    """Returns the names of the subfolders with images, of all parts together, in order.

    A class has the same number in every part, also where a part lacks another class.
    """
    roots = parts(folder).values()
    return sorted({path.name for root in roots for path in _subfolders(root) if _has_image(path)})


def read(
    folder: Path, split: str, image_size: tuple[int, int] | None, skip_broken: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """The arrays of `loading.load_arrays`; the labels number `class_names`."""
    roots = parts(folder)
    root = roots.get(split.split("[")[0])
    if root is None:
        raise ValueError(f"{folder} has the splits {', '.join(roots)}; got {split!r}.")
    _warn_of_what_is_left_out(folder, roots)
    paths = sorted(_images(root))
    if not paths:
        raise ValueError(f"{root} has no images; they end in {', '.join(_SUFFIXES)}.")
    classes = class_names(folder) if any(path.parent != root for path in paths) else []
    if classes and (loose := [path for path in paths if path.parent == root]):
        raise ValueError(
            f"{loose[0]} lies beside the class folders ({', '.join(classes[:5])}), so it has no "
            "class; move it into one of them or out of the folder."
        )
    _, rows = tfds_source.parse_split(split, {split.split("[")[0]: len(paths)})
    paths, images = _decode_all(paths[rows], image_size, skip_broken)
    if len(shapes := {image.shape[:2] for image in images}) > 1:
        raise ValueError(
            f"The images of {folder} differ in size ({sorted(shapes)[:3]}); say which size they "
            "shall have with image_size=(height, width)."
        )
    # Grey images among colored ones, and grey WebP, which holds three equal channels.
    channels = max(image.shape[2] for image in images)
    images = [np.broadcast_to(image, (*image.shape[:2], channels)) for image in images]
    labels = [classes.index(path.relative_to(root).parts[0]) for path in paths] if classes else None
    return np.stack(images), None if labels is None else np.array(labels, np.int64)


def _images(root: Path) -> Iterator[Path]:
    """Yields the images below a folder, without those of hidden files and folders."""
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in files:
            if name.lower().endswith(_SUFFIXES) and not _is_hidden(name):
                yield Path(parent, name)


def _is_hidden(name: str) -> bool:
    # macOS puts "._NAME" beside a file, and __MACOSX into archives.
    return name.startswith(".") or name == "__MACOSX"


def _subfolders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not _is_hidden(path.name)]


def _has_image(folder: Path) -> bool:
    return next(_images(folder), None) is not None


def _warn_of_what_is_left_out(folder: Path, roots: dict[str, Path]):
    if folder in roots.values():
        return
    others = [path.name for path in _subfolders(folder) if path.name not in roots]
    others = [name for name in sorted(others) if _has_image(folder / name)]
    if others:
        warnings.warn(
            f"{folder} has the splits {', '.join(roots)}, so the images in its other folders are "
            f"left out: {', '.join(others[:5])}. Splits are named {', '.join(_PARTS)}.",
            stacklevel=5,
        )


def _decode_all(
    paths: list[Path], image_size: tuple[int, int] | None, skip_broken: bool
) -> tuple[list[Path], list[np.ndarray]]:
    """Returns the paths that could be decoded, and their images."""
    read, images, broken = [], [], []
    for path in paths:
        try:
            images.append(_decode(path, image_size))
            read.append(path)
        # Pillow raises OSError for a damaged file, and SyntaxError for some damaged TIFFs.
        except (tf.errors.OpError, OSError, SyntaxError, ValueError) as error:
            if not skip_broken:
                raise ValueError(
                    f"{path} is no image that can be read: it is damaged, or not of the kind that "
                    "its name says. Replace or delete it, or leave such images out with "
                    "skip_broken=True (infomodels train --set data.skip_broken=true)."
                ) from error
            broken.append(path)
    if broken and not images:
        raise ValueError(f"None of the {len(broken)} images beside {broken[0]} can be read.")
    if broken:
        names = ", ".join(str(path) for path in broken[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        warnings.warn(f"Images that cannot be read are left out: {names}{more}.", stacklevel=6)
    return read, images


def _decode(path: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    if path.suffix.lower() in _BY_PILLOW:
        image = _decode_by_pillow(path)
    else:
        content = tf.io.read_file(str(path))
        image = tf.io.decode_image(content, expand_animations=False).numpy()
    if image.shape[2] in (2, 4):  # alpha
        image = image[..., :-1]
    return image if image_size is None else tfds_source.resize(image, image_size)


def _decode_by_pillow(path: Path) -> np.ndarray:
    """Returns uint8 (height, width, channels), as TensorFlow decodes the other formats."""
    with Image.open(path) as image:
        if image.mode.startswith("I;16"):  # TensorFlow too takes the higher byte of a 16-bit PNG
            return (np.asarray(image)[..., None] >> 8).astype(np.uint8)
        if image.mode not in ("1", "L", "LA", "RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB"):
            raise ValueError(f"{path} has pixels of the kind {image.mode}, which are no bytes.")
        kept = image.mode if image.mode in ("L", "LA", "RGB", "RGBA") else None
        array = np.asarray(image.convert(kept or ("L" if image.mode == "1" else "RGB")))
    return array[..., None] if array.ndim == 2 else array


class FolderSource:
    """A folder of images: a subfolder a class or none, below "train" and "test" or not.

    Args:
        folder: Path.
        options: Options. `image_size` and `skip_broken` are used.
    """

    def __init__(self, folder: Path, options: Options):
        self.folder = folder
        self.options = options

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "FolderSource | None":
        text = os.fspath(name)
        is_path = isinstance(name, Path) or os.sep in text or text.startswith((".", "~"))
        folder = Path(text).expanduser()
        if folder.is_dir() and (is_path or not tfds_source.is_known(text)):
            return cls(folder, options)
        # "emnist/letters" is a set of TFDS.
        if is_path and (isinstance(name, Path) or not tfds_source.is_known(text.split("/")[0])):
            raise FileNotFoundError(f"There is no folder {folder}.")
        return None

    def sizes(self) -> dict[str, int]:
        return {part: sum(1 for _ in _images(root)) for part, root in parts(self.folder).items()}

    def class_names(self) -> list[str] | None:
        return class_names(self.folder) or None

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        return read(self.folder, split, self.options.image_size, self.options.skip_broken)
