"""A folder of images."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets import tfds_source

__all__ = ["parts", "read"]

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
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
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


def _decode(path: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    image = tf.io.decode_image(tf.io.read_file(str(path)), expand_animations=False)
    if image.shape[2] in (2, 4):  # alpha
        image = image[..., :-1]
    return image.numpy() if image_size is None else tfds_source.resize(image, image_size)
