"""Image files as an array whose rows are decoded on access."""

import concurrent.futures
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_infomodels.datasets.decoding import Look, decode

__all__ = ["PictureFiles", "in_order", "stamp", "unreadable"]


class PictureFiles:
    """Array of images that are decoded whenever their rows are accessed.

    Args:
        paths: list of Path. Files of the images.
        look: `Look`. Format of decoded images.
        shape: (n, height, width, channels). Shape of the array.
        dtype: NumPy dtype of the array.
    """

    def __init__(self, paths: list[Path], look: Look, shape: tuple[int, ...], dtype):
        self.paths, self.look, self.shape, self.dtype = paths, look, shape, np.dtype(dtype)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows) -> np.ndarray:
        paths = [self.paths[row] for row in np.arange(len(self))[rows]]
        images = np.empty((len(paths), *self.shape[1:]), self.dtype)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            decoded = in_order(pool, self._decode, paths)
            for row, image in enumerate(decoded):
                images[row] = image
        return images

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def _decode(self, path: Path) -> np.ndarray:
        try:
            return decode(path, self.look)
        except Exception as error:
            raise unreadable(path, error) from error

    def fingerprint(self) -> dict:
        """Returns JSON values that identify the images: a digest of file names and sizes."""
        names = repr([(path.name, stamp(path)[0]) for path in self.paths])
        digest = hashlib.sha256(names.encode()).hexdigest()
        return {"shape": list(self.shape), "sha256_of_names_and_sizes": digest}


def in_order(pool: concurrent.futures.Executor, function: Callable, items: Iterable) -> Iterator:
    """Yields results in the order of the items, and keeps few of them at a time."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= 64:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def stamp(path: Path) -> tuple[int, int]:
    """Returns the size and the modification time of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def unreadable(path: Path, error: Exception) -> ValueError:
    """Returns the error for a file that is not a readable image."""
    reason = str(error) if type(error) is ValueError else "it is damaged, or not an image"
    return ValueError(
        f"{path} is no image that can be read: {reason}. Replace or delete it, or skip such "
        "images with skip_broken=True (infomodels train --set data.skip_broken=true)."
    )
