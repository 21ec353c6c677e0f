"""Atomic writes of files and folders, locks, and calls with a time limit.

No TensorFlow.
"""

import concurrent.futures
import contextlib
import ctypes
import errno
import logging
import os
import shutil
import stat
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
        path: str or Path. File to create or to replace. Missing folders are created.
        content: bytes or str. Content of the file; text is written as UTF-8.

    Raises:
        OSError: If the file cannot be written, for example because the disk is full.
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
    """Renames a finished folder to `target`, and removes the folder that was there.

    Linux and macOS can exchange two folders, so a complete folder is at `target` at every moment.
    On other systems `target` is absent for a moment between two renames.

    Args:
        new: str or Path. Folder on the same file system, whose files have been synced to disk.
        target: str or Path. Folder, file or link to replace. It may be absent.

    Raises:
        OSError: If the folder cannot be renamed. `target` is then unchanged.
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
    """Fills a folder if it is not complete; other processes wait for it.

    The content is written to a hidden folder beside it, which is renamed when it is finished, and
    removed if `fill` fails. Hidden folders that killed processes left are removed. If the file
    system has no locks, several processes may do the work, and one of them renames its folder.

    Args:
        folder: str or Path. Folder to fill. An incomplete folder is replaced.
        is_complete: function. Returns `True` if the folder is complete.
        fill: function. Writes the content into an empty folder, by `write_atomically`.

    Raises:
        OSError: If the folder cannot be written.
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
    """Raises OSError if the folder for temporary files has less than `size` bytes left.

    TensorFlow writes temporary files when it traces a function, and prints dozens of lines if it
    cannot.
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
    """Context manager that yields an empty hidden folder for writing.

    Rename its content when it is complete. The folder is removed at the end, as are hidden folders
    that killed processes left in the same place.

    Args:
        parent: str or Path. Folder in which the hidden folder is created. It is created if it is
            missing.

    Raises:
        OSError: If the folder cannot be created, or the disk becomes full.
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
    """Context manager that locks a folder for this process.

    The system releases the lock when the process ends. If the file system has no locks, nothing is
    locked.

    Args:
        folder: str or Path. Existing folder.
        deed: str. Verb for the error message, such as "trains into": what the other process does
            with the folder.

    Raises:
        BlockingIOError: If another process has locked the folder.

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
    """Context manager that only one process enters at a time.

    Other processes wait, and log that they wait.

    Args:
        lock: str or Path. Lock file to create, which is not removed.

    Raises:
        OSError: If the file cannot be created.
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

    The function runs in a thread, because looking up a host name or reading an HTTP header has no
    timeout of its own.

    Args:
        seconds: float. Time after which the caller stops waiting.
        function: function of a `threading.Event`, which is set when the caller has stopped waiting.

    Returns:
        Result of the function.

    Raises:
        TimeoutError: If the function has not returned in time.
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
    if fcntl is None:  # Windows
        return False
    library, names = ctypes.CDLL(None), [os.fsencode(path) for path in (a, b)]
    if hasattr(library, "renameat2"):
        return library.renameat2(_HERE, names[0], _HERE, names[1], 2) == 0  # RENAME_EXCHANGE
    if hasattr(library, "renamex_np"):
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
    # A pipe would block where it is opened, and a link may lead anywhere.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except (FileExistsError, IsADirectoryError) as error:
        raise OSError(f"{path} is where a lock file should be; remove it") from error
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ELOOP):
            raise OSError(f"{path} is where a lock file should be; remove it") from error
        raise
    with os.fdopen(descriptor, "a") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is where a lock file should be; remove it")
        yield _lock(file, path)


def _lock(file, path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log = logging.getLogger("keras_infomodels")
        log.warning("Another process is using %s; waiting for it.", path)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
