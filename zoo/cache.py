"""User's cache of downloaded presets, whose folders are complete or absent.

Presets are in presets/NAME/REVISION/, hub/OWNER--REPOSITORY/COMMIT/ and links/NAME/SHA256/.
registries/ holds the last registry of each mirror.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from keras_infomodels.io import fill_folder, write_atomically
from keras_infomodels.preset_files import mismatch
from keras_infomodels.progress import progress
from keras_infomodels.zoo.download import DownloadError, fetch_file
from keras_infomodels.zoo.registry import BASE_URL, Entry

__all__ = ["addresses", "cached", "fetch", "folder_of", "home", "install"]


def home() -> Path:
    """Returns the cache: KERAS_INFOMODELS_HOME, or keras_infomodels in Keras' home.

    Raises:
        DownloadError: If there is no home folder, as in a container with an unknown user.
    """
    keras = os.environ.get("KERAS_HOME") or "~/.keras"
    given = os.environ.get("KERAS_INFOMODELS_HOME") or f"{keras}/keras_infomodels"
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:
        raise DownloadError(
            f"There is no home folder to keep presets in, so {given} cannot be found; set "
            "KERAS_INFOMODELS_HOME to a folder."
        ) from None


def folder_of(entry: Entry) -> Path:
    """Returns the folder of a preset's files in the cache, which need not exist."""
    return home() / "presets" / entry.name / entry.digest


def cached(entry: Entry) -> Path | None:
    """Returns the preset's folder in the cache if all its files match the registry, else None."""
    try:
        folder = folder_of(entry)
    except DownloadError:  # no home folder: nothing is in the cache
        return None
    damaged = folder.is_symlink() or any(mismatch(folder, *item) for item in entry.files.items())
    return None if damaged else folder


def addresses() -> list[str]:
    """Returns the URLs in KERAS_INFOMODELS_ZOO_URL; the project's own if there are none."""
    given = os.environ.get("KERAS_INFOMODELS_ZOO_URL", "").split(",")
    return [url.strip() for url in given if url.strip()] or [BASE_URL]


def fetch(entry: Entry) -> Path:
    """Returns the preset's folder in the cache, downloaded if needed.

    Raises:
        DownloadError: If no mirror has it, in offline mode, or if the cache cannot be written.
    """
    return install(
        entry.name, folder_of(entry), lambda: cached(entry), partial(_fill, entry), addresses()
    )


def _fill(entry: Entry, urls: list[str], folder: Path):
    with progress(total=entry.bytes, desc=entry.name, unit="B", unit_scale=True) as bar:
        for name, expected in entry.files.items():
            write_atomically(folder / name, fetch_file(urls, entry.name, name, expected, bar))


def install(name: str, folder: Path, is_complete: Callable, fill: Callable, urls: list) -> Path:
    """Returns a folder of the cache, and fills it by `io.fill_folder` if it is not complete.

    `fill` is called with the URLs to try and an empty folder. In offline mode the URLs are only the
    file:// URLs of `urls`.

    Raises:
        DownloadError: From `fill`, in offline mode, or if the cache cannot be written.
    """
    if is_complete():
        return folder
    if os.environ.get("KERAS_INFOMODELS_OFFLINE", "0") not in ("", "0"):
        urls = [url for url in urls if url.startswith("file:")]
    if not urls:
        raise DownloadError(
            f"The preset {name} is not in the cache {home()}, and KERAS_INFOMODELS_OFFLINE is set. "
            "Unset it once, or set KERAS_INFOMODELS_ZOO_URL to the file:// URL of a copy."
        )
    try:
        fill_folder(folder, is_complete, partial(fill, urls))
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"The preset {name} could not be put into the cache {home()} ({error}): make room, get "
            "the permission to write there, or set KERAS_INFOMODELS_HOME to another folder."
        ) from error
    return folder
