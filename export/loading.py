"""Opens exported files and their metadata. Loads no TensorFlow.

A `.tflite` of this library carries JSON that begins with the SHA-256 of the file, computed with
zeros in its place. It is compared before the interpreter reads the file, since the interpreter
crashes on some damaged files and computes wrong outputs from others (benchmarks/damaged.py).
"""

import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_infomodels.export import isolation, standalone
from keras_infomodels.export.metadata import LIMIT, check_interface, parse_metadata
from keras_infomodels.export.standalone import Request
from keras_infomodels.io import printable
from keras_infomodels.operators import check_operators

__all__ = ["BLANK", "load", "read_metadata", "seal", "verified"]

BLANK = "0" * 64
"""Placeholder of the checksum while it is computed."""

_SEAL = re.compile(rb'\{"sha256": "([0-9a-f]{64})", "format": ')
Backend = Callable[[list[Request]], list[dict[str, np.ndarray]]]


def load(path: Path, threads: int | None, isolated: bool, trust: bool) -> tuple[dict, Backend]:
    """Opens an exported file: returns its metadata, and a function that computes outputs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, unsafe or not from this library.
        ImportError: If ai-edge-litert, or TensorFlow for a SavedModel, is not installed.
    """
    if path.suffix != ".tflite":
        if threads is not None:
            raise ValueError("threads is for a .tflite only; TensorFlow has its own settings.")
        path = _version(path)
        metadata = _saved_model_metadata(path)
        if not trust:
            _open(path, lambda: check_operators(path))
        if isolated:
            return metadata, _isolated(path, None, metadata)
        return metadata, _in_process(path, _open(path, lambda: standalone.saved_model(path)))
    content, metadata = verified(path)
    if isolated:
        check_interface(metadata, isolation.describe(path, content), path)
        return metadata, _isolated(path, content, metadata)
    interpreter = _open(path, lambda: standalone.interpreter(content, threads))
    check_interface(metadata, _open(path, lambda: standalone.interface(interpreter)), path)
    return metadata, _in_process(path, interpreter.get_signature_runner)


def _open(path: Path, opener: Callable):
    try:
        return opener()
    except ModuleNotFoundError as error:
        package = "ai-edge-litert" if path.suffix == ".tflite" else "tensorflow"
        raise ImportError(f"{path} needs {package}: pip install {package}") from error
    except Exception as error:
        raise ValueError(f"{path} cannot be opened: {_line(error)}") from error


def _isolated(path: Path, content: bytes | None, metadata: dict) -> Backend:
    def answer(requests):
        return isolation.run(path, content, requests, max(map(expected, requests), default=0))

    def expected(request):
        """Returns the number of bytes of the outputs of a request, from the metadata."""
        name, arrays = request
        signature = metadata["signatures"][name]
        counts = [1, *(len(array) for array in arrays.values() if array.ndim)]
        if "count" in arrays:
            counts.append(int(arrays["count"]))
        sizes = [4 * math.prod(each["shape"]) for each in signature["outputs"].values()]
        return max(counts) * sum(sizes)

    return answer


def read_metadata(path: str | Path) -> dict:
    """Returns the metadata of an exported file.

    The errors are those of `verified`.
    """
    path = Path(path)
    if path.suffix == ".tflite":
        return verified(path)[1]
    return _saved_model_metadata(_version(path))


def verified(path: Path) -> tuple[bytes, dict]:
    """Returns the bytes of a `.tflite` file and its metadata.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not from this library, or was changed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    content = path.read_bytes()
    found = _SEAL.search(content)
    if not found:
        raise ValueError(f"{path} is damaged, or not an export of keras-infomodels; get it again.")
    start, end = found.span(1)
    blank = content[:start] + BLANK.encode() + content[end:]
    if hashlib.sha256(blank).hexdigest().encode() != found[1]:
        raise ValueError(f"{path} is damaged: its checksum differs; get it again.")
    return content, parse_metadata(content[found.start() :][:LIMIT].decode("latin-1"), path)


def seal(content: bytes) -> bytes:
    """Writes the checksum in place of the `BLANK` at the beginning of the JSON."""
    (start, end) = _SEAL.search(content).span(1)
    return content[:start] + hashlib.sha256(content).hexdigest().encode() + content[end:]


def _version(path: Path) -> Path:
    """Returns the SavedModel in a folder, or its highest version there."""
    if (path / "saved_model.pb").is_file():
        return path
    versions = [each for each in path.glob("*/saved_model.pb") if each.parent.name.isdecimal()]
    if not versions:
        raise FileNotFoundError(f"{path} is neither a .tflite nor a folder with a SavedModel.")
    return max(versions, key=lambda each: int(each.parent.name)).parent


def _saved_model_metadata(path: Path) -> dict:
    file = path / "assets.extra" / "metadata.json"
    if not file.is_file():
        raise ValueError(f"{path} is not an export of keras-infomodels: it has no {file.name}.")
    with file.open(errors="replace") as stream:
        return parse_metadata(stream.read(LIMIT), file)


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


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0]) if lines else type(error).__name__
