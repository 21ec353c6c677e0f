"""Presets at an address, pinned by the SHA-256 of their metadata.json. No TensorFlow."""

import hashlib
import json
import re
from functools import partial
from pathlib import Path

from keras_infomodels.io import write_atomically
from keras_infomodels.preset_files import MEGABYTE, NEEDED, check_table, mismatch, problem_of
from keras_infomodels.progress import progress
from keras_infomodels.zoo.cache import home, install
from keras_infomodels.zoo.download import DownloadError, fetch_file, fetch_small_file

__all__ = ["SCHEMES", "fetch_from_link", "pin"]

SCHEMES = ("https://", "http://", "file://")
_LINK = re.compile(r"(https?://\S+|file://\S*)/([A-Za-z0-9_][A-Za-z0-9_.\-]{0,99})@([0-9a-f]{64})")


def pin(folder: str | Path) -> str:
    """Returns the SHA-256 of a preset's metadata.json.

    metadata.json contains the SHA-256 of the other files.
    """
    return hashlib.sha256((Path(folder) / "metadata.json").read_bytes()).hexdigest()


def fetch_from_link(link: str) -> Path:
    """Returns the preset's folder in the cache, downloaded if needed.

    Args:
        link: str. https://HOST/NAME@SHA256 or file:///PATH/NAME@SHA256: the address of a folder,
            and the SHA-256 of its metadata.json. `infomodels registry make` prints it.

    Raises:
        ValueError: If `link` has another form.
        DownloadError: If the download failed, or the files are not the pinned ones.
    """
    if not (match := _LINK.fullmatch(link)):
        raise ValueError(
            "A preset at an address is https://HOST/NAME@SHA256, with the 64 hexadecimal digits of "
            "the SHA-256 of its metadata.json, which `infomodels registry make` prints (a folder "
            f"on this machine is also given by its path alone, without file://); got {link!r}."
        )
    base, name, digest = match.groups()
    folder = home() / "links" / name / digest

    def is_complete():
        return _is_pinned(folder, digest)

    return install(link, folder, is_complete, partial(_fill, name, digest), [base])


def _is_pinned(folder: Path, digest: str) -> bool:
    if problem_of(folder) or pin(folder) != digest:
        return False
    files = json.loads((folder / "metadata.json").read_bytes())["files"]
    return not any(mismatch(folder, *item) for item in files.items())


def _fill(name: str, digest: str, bases: list[str], folder: Path):
    (base,) = bases
    content = fetch_small_file(f"{base}/{name}", "metadata.json", MEGABYTE)
    if content is None or hashlib.sha256(content).hexdigest() != digest:
        what = "is not there" if content is None else "has another SHA-256 than the address says"
        raise DownloadError(
            f"The preset {name} could not be downloaded: metadata.json {what}. Check the address, "
            "or ask its owner for the new one."
        )
    try:
        files = check_table(json.loads(content).get("files"))
        if missing := set(NEEDED) - set(files):
            raise ValueError(f"it does not state {', '.join(sorted(missing))}")
    except (ValueError, AttributeError, RecursionError) as error:
        raise DownloadError(f"The preset {name} is none: {error}.") from error
    write_atomically(folder / "metadata.json", content)
    size = sum(expected["bytes"] for expected in files.values())
    with progress(total=size, desc=name, unit="B", unit_scale=True) as bar:
        for file, expected in files.items():
            write_atomically(folder / file, fetch_file(bases, name, file, expected, bar))
