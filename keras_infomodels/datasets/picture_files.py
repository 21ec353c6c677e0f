"""Picture files as an array whose rows are decoded when they are asked for."""

import concurrent.futures
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_infomodels.datasets.decoding import Look, decode

__all__ = ["PictureFiles", "in_order", "stamp", "unreadable"]


class PictureFiles:
    """Pictures that are decoded anew whenever their rows are asked for: an array of that shape.

    Args:
        paths: list of Path.
        look: Look. What they become.
        shape: (n, height, width, channels).
        dtype: NumPy type.
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
        """JSON values that tell these pictures from others: a digest of file names and sizes."""
        names = repr([(path.name, stamp(path)[0]) for path in self.paths])
        digest = hashlib.sha256(names.encode()).hexdigest()
        return {"shape": list(self.shape), "sha256_of_names_and_sizes": digest}


def in_order(pool: concurrent.futures.Executor, function: Callable, items: Iterable) -> Iterator:
    """Results in order, of which few are held at once."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= 64:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def unreadable(path: Path, error: Exception) -> ValueError:
    """The error for a file that is no picture, with what to do."""
    reason = str(error) if type(error) is ValueError else "it is damaged, or of another kind"
    return ValueError(
        f"{path} is no image that can be read: {reason}. Replace or delete it, or leave such "
        "images out with skip_broken=True (infomodels train --set data.skip_broken=true)."
    )
