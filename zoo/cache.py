"""The user's cache of presets: complete folders alone, each checked whenever it is used.

presets/NAME/REVISION/   appears at once, when every file is there and right
partial/NAME-REVISION/   what has arrived so far; a later call goes on from it
locks/                   one process at a time downloads a preset, the others wait for it
"""

import contextlib
import errno
import os
import shutil
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_infomodels import __version__
from keras_infomodels.preset_files import mismatch
from keras_infomodels.zoo.download import PATIENCE, DownloadError, Patience, fetch_file
from keras_infomodels.zoo.progress import Progress
from keras_infomodels.zoo.registry import Entry

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = [
    "BASE_URL",
    "base_urls",
    "cached",
    "explained",
    "fetch",
    "folder_of",
    "home",
    "is_offline",
]

BASE_URL = (
    "https://raw.githubusercontent.com/keras-infomodels/keras-infomodels/"
    f"v{__version__}/zoo/presets"
)
"""Where each preset is a folder. Nothing is served there before the project publishes; until then
set KERAS_INFOMODELS_ZOO_URL to a mirror."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}


def home() -> Path:
    """The cache: KERAS_INFOMODELS_HOME, or keras_infomodels in Keras' home."""
    if given := os.environ.get("KERAS_INFOMODELS_HOME"):
        return Path(given).expanduser().absolute()
    keras = os.environ.get("KERAS_HOME")
    return (Path(keras) if keras else Path.home() / ".keras").absolute() / "keras_infomodels"


def base_urls() -> list[str]:
    """Where to download from, in this order: KERAS_INFOMODELS_ZOO_URL, or `BASE_URL`.

    Raises:
        ValueError: the variable holds something that is no list, with commas, of https://,
            http:// or file:// URLs.
    """
    given = os.environ.get("KERAS_INFOMODELS_ZOO_URL") or BASE_URL
    urls = [url.strip() for url in given.split(",") if url.strip()]
    for url in urls or [given]:
        try:
            scheme = urllib.parse.urlsplit(url).scheme
        except ValueError:
            scheme = None
        if scheme not in ("https", "http", "file"):
            raise ValueError(
                f"KERAS_INFOMODELS_ZOO_URL holds {url!r}; it is one URL or several with commas "
                "between them, each https://, http:// or file:///."
            )
    return urls


def is_offline() -> bool:
    """Whether KERAS_INFOMODELS_OFFLINE is set, to anything but 0."""
    return os.environ.get("KERAS_INFOMODELS_OFFLINE", "0") not in ("", "0")


def folder_of(entry: Entry) -> Path:
    """Where the cache has these files of a preset, or would have it."""
    return home() / "presets" / entry.name / entry.digest


def cached(entry: Entry) -> Path | None:
    """The preset's folder in the cache, if every file in it is what the registry says."""
    folder = folder_of(entry)
    if os.path.islink(folder) or any(mismatch(folder, *item) for item in entry.files.items()):
        return None
    return folder


def fetch(entry: Entry, urls: Sequence[str] | None = None, patience: Patience = PATIENCE) -> Path:
    """The preset's folder in the cache, downloaded if it is not there.

    Other processes may do the same. Whatever happens, also a kill, the folder is there with every
    file as the registry says, or not at all.

    Args:
        entry: what to get.
        urls: places to try in this order; None is `base_urls()`.
        patience: how long to try each.

    Raises:
        DownloadError: no place has it, offline mode, a cache that cannot be written, a full disk.
        ValueError: KERAS_INFOMODELS_ZOO_URL is no list of URLs.
    """
    if folder := cached(entry):
        return folder
    urls = _allowed(entry, base_urls() if urls is None else urls)
    with explained(entry.name), _stage(entry) as stage:
        if folder := cached(entry):
            shutil.rmtree(stage, ignore_errors=True)
            return folder
        _fill(stage, entry, urls, patience)
        return _publish(stage, entry)


def _allowed(entry: Entry, urls: Sequence[str]) -> list[str]:
    if not is_offline():
        return list(urls)
    local = [url for url in urls if url.startswith("file:")]
    if not local:
        raise DownloadError(
            f"The preset {entry.name} is not in the cache {home()}, and KERAS_INFOMODELS_OFFLINE "
            f"is set. Unset it once, run `infomodels download {entry.name}`, and set it again; or "
            "set KERAS_INFOMODELS_ZOO_URL to the file:// URL of a copy."
        )
    return local


def _fill(stage: Path, entry: Entry, urls: Sequence[str], patience: Patience):
    before = 0
    with Progress(entry.name, entry.bytes) as progress:
        for name, expected in entry.files.items():
            if mismatch(stage, name, expected):
                _from_any(stage, entry, name, urls, progress.after(before), patience)
            before += expected["bytes"]
            progress(before)


def _from_any(stage: Path, entry: Entry, name: str, urls, report, patience: Patience):
    failures = []
    for url in urls:
        base = f"{url.rstrip('/')}/{entry.name}"
        try:
            fetch_file(base, name, stage, entry.files[name], report, patience)
            return
        except DownloadError as error:
            failures.append(f"  {error}")
    raise DownloadError(
        f"The preset {entry.name} could not be downloaded:\n" + "\n".join(failures) + "\n"
        f"Check the network and run `infomodels download {entry.name}`, which goes on from what "
        "has arrived; or set KERAS_INFOMODELS_ZOO_URL to a mirror or to the file:// URL of a copy."
    )


def _publish(stage: Path, entry: Entry) -> Path:
    folder = folder_of(entry)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists() and not cached(entry):
        damaged = stage.with_name(f"{stage.name}.damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        os.rename(folder, damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        os.rename(stage, folder)
    except OSError:
        # Where there are no locks another process may have been first.
        if not cached(entry):
            raise
        shutil.rmtree(stage)
    return folder


@contextlib.contextmanager
def _stage(entry: Entry) -> Iterator[Path]:
    """A folder for what arrives, which no other process uses meanwhile."""
    label = f"{entry.name}-{entry.digest}"
    locks, partial = home() / "locks", home() / "partial"
    for folder in (locks, partial):
        folder.mkdir(parents=True, exist_ok=True)
    with (locks / f"{label}.lock").open("a") as file:
        # Without locks every process has a folder of its own, and nothing to go on from.
        stage = partial / (label if _lock(file, entry) else f"{label}-{os.getpid()}")
        _remove_links(stage)
        stage.mkdir(exist_ok=True)
        yield stage


def _remove_links(folder: Path):
    """Nothing is written through a link, whoever put it there."""
    if folder.is_symlink():
        folder.unlink()
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent) / name for name in folders + files):
            if path.is_symlink():
                path.unlink()


def _lock(file, entry: Entry) -> bool:
    """Waits for the lock, which the system releases when the process ends, however it ends."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Another process is downloading {entry.name}; waiting for it.", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Says what to do about a cache that cannot be written: raises DownloadError for OSError."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            problem = "there is no room for it; make room"
        elif error.errno in _NOT_OURS:
            problem = "the cache cannot be written; get the permission"
        else:
            problem = "the cache failed; see to it"
        raise DownloadError(
            f"The preset {name} could not be put into the cache {home()} ({error}): {problem}, or "
            "set KERAS_INFOMODELS_HOME to a folder where you may write."
        ) from error
