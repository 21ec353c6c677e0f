"""Runs a file in a separate process, which may crash, hang or use too much memory."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_infomodels.export import standalone
from keras_infomodels.export.standalone import Request
from keras_infomodels.io import printable

__all__ = ["describe", "run", "run_compiled"]

_SECONDS, _SECONDS_A_CALL = 30, 5
"""Time limit in seconds for opening the file, and additional seconds per call."""

_SECONDS_TRUSTED = 600
"""Time limit in seconds for a SavedModel, which has been trusted and loads TensorFlow."""

_INTERFACE = 2**20
"""Largest number of bytes of the description of a file."""


def describe(path: Path, content: bytes) -> dict:
    """Returns the interface of a `.tflite` file, see `standalone.interface`.

    Raises:
        ValueError: If the process crashed or took too long.
    """
    with _folder(content, []) as folder:
        _call("describe", path, folder / "model.tflite", folder, 0)
        text = _read(folder / "interface.json", _INTERFACE, path)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{path} cannot be opened: its inputs cannot be read.") from None


def run(path: Path, content: bytes | None, requests: list[Request], most: int) -> list[dict]:
    """Runs an exported file and returns its outputs.

    Args:
        path: Path. The file, or the folder of a SavedModel.
        content: bytes. Verified contents of a `.tflite`; `None` for a SavedModel.
        requests: list of (str, dict of arrays). Signature and inputs of each call.
        most: int. Largest allowed number of bytes of an output.

    Raises:
        ValueError: If the process crashed, took too long, or returned more bytes.
    """
    with _folder(content, requests) as folder:
        file = path if content is None else folder / "model.tflite"
        _call("run", path, file, folder, len(requests))
        return [_answer(folder / f"{i}.npz", most, path) for i in range(len(requests))]


def run_compiled(path: Path, content: bytes, requests: list[Request]) -> list[dict | str | None]:
    """Runs a file by LiteRT's CompiledModel and returns its outputs.

    Returns:
        For each request, its outputs, the text of an error, or None if the process crashed.
    """
    answers = []
    while len(answers) < len(requests):
        rest = requests[len(answers) :]
        with _folder(content, rest) as folder:
            with contextlib.suppress(ValueError):
                _call("compile", path, folder / "model.tflite", folder, len(rest))
            for number in range(len(rest)):
                answer, text = folder / f"{number}.npz", folder / f"{number}.txt"
                if text.exists():
                    answers.append(printable(text.read_text()))
                elif answer.exists():
                    answers.append(_answer(answer, 2**30, path))
                else:  # the process died here; the others get another one
                    answers.append(None)
                    break
    return answers


@contextlib.contextmanager
def _folder(content: bytes | None, requests: list[Request]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if content is not None:
            (folder / "model.tflite").write_bytes(content)
        np.savez(folder / "requests.npz", **standalone.flatten(requests))
        yield folder


def _call(task: str, path: Path, file: Path, folder: Path, calls: int):
    """Runs `standalone` to its end; error messages name the file `path`."""
    command = [sys.executable, "-I", standalone.__file__, task, str(file), str(folder)]
    seconds = _SECONDS + _SECONDS_A_CALL * calls if file.suffix == ".tflite" else _SECONDS_TRUSTED
    # Each thread of OpenBLAS would reserve address space, which is limited.
    environment = {"OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ
    try:
        process = subprocess.run(command, capture_output=True, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path} cannot run: it took more than {seconds} s.") from None
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        died = f"signal {-process.returncode}" if process.returncode < 0 else (lines or ["?"])[-1]
        raise ValueError(f"{path} cannot run: the process died of {printable(died)[:300]}")


def _answer(file: Path, most: int, path: Path) -> dict[str, np.ndarray]:
    try:
        # The size of the file bounds the arrays, since they are not compressed.
        if file.stat().st_size > most + 2**16:
            raise ValueError("it is larger than its metadata says")
        with np.load(file, allow_pickle=False) as archive:
            if sum(each.file_size for each in archive.zip.infolist()) > most + 2**16:
                raise ValueError("it is larger than its metadata says")
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot run: its answer cannot be read ({error}).") from error


def _read(file: Path, most: int, path: Path) -> bytes:
    if not file.is_file() or file.stat().st_size > most:
        raise ValueError(f"{path} cannot be opened: its inputs cannot be read.")
    return file.read_bytes()
