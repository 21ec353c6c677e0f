"""The files of a preset, which others may have written: bounded, checked, no links. No TensorFlow.

A preset is a folder of regular files. A name in it is relative, made of plain parts, and neither it
nor a folder on its way is a link; nothing is read before its size is known to be allowed.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from keras_infomodels.io import printable

__all__ = [
    "FORMAT",
    "KERAS_FORMAT",
    "MEGABYTE",
    "NEEDED",
    "check_file_name",
    "check_format",
    "check_keras_format",
    "check_place",
    "check_table",
    "fingerprint",
    "limit_of",
    "mismatch",
    "open_file",
    "problem_of",
    "read_json",
    "read_text",
]

FORMAT = 2
"""The newest format of a preset that this version reads: 1 holds classes of this library alone, 2
also layers of Keras and registered classes."""

KERAS_FORMAT = 2
"""The newest format of a model's config in a `.keras` file: 1 has the arguments of version 0.1, and
no number. It stands in `build_config`, which earlier versions do not read."""

NEEDED = ("config.json", "model.weights.h5")
"""What a model is made of; metadata.json has the size and SHA-256 of each, and in the zoo of all
other files too."""

MEGABYTE = 2**20
_LIMITS = {".json": MEGABYTE, ".md": MEGABYTE, ".toml": MEGABYTE, ".h5": 1024 * MEGABYTE}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_file_name(name: str) -> str:
    """Checks the name of a file inside a preset, and returns it.

    Raises:
        ValueError: If the name is an absolute path, or has `..`, backslashes or hidden parts.
    """
    parts = name.split("/") if isinstance(name, str) else []
    if not 1 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(
            f"A file of a preset has a plain relative name such as model.weights.h5, got {name!r}. "
            "Do not use this preset unless you trust where it is from."
        )
    return name


def limit_of(name: str) -> int:
    """Returns the largest allowed number of bytes of a file with this name."""
    return _LIMITS.get(Path(name).suffix, 100 * MEGABYTE)


def check_table(files) -> dict[str, dict]:
    """Checks the table {name: {"sha256": ..., "bytes": ...}} of a preset's files; returns it.

    Raises:
        ValueError: If it is not such a table, a name leads out of the folder, or a size is above
            `limit_of`.
    """
    if not isinstance(files, Mapping):
        raise ValueError(f"The files of a preset are a table by name, got {type(files).__name__}.")
    for name, expected in files.items():
        check_file_name(name)
        digest = expected.get("sha256") if isinstance(expected, Mapping) else None
        size = expected.get("bytes") if isinstance(expected, Mapping) else None
        if not (isinstance(digest, str) and _SHA256.fullmatch(digest)) or type(size) is not int:
            raise ValueError(f"{name} needs its sha256 and bytes, got {expected!r}.")
        if not 0 <= size <= limit_of(name):
            raise ValueError(
                f"{name} is said to have {size} bytes; at most {limit_of(name)} are read."
            )
    return dict(files)


def check_format(document: Mapping, where: str | Path):
    """Raises ValueError if `document["format"]` is not a format that this version reads."""
    _check_number(document.get("format"), FORMAT, f"{where} has preset format")


def check_place(folder: str | Path):
    """Checks that a preset may be written into a folder. Hidden files do not count.

    Args:
        folder: str or Path. Folder, which may be missing.

    Raises:
        FileExistsError: If the folder contains files, and is neither a preset nor a run.
    """
    folder = Path(folder)
    if not folder.is_dir() or (folder / "recipe.toml").is_file():  # train writes the recipe first
        return
    found = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if found and not any(_has_format(folder / name) for name in ("config.json", "metadata.json")):
        raise FileExistsError(
            f"{folder} contains other files, such as {printable(found[0])}, and is no preset; save "
            "the model into a new or empty folder, or into that of a preset, which is replaced."
        )


def _has_format(path: Path) -> bool:
    """Returns True for a JSON file with the format number of presets."""
    try:
        return "format" in read_json(path.parent, path.name)
    except (OSError, ValueError):
        return False


def check_keras_format(document: Mapping, path: Path):
    """Raises ValueError if the format number of a `.keras` file is above `KERAS_FORMAT`."""
    build_config = document.get("build_config") if isinstance(document, Mapping) else None
    if isinstance(build_config, Mapping) and "format" in build_config:
        _check_number(build_config["format"], KERAS_FORMAT, f"The model in {path} has format")


def _check_number(found, newest: int, what: str):
    from keras_infomodels import __version__

    if type(found) is not int or not 1 <= found <= newest:
        raise ValueError(
            f"{what} {found!r}; this version of keras-infomodels ({__version__}) reads formats up "
            f"to {newest}. Upgrade it."
        )


def open_file(folder: str | Path, name: str) -> BinaryIO:
    """Opens a file of a preset for reading.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is a link or is reached by one, is not a regular file, or is larger
            than `limit_of` allows.
    """
    folder = Path(folder)
    path = folder
    for part in check_file_name(name).split("/"):
        path = path / part
        if path.is_symlink():
            raise ValueError(f"{path} is a link, which is not followed; put the file itself there.")
    # A pipe would block where it is opened.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    facts = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(facts.st_mode):
        problem = f"{path} is no regular file."
    elif facts.st_size > limit_of(name):
        problem = f"{path} has {facts.st_size} bytes; at most {limit_of(name)} are read."
    if problem:
        os.close(descriptor)
        raise ValueError(problem)
    return os.fdopen(descriptor, "rb")


def read_text(folder: str | Path, name: str) -> str:
    """Reads a text file of a preset.

    Raises:
        FileNotFoundError, ValueError: If the file cannot be opened, see `open_file`, or is not
            UTF-8.
    """
    with open_file(folder, name) as file:
        content = file.read(limit_of(name) + 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{Path(folder) / name} is damaged: {error}.") from error


def read_json(folder: str | Path, name: str) -> dict:
    """Reads a JSON file of a preset.

    Raises:
        FileNotFoundError, ValueError: If the file cannot be opened, see `open_file`, or is not a
            JSON object.
    """
    try:
        document = json.loads(read_text(folder, name))
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} is no preset folder: it has no {name}.") from None
    except RecursionError:
        raise ValueError(f"{Path(folder) / name} is nested too deeply to be read.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{Path(folder) / name} is damaged: {error}.") from error
    if not isinstance(document, dict):
        raise ValueError(f"{Path(folder) / name} is damaged: it holds no JSON object.")
    return document


def fingerprint(folder: str | Path, name: str) -> dict:
    """Returns {"sha256": ..., "bytes": ...} of a file.

    Raises:
        FileNotFoundError, ValueError: If the file cannot be opened, see `open_file`.
    """
    with open_file(folder, name) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"sha256": digest, "bytes": file.tell()}


def mismatch(folder: str | Path, name: str, expected: Mapping) -> str | None:
    """Returns how a file differs from the expected size and SHA-256; None if it does not."""
    try:
        with open_file(folder, name) as file:
            size = os.fstat(file.fileno()).st_size
            if size != expected["bytes"]:
                return f"has {size} bytes, not {expected['bytes']}"
            if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                return "has another SHA-256"
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"
    return None


def problem_of(folder: str | Path) -> str | None:
    """Returns the reason why a folder is not a complete preset; None if it is one.

    Returns:
        str without a full stop. None if the files have the size and SHA-256 in metadata.json.
    """
    try:
        files = check_table(read_json(folder, "metadata.json").get("files"))
    except (OSError, ValueError) as error:
        return str(error)
    for name in NEEDED:
        problem = mismatch(folder, name, files[name]) if name in files else "is not in its files"
        if problem:
            return f"{name} {problem}"
    return "it is a link" if Path(folder).is_symlink() else None
