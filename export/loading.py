"""Opens exported files: what they say of themselves, and what runs them. Loads no TensorFlow.

A `.tflite` of this library carries JSON that begins with the SHA-256 of the file, taken with zeros
in its place. It is compared before the interpreter sees the file, which crashes on some damaged
files and gives wrong answers from others (benchmarks/damaged.py).
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_infomodels.export import standalone
from keras_infomodels.export.standalone import Request

__all__ = ["BLANK", "load", "read_metadata", "seal", "verified"]

BLANK = "0" * 64
"""Stands for the checksum while it is computed."""

_SEAL = re.compile(rb'\{"sha256": "([0-9a-f]{64})", "format": ')
_SECONDS = 600
"""After which an isolated process is ended."""

Backend = Callable[[list[Request]], list[dict[str, np.ndarray]]]


def load(path: Path, threads: int | None, isolated: bool) -> tuple[dict, Backend]:
    """The metadata of an exported file, and the function that answers requests.

    Raises:
        FileNotFoundError, ValueError, ImportError: see `runtime.Runtime`.
    """
    if path.suffix != ".tflite":
        if threads is not None:
            raise ValueError("threads is of a .tflite; TensorFlow has its own settings.")
        path = _version(path)
        metadata = _saved_model_metadata(path)
        opener, argument = standalone.saved_model, path
    else:
        content, metadata = verified(path)
        opener, argument = (lambda given: standalone.lite_rt(given, threads)), content
    if isolated:
        return metadata, lambda requests: _isolated(path, argument, requests)
    try:
        signature = opener(argument)
    except ModuleNotFoundError as error:
        package = "ai-edge-litert" if path.suffix == ".tflite" else "tensorflow"
        raise ImportError(f"{path} needs {package}: pip install {package}") from error
    except Exception as error:
        raise ValueError(f"{path} cannot be opened: {_line(error)}") from error
    return metadata, _in_process(path, signature)


def read_metadata(path: str | Path) -> dict:
    """What an exported file says of itself; see `verified` for what may be raised."""
    path = Path(path)
    if path.suffix == ".tflite":
        return verified(path)[1]
    return _saved_model_metadata(_version(path))


def verified(path: Path) -> tuple[bytes, dict]:
    """The bytes of a `.tflite` and its metadata.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a file of this library, or not the bytes that were written.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    content = path.read_bytes()
    found = _SEAL.search(content)
    if not found:
        raise ValueError(f"{path} is damaged, or no export of keras-infomodels; get it again.")
    start, end = found.span(1)
    blank = content[:start] + BLANK.encode() + content[end:]
    if hashlib.sha256(blank).hexdigest().encode() != found[1]:
        raise ValueError(f"{path} is damaged: its checksum differs; get it again.")
    return content, _parsed(path, content[found.start() :].decode("latin-1"))


def seal(content: bytes) -> bytes:
    """The file with its checksum, in place of the `BLANK` at the beginning of its JSON."""
    (start, end) = _SEAL.search(content).span(1)
    return content[:start] + hashlib.sha256(content).hexdigest().encode() + content[end:]


def _parsed(path: Path, text: str) -> dict:
    try:
        metadata, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        metadata = {}
    known = isinstance(metadata, dict) and metadata.get("format") == 1
    if not known or not isinstance(metadata.get("signatures"), dict):
        raise ValueError(f"{path} has a format that this version does not read; upgrade it.")
    return metadata


def _version(path: Path) -> Path:
    """The SavedModel in a folder, or its highest version there."""
    if (path / "saved_model.pb").is_file():
        return path
    versions = [each for each in path.glob("*/saved_model.pb") if each.parent.name.isdecimal()]
    if not versions:
        raise FileNotFoundError(f"{path} is neither a .tflite nor a folder with a SavedModel.")
    return max(versions, key=lambda each: int(each.parent.name)).parent


def _saved_model_metadata(path: Path) -> dict:
    file = path / "assets.extra" / "metadata.json"
    if not file.is_file():
        raise ValueError(f"{path} is no export of keras-infomodels: it has no {file.name}.")
    return _parsed(file, file.read_text())


def _in_process(path: Path, signature: Callable) -> Backend:
    runners = {}

    def answer(requests):
        answers = []
        for name, arrays in requests:
            try:
                if name not in runners:
                    runners[name] = signature(name)
                answers.append(runners[name](**arrays))
            except Exception as error:
                raise ValueError(f"{path} cannot run {name}: {_line(error)}") from error
        return answers

    return answer


def _isolated(path: Path, content: bytes | Path, requests: list[Request]) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        given, results = Path(folder) / "requests.npz", Path(folder) / "results.npz"
        file = path
        if isinstance(content, bytes):  # those that were verified
            file = Path(folder) / "model.tflite"
            file.write_bytes(content)
        np.savez(given, **standalone.flatten(requests))
        command = [sys.executable, "-I", standalone.__file__, file, given, results]
        try:
            process = subprocess.run(
                [str(word) for word in command], capture_output=True, text=True, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{path} cannot run: it took more than {_SECONDS} s.") from None
        if process.returncode:
            lines = process.stderr.strip().splitlines() or ["it gave no reason"]
            died = f"signal {-process.returncode}" if process.returncode < 0 else lines[-1]
            raise ValueError(f"{path} cannot run: the process died of {died}")
        with np.load(results, allow_pickle=False) as archive:
            return [outputs for _, outputs in standalone.nest(archive)]


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
