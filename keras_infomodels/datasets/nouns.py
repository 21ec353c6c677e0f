"""Nouns: figures of 32x32 pixels, composed of a background and four parts.

The art is by nounders for Nouns DAO (nouns.wtf), who gave it to the public domain (CC0 1.0).
"""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import requests

from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.io import printable, write_atomically

__all__ = ["Nouns", "download"]

URL = (
    "https://raw.githubusercontent.com/nounsDAO/nouns-monorepo/"
    "ea52c35ddaffec148d05e4688f5ea6e9e76fee2f/packages/nouns-assets/src/image-data.json"
)
SHA256 = "a03f22b7838b35fdf0332617c9b8e2b032eb26cf1632afbefb200fec64c4bc20"

_FILE = "image-data.json"
_LAYERS = {"body": "bodies", "accessory": "accessories", "head": "heads", "glasses": "glasses"}
"""Name of each factor after the background, and its key in the file, in painting order."""

_SIDE = 32
_LARGEST_FILE = 2**20
_SECONDS = 60
_CHUNK = 256


class Nouns:
    """Data set of 32x32 figures composed of parts, with 50 million combinations.

    The factors and their numbers of values are background (2), body (30), accessory (143), head
    (254) and glasses (23).

    Args:
        content: bytes. Content of the project's file `image-data.json`.
        sha256: str. Expected checksum. The default is that of the pinned version.

    Raises:
        ValueError: If the checksum differs.
    """

    shape = (_SIDE, _SIDE, 3)

    def __init__(self, content: bytes, sha256: str = SHA256):
        if (found := hashlib.sha256(content).hexdigest()) != sha256:
            raise ValueError(
                f"The parts of nouns have the SHA-256 {found}, and the published file has "
                f"{sha256}; delete the file and download it again with `infomodels prepare "
                "nouns`."
            )
        data = json.loads(content)
        self._layers = [
            np.stack([_decode(part["data"]) for part in data["images"][key]])
            for key in _LAYERS.values()
        ]
        # The backgrounds' colors come after the palette, whose entry 0 is never drawn.
        colors = ["000000", *data["palette"][1:], *data["bgcolors"]]
        self._palette = np.frombuffer(bytes.fromhex("00".join(colors) + "00"), np.uint32)
        self._first_background = len(data["palette"])
        sizes = (len(data["bgcolors"]), *map(len, self._layers))
        self.factors = Factors(("background", *_LAYERS), sizes)

    def images(self, factors: np.ndarray) -> np.ndarray:
        """Draws figures from values of their factors.

        Args:
            factors: int array (n, 5). Background, body, accessory, head and glasses.

        Returns:
            uint8 array (n, 32, 32, 3).
        """
        factors = self.factors.check(factors)
        images = np.empty((len(factors), *self.shape), np.uint8)
        for start in range(0, len(factors), _CHUNK):
            background, *parts = factors[start : start + _CHUNK].T
            colors = np.empty((len(background), _SIDE, _SIDE), np.uint16)
            colors[:] = (self._first_background + background)[:, None, None]
            for layer, part in zip(self._layers, parts, strict=True):
                painted = layer[part]
                np.copyto(colors, painted, where=painted > 0)
            # Four bytes at a time, because NumPy takes rows of three bytes much more slowly.
            rgba = self._palette.take(colors).view(np.uint8).reshape(*colors.shape, 4)
            images[start : start + _CHUNK] = rgba[..., :3]
        return images


def _decode(data: str) -> np.ndarray:
    """Decodes a part to entries of the palette, uint16 (32, 32); 0 is transparent.

    After "0x" there are hexadecimal bytes: the number of the palette; the box, as its first row,
    the column after its last, its last row and its first column; then pairs of a run's length and
    its color, row by row within the box.
    """
    _, top, right, bottom, left, *runs = bytes.fromhex(data.removeprefix("0x"))
    pixels = np.repeat(np.array(runs[1::2], np.uint16), runs[::2])
    part = np.zeros((_SIDE, _SIDE), np.uint16)
    part[top : bottom + 1, left:right] = pixels.reshape(bottom + 1 - top, right - left)
    return part


def file_path(data_dir: str | Path | None) -> Path:
    """Returns the path of the parts' file: in `nouns/` of `data_dir`, by default TFDS's folder."""
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(root).expanduser() / "nouns" / _FILE


def read(data_dir: str | Path | None, fetch: bool) -> Nouns:
    """Reads the set from the file of its parts.

    Args:
        data_dir: str or path. Folder with `nouns/`. `None` is the folder of TFDS.
        fetch: bool. `True` downloads a missing file.

    Raises:
        FileNotFoundError: If the file is missing and `fetch` is `False`.
        OSError: If the download fails.
        ValueError: If the file differs from the published one.
    """
    path = file_path(data_dir)
    if not path.is_file():
        if not fetch:
            raise FileNotFoundError(
                f"The parts of nouns are not in {path}. Either download them once (151 kB) with "
                "`infomodels prepare nouns` (or download=True); or put the file of that name "
                "there; or point data_dir (--data-dir) at a folder with nouns/image-data.json."
            )
        download(path)
    return Nouns(path.read_bytes())


def download(path: Path, url: str = URL, sha256: str = SHA256):
    """Downloads the file of the parts, checks it and writes it.

    Args:
        path: Path. File to write.
        url: str. Address. The default is the pinned version.
        sha256: str. Expected checksum.

    Raises:
        OSError: If the server does not answer, or the checksum differs.
    """
    remedy = f"fetch {url} in another way and put it in {path}."
    try:
        content = _get(url)
    except (requests.RequestException, TimeoutError) as error:
        raise OSError(f"{url} cannot be downloaded ({printable(str(error))}); {remedy}") from error
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise OSError(f"{url} has the SHA-256 {found} in place of {sha256}; {remedy}")
    write_atomically(path, content)


def _get(url: str) -> bytes:
    deadline, content = time.monotonic() + _SECONDS, b""
    with requests.get(url, timeout=10, stream=True) as response:
        response.raise_for_status()
        for chunk in response.iter_content(2**14):
            content += chunk
            if len(content) > _LARGEST_FILE:
                break  # the checksum will differ
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {_SECONDS} seconds")
    return content
