"""Weights from files of unknown origin: arrays are read only after their shapes are checked."""

import collections
import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

__all__ = ["WeightsFile", "at_most", "check_finite", "load_weights", "weights_bytes"]


@contextlib.contextmanager
def at_most(elements: int) -> Iterator[None]:
    """Context manager in which creating variables with more than `elements` numbers fails.

    The ValueError is raised before memory is allocated.
    """
    left = elements

    def create(next_creator, **kwargs):
        nonlocal left
        value = kwargs["initial_value"]
        if callable(value):
            # In a graph of its own the initial value has a shape and takes no memory.
            with tf.Graph().as_default():
                shape = tf.convert_to_tensor(value()).shape
        else:
            shape = tf.TensorShape(np.shape(value))
        left -= shape.num_elements()
        if left < 0:
            raise ValueError(
                f"Its config makes a model of more than the {elements} numbers that its weights "
                "can hold. Do not use this preset unless you trust where it is from."
            )
        return next_creator(**kwargs)

    with tf.variable_creator_scope(create):
        yield


class _File(io.BytesIO):
    """A file of weights in memory: Keras writes to it as to a path of this name.

    HDF5 may end the process where it closes a file on a full disk.
    """

    def __str__(self) -> str:
        return "model.weights.h5"


def weights_bytes(model: keras.Model, half: bool = False) -> bytes:
    """Returns the content of the file that `model.save_weights` would write.

    Args:
        model: keras.Model. Model with the weights.
        half: bool. `True` stores float32 weights as float16. A model that loads them has float32
            weights.

    Raises:
        ValueError: If a weight is too large for float16, whose largest number is 65504.

    Example:
        io.write_atomically("model.weights.h5", weights_bytes(model))
    """
    file = _File()
    model.save_weights(file)
    return _halved(file.getvalue()) if half else file.getvalue()


def _halved(content: bytes) -> bytes:
    """The content of a file whose float32 datasets are float16."""
    result = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as file, h5py.File(result, "w") as copy:

        def add(name: str, item: h5py.HLObject):
            if isinstance(item, h5py.Group):
                added = copy.require_group(name)
            else:
                values = item[()]
                if values.dtype == np.float32:
                    with np.errstate(over="ignore"):
                        values = values.astype(np.float16)
                if not np.isfinite(values).all():
                    raise ValueError(f"{name} holds numbers above 65504, too large for float16.")
                added = copy.create_dataset(name, data=values)
            added.attrs.update(item.attrs)

        copy.attrs.update(file.attrs)
        file.visititems(add)
    return result.getvalue()


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """File of weights whose arrays have been checked but not read.

    Attributes:
        path: Path. Name of the file in messages.
        content: bytes. Content of the file.
        shapes: Counter. Number of arrays of each shape.
    """

    path: Path
    content: bytes
    shapes: collections.Counter

    @classmethod
    def read(cls, path: str | Path, content: bytes | None = None) -> "WeightsFile":
        """Reads a file, or takes its content.

        Raises:
            ValueError: If the file has links, compression or external storage, or is damaged.
        """
        path = Path(path)
        content = path.read_bytes() if content is None else content
        return cls(path, content, _shapes(content, path))


def load_weights(model: keras.Model, file: WeightsFile):
    """Loads weights into a model, if all shapes are equal.

    Raises:
        ValueError: If shapes differ, values are NaN or infinite, or the file is damaged.
    """
    path, found = file.path, file.shapes
    wanted = _shapes(weights_bytes(model), path)  # a layer inside a wrapper may be in it twice
    if found != wanted:
        more, less = dict(found - wanted), dict(wanted - found)
        raise ValueError(
            f"{path} does not hold this model's weights: too many of the shapes {more or 'none'}, "
            f"too few of {less or 'none'}. Get the preset again, or save the model again."
        )
    try:
        with warnings.catch_warnings():
            # Keras warns of some layers that it finds no weights for, and leaves them as they are.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(_File(file.content))
    except (KeyError, OSError, RuntimeError, UserWarning, ValueError) as error:
        raise ValueError(f"{path} does not hold this model's weights: {error}.") from error
    check_finite(model, path)


def check_finite(model: keras.Model, path: str | Path):
    """Raises ValueError if a weight of a model is NaN or infinite.

    Args:
        model: keras.Model. Model to check.
        path: str or Path. File or folder that the error names.
    """
    broken = [each.path for each in model.weights if not np.isfinite(each.numpy()).all()]
    if broken:
        raise ValueError(
            f"The weights of {path} hold NaN or infinite numbers, first in {broken[0]}, so that "
            "every output would be NaN; take another file, or load_weights=False for fresh ones."
        )


def _shapes(content: bytes, path: Path) -> collections.Counter:
    """How many datasets of each shape a file declares; `path` is its name in messages."""
    shapes, seen = collections.Counter(), set()
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            groups = [file]
            while groups:
                for name, item in _members(groups.pop(), seen, path):
                    if isinstance(item, h5py.Group):
                        groups.append(item)
                    elif problem := _problem(item):
                        raise ValueError(f"{path} is refused: {name} {problem}.")
                    else:
                        shapes[item.shape] += 1
    except (KeyError, OSError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    return shapes


def _members(group: h5py.Group, seen: set, path: Path) -> Iterator[tuple[str, h5py.HLObject]]:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is refused: {name!r} is a link, which is not followed.")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            raise ValueError(f"{path} is refused: {name!r} is in it twice.")
        seen.add(address)
        yield f"{group.name}/{name}", item


def _problem(item) -> str | None:
    if not isinstance(item, h5py.Dataset):
        return "is no dataset"
    if item.external or item.is_virtual:
        return "is stored in another file"
    if item.chunks is not None:
        return "is in chunks or compressed; weights are stored plainly"
    # Keras stores bfloat16 as two bytes without a type.
    if (item.dtype.kind not in "fiub" and item.dtype != "V2") or item.shape is None:
        return f"holds {item.dtype} and no numbers"
    return None
