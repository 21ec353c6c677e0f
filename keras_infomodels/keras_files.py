"""`.keras` files, which others may have written: bounded and checked before Keras reads them."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras

from keras_infomodels import weights
from keras_infomodels.io import printable
from keras_infomodels.preset_checks import check_serialized
from keras_infomodels.preset_files import MEGABYTE, check_keras_format

__all__ = ["load_keras_file"]

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"

_RATIO, _FREE = 20, 16 * MEGABYTE
"""Keras stores without compression. What a file may unpack to is this many times its size, and
that many bytes more."""

_SLACK = 10**6
"""Numbers in variables that a file of weights leaves out, such as those of metrics."""


def load_keras_file(path: Path, custom_objects: Mapping[str, type]) -> keras.Model:
    """Loads a model from a `.keras` file, compiled if it was.

    Args:
        path: Path. The file.
        custom_objects: dict from str to class. Classes that the file may use beside Keras' own.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, unpacks to far more than its size, refers to weights in
            other files, has a newer format, or has a config that Keras cannot read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    members = _members(path)
    if lacks := {_CONFIG, _WEIGHTS} - set(members):
        raise ValueError(f"{path} is no .keras file of Keras 3: it lacks {lacks.pop()}.")
    file = weights.WeightsFile.read(path, members[_WEIGHTS])
    try:
        document = json.loads(members[_CONFIG])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: its config is no JSON.") from error
    check_keras_format(document, path)
    check_serialized(document, file.shapes.total(), path)
    try:
        with weights.at_most(len(file.content) // 2 + _SLACK):
            return keras.saving.load_model(path, custom_objects=custom_objects)
    except MemoryError:
        raise
    except Exception as error:
        # Keras raises what it meets, and prints the whole config in its message.
        reason = printable(str(error))
        reason = reason if len(reason) <= 300 else f"{reason[:150]} ... {reason[-150:]}"
        raise ValueError(f"{path} cannot be loaded: {reason}") from error


def _members(path: Path) -> dict[str, bytes]:
    """The content of the config and the weights, whose checksums fit."""
    size = os.path.getsize(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
            if unpacked > _RATIO * size + _FREE:
                raise ValueError(
                    f"{path} has {size} bytes and would unpack to {unpacked}; do not use it unless "
                    "you trust where it is from."
                )
            names = {_CONFIG, _WEIGHTS} & set(archive.namelist())
            return {name: archive.read(name) for name in names}
    except ValueError:
        raise
    except Exception as error:  # also what the modules of compression raise
        raise ValueError(
            f"{path} is damaged, or no .keras file: {printable(str(error))}."
        ) from error
