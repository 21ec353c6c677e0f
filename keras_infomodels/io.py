"""Writes that a kill or a power cut cannot leave half done, and calls that end in time.

No TensorFlow.
"""

import concurrent.futures
import contextlib
import ctypes
import errno
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = [
    "call_within",
    "check_temporary_room",
    "fill_folder",
    "held_alone",
    "printable",
    "remove",
    "replace_folder",
    "saving_folder",
    "waiting_for",
    "write_atomically",
]

_STALE = 24 * 3600
"""Seconds after which a temporary folder counts as abandoned where there are no locks."""

_LOCK = ".lock"

_HERE = -100
"""What `renameat2` takes for the folder of relative paths: AT_FDCWD."""

Result = TypeVar("Result")


def write_atomically(path: str | Path, content: bytes | str):
    """Writes a file under a temporary name in its folder, syncs it to disk and renames it.

    A link at `path` is replaced, not followed. Nothing is left behind if the write fails or is
    interrupted.

    Args:
        path: file to create or to replace; missing folders are created.
        content: bytes, or a text to write as UTF-8.

    Raises:
        OSError: the file cannot be written, for example because the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    _sync_folder(path.parent)


def replace_folder(new: str | Path, target: str | Path):
    """Renames a finished folder to `target` and removes what was there.

    Where the system can exchange two folders (Linux, macOS), one of them is at `target` at every
    instant; elsewhere `target` is absent for a moment between two renames. It never holds a part of
    either.

    Args:
        new: folder on the same file system, whose files have been synced to disk.
        target: path of the folder, a file or a link that is replaced; may be absent.

    Raises:
        OSError: the folder cannot be renamed; what was at `target` is still there.
    """
    new, target = Path(new), Path(target)
    _sync_folder(new)
    if target.is_dir() and not target.is_symlink() and _exchange(new, target):
        _sync_folder(target.parent)
        remove(new)  # which is the old one now
        return
    old = _temporary(target)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, old)
        os.rename(new, target)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(target):
            os.rename(old, target)
        raise
    _sync_folder(target.parent)
    remove(old)


def fill_folder(folder: str | Path, is_complete: Callable[[], bool], fill: Callable[[Path], None]):
    """Makes sure that a folder is complete: one process fills it while the others wait.

    The content goes to a hidden folder beside it, which is renamed when it is finished and removed
    when `fill` fails. Hidden folders that a killed process left there are removed. Where the file
    system has no locks, several processes may do the work, and one of them renames its folder.

    Args:
        folder: folder that appears when it is complete; an incomplete one is replaced.
        is_complete: tells whether it has what it should have.
        fill: writes the content into an empty folder, with `write_atomically`.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / _LOCK) as locked:
        if is_complete():
            return
        for path in folder.parent.glob(".*"):
            if path.name != _LOCK and (locked or _age(path) > _STALE):
                remove(path)
        new = _temporary(folder)
        try:
            new.mkdir()
            fill(new)
            replace_folder(new, folder)
        except OSError:
            # Without locks another process may have been first.
            if not is_complete():
                raise
        finally:
            remove(new)


def check_temporary_room(size: int):
    """Raises OSError where the folder for temporary files has less than `size` bytes left.

    TensorFlow writes to it where it traces a function, and says so in dozens of lines if it cannot.
    """
    folder = tempfile.gettempdir()
    if (free := shutil.disk_usage(folder).free) < size:
        raise OSError(
            errno.ENOSPC,
            f"The folder for temporary files {folder} has {free} bytes left, and {size} are "
            "needed; make room, or set TMPDIR to another folder",
        )


@contextlib.contextmanager
def saving_folder(parent: str | Path) -> Iterator[Path]:
    """Context manager that yields an empty hidden folder, to write what is renamed when complete.

    It is removed at the end, and so are those that killed processes left in the same place.

    Args:
        parent: folder for it, which is made if it is not there.

    Raises:
        OSError: the folder cannot be made, or the disk becomes full within.
    """
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob(".saving-*"):
        with _held(old) as held:
            if held or (held is None and _age(old) > _STALE):
                remove(old)
    # It gets the name by which others find it when it is locked.
    new = parent / f".making-{uuid.uuid4().hex}"
    folder = parent / new.name.replace("making", "saving")
    new.mkdir()
    try:
        with _held(new):
            new.rename(folder)
            yield folder
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(
                error.errno, f"The disk of {parent} is full; make room, or choose another place"
            ) from error
        raise
    finally:
        remove(new)
        remove(folder)


@contextlib.contextmanager
def held_alone(folder: str | Path, deed: str) -> Iterator[None]:
    """Context manager within which no other process holds a folder.

    The system ends it with the process. Where there are no locks, nothing is held.

    Args:
        folder: folder that is there.
        deed: words for the error, what the process that holds the folder does with it, such as
            "trains into".

    Raises:
        BlockingIOError: another process holds it.

    Example:
        with held_alone("runs/my_vae", "trains into"):
            train()
    """
    with _held(Path(folder)) as held:
        if held is False:
            raise BlockingIOError(
                f"Another process {deed} {folder}; wait until it ends, or choose another folder."
            )
        yield


@contextlib.contextmanager
def waiting_for(lock: str | Path) -> Iterator[None]:
    """Context manager that only one process is in at a time; others wait, and say so in the log.

    Args:
        lock: path of a file that is made for it, and stays.

    Raises:
        OSError: the file cannot be made.
    """
    lock = Path(lock)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _locked(lock):
        yield


def remove(path: str | Path):
    """Removes a file, a link or a whole folder, as far as that is possible."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def call_within(seconds: float, function: Callable[[threading.Event], Result]) -> Result:
    """Calls a function that may block for longer than the caller is willing to wait.

    It runs in a thread, because looking up a host name or reading an HTTP header has no timeout
    of its own.

    Args:
        seconds: time after which the caller stops waiting.
        function: function of an event, which is set when nobody waits for its result anymore.

    Returns:
        What the function returns.

    Raises:
        TimeoutError: the time is over.
    """
    stopped, outcome = threading.Event(), concurrent.futures.Future()

    def run():
        try:
            outcome.set_result(function(stopped))
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon, so that a blocked call does not keep the process from ending.
    threading.Thread(target=run, daemon=True).start()
    try:
        done, _ = concurrent.futures.wait([outcome], seconds)
    finally:
        stopped.set()
    if not done:
        raise TimeoutError(f"not finished after {seconds:g} seconds")
    return outcome.result()


def printable(text: str) -> str:
    """Returns a text on one line without control characters, which could write to a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _temporary(path: Path) -> Path:
    """Returns an unused hidden name in the folder of `path`."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def _exchange(a: Path, b: Path) -> bool:
    """Exchanges two folders in one step; False where the system cannot."""
    library, names = ctypes.CDLL(None), [os.fsencode(path) for path in (a, b)]
    with contextlib.suppress(AttributeError, OSError):
        return library.renameat2(_HERE, names[0], _HERE, names[1], 2) == 0  # RENAME_EXCHANGE
    with contextlib.suppress(AttributeError, OSError):
        return library.renamex_np(names[0], names[1], 2) == 0  # RENAME_SWAP of macOS
    return False


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool | None]:
    """Whether this process holds the lock of a folder then; None where there are no locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # it is gone, or the system does not open folders
        yield None
        return
    try:
        held = None
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                held = False
            except OSError:
                held = None
        yield held
    finally:
        os.close(descriptor)


def _age(path: Path) -> float:
    """Returns the seconds since a path was last changed; 0 if it is gone."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _sync_folder(folder: Path):
    """Makes renames in a folder survive a power cut, where the system can sync folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Holds a lock, which the system releases when the process ends; False if it has none."""
    with path.open("a") as file:
        yield _lock(file)


def _lock(file) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log = logging.getLogger("keras_infomodels")
        log.warning("Another process holds %s; waiting for it.", file.name)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
