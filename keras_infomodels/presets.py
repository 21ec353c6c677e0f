"""Preset folders: a model as config, weights and metadata, readable without running foreign code.

config.json        {"format": 1 or 2, "class_name": ..., "config": ...}; see preset_configs.py
model.weights.h5   weights alone, from an uncompiled copy
metadata.json      versions, parameters, what training says, SHA-256 and size of every file
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import keras_infomodels
from keras_infomodels import hooks, models, registry, weights
from keras_infomodels.io import saving_folder
from keras_infomodels.keras_files import load_keras_file
from keras_infomodels.models.base import LedgerModel
from keras_infomodels.preset_checks import check_config
from keras_infomodels.preset_configs import construct, describe, format_of, set_dtype
from keras_infomodels.preset_files import (
    FORMAT,
    MEGABYTE,
    NEEDED,
    check_format,
    check_table,
    fingerprint,
    mismatch,
    open_file,
    read_json,
)

__all__ = ["CLASSES", "FORMAT", "from_preset", "load_model", "save_to_preset"]

CLASSES = registry.BUILT_IN
"""The classes of this library that a preset may name; `registry.register` admits others."""

_FRESH = 100 * MEGABYTE
"""Bytes of weights that bound a model of fresh ones where no file says how many there are."""

_HALF = 2
"""Bytes of the smallest number that weights are made of."""


def load_model(source: str | Path, custom_objects: Mapping[str, type] | None = None) -> keras.Model:
    """Loads a model from wherever one can be.

    Args:
        source: the name of a preset, which is downloaded if it is not at hand; the folder of one
            (as `infomodels train` leaves it); hf://OWNER/REPOSITORY@COMMIT; or a `.keras` file;
            only the last comes back compiled.
        custom_objects: dict name -> class. Classes of your own that are admitted for this call
            alone; `registry.register` admits them for the whole process.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing that this version can read.
        TypeError: `custom_objects` for a preset that are not classes.
        OSError: it could not be downloaded.

    Example:
        model = ki.load_model("my_model", custom_objects={"MyDecoder": MyDecoder})
    """
    path = Path(source).expanduser()
    if path.suffix == ".keras":
        model = load_keras_file(path, registry.classes() | dict(custom_objects or {}))
        if not isinstance(model, LedgerModel):
            raise ValueError(
                f"{path} holds a {type(model).__name__}, which is no model of this library, such "
                f"as {', '.join(sorted(models.MODELS))}; load it with keras.saving.load_model."
            )
        weights.check_finite(model, path)
        return model
    return from_preset(source, custom_objects=custom_objects)


def from_preset(
    name_or_dir: str | Path,
    load_weights: bool = True,
    dtype=None,
    custom_objects: Mapping[str, type] | None = None,
) -> keras.Model:
    """The model of a preset, uncompiled.

    Nothing in the folder is executed: its config names classes of `CLASSES`, classes that
    `registry.register` admitted, and layers of Keras that hold no code, and their arguments. The
    whole config is checked before any object of it is constructed.
    No link is followed, and neither a file nor the model that it describes may be larger than the
    weights that are there; their shapes are compared with the model's before they are read.

    Args:
        name_or_dir: a name of `list_presets()`, which is downloaded if it is not at hand; a
            folder; or hf://OWNER/REPOSITORY@COMMIT.
        load_weights: False for freshly initialized weights.
        dtype: a Keras dtype or policy for the hidden layers, such as "mixed_bfloat16"; None is
            what the preset says. The last layers of functional and sequential networks are then
            float32, as those of this library's networks.
        custom_objects: dict name -> class. Classes of your own that are admitted for this call
            alone.

    Raises:
        FileNotFoundError: no such preset.
        ValueError: a newer format, a class that is not admitted, or damaged files.
        OSError: it could not be downloaded.
    """
    table = registry.admit(custom_objects)
    folder = hooks.zoo().locate(name_or_dir)
    document = read_json(folder, "config.json")
    check_format(document, folder)
    del document["format"]
    _check_model_class(document.get("class_name"), table)
    size = _size_of_weights(folder, load_weights)
    _verify(folder, NEEDED if load_weights else ("config.json",))
    file, arrays = None, None
    if load_weights:
        file = weights.WeightsFile.read(folder / "model.weights.h5")
        arrays = file.shapes.total()
    check_config(document, table, arrays)
    if dtype is not None:
        document = set_dtype(document, keras.dtype_policies.get(dtype).name, table)
    try:
        with weights.at_most(size // _HALF):
            model = construct(document, table)
    except tf.errors.ResourceExhaustedError as error:
        raise ValueError(f"There is no memory for the model of {folder}: {error}.") from error
    if file is not None:
        weights.load_weights(model, file)
    return model


def save_to_preset(model: keras.Model, folder: str | Path, **metadata) -> Path:
    """Writes a preset folder; each file is replaced atomically and other files are left alone.

    Args:
        model: a model of this library. Its networks are of this library, functional and sequential
            networks of layers of `keras.layers`, or of classes that `registry.register` admitted.
        folder: made if it is not there.
        **metadata: JSON values to keep in metadata.json, such as `training` and `metrics`.

    Returns:
        The folder.

    Raises:
        ValueError: the model holds a class that is not admitted, a `Lambda` or other code, layers
            that two of its networks share, weights that are not finite, or more than a config may.
    """
    folder = Path(folder).expanduser()
    table = registry.classes()
    weights.check_finite(model, "the model")
    config = _serialize(model, table)
    check_config(config, table)
    # Compiled weights would carry the optimizer's.
    copy = construct(config, table)
    _check_weights_fit(model, copy)
    copy.set_weights(model.get_weights())
    document = {"format": format_of(config), **config}
    with saving_folder(folder) as temporary:
        (temporary / "config.json").write_text(json.dumps(document, indent=1) + "\n")
        (temporary / "model.weights.h5").write_bytes(weights.weights_bytes(copy))
        facts = {
            "format": document["format"],
            "versions": _versions(),
            "parameters": copy.count_params(),
            **metadata,
            "files": {name: fingerprint(temporary, name) for name in NEEDED},
        }
        (temporary / "metadata.json").write_text(json.dumps(facts, indent=1) + "\n")
        for name in (*NEEDED, "metadata.json"):
            os.replace(temporary / name, folder / name)
    return folder


def _serialize(model: keras.Model, table: Mapping[str, type]) -> dict:
    with warnings.catch_warnings():
        # Keras warns of a lambda, which is refused below.
        warnings.filterwarnings("ignore", "The object being serialized includes a")
        try:
            serialized = keras.saving.serialize_keras_object(model)
        except (NotImplementedError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"A preset holds what get_config() returns, and a part of the model has none: "
                f"{reason} Write get_config() for it."
            ) from error
    return describe(serialized, table)


def _check_model_class(name, table: Mapping[str, type]):
    if not isinstance(name, str) or not issubclass(table.get(name, object), LedgerModel):
        known = sorted(key for key, cls in table.items() if issubclass(cls, LedgerModel))
        raise ValueError(
            f"The preset names the model class {name!r}, which is not one of this version's: "
            f"{', '.join(known)}. If it is your own, admit it with registry.register(cls) or "
            "custom_objects={name: cls}; if it is of a newer version of keras-infomodels, upgrade "
            f"this one ({keras_infomodels.__version__})."
        )


def _check_weights_fit(model: keras.Model, copy: keras.Model):
    """Raises ValueError where the config's model has other weights than the one it was made of."""
    shapes, found = ([weight.shape for weight in each.get_weights()] for each in (model, copy))
    if shapes != found:
        raise ValueError(
            f"A preset cannot hold this model: it has {len(shapes)} weights, and what its config "
            f"makes has {len(found)} or others. Either two of its networks share a layer (give "
            "each its own), or get_config() of a registered class leaves something out."
        )


def _size_of_weights(folder: Path, needed: bool) -> int:
    """Bytes of the weights, which bound the model; of absent ones where they are not needed."""
    try:
        with open_file(folder, "model.weights.h5") as file:
            return os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        if not needed:
            return _FRESH
        raise FileNotFoundError(
            f"The preset {folder} lacks model.weights.h5; get it again."
        ) from None


def _verify(folder: Path, needed: Sequence[str]):
    facts = read_json(folder, "metadata.json")
    check_format(facts, folder)
    files = check_table(facts.get("files"))
    for name in needed:
        problem = mismatch(folder, name, files[name]) if name in files else "is not in its files"
        if problem:
            raise ValueError(
                f"{folder / name} is not the file that metadata.json describes ({problem}): it is "
                "damaged, or a save was interrupted. Get the preset again, or save the model again."
            )


def _versions() -> dict[str, str]:
    return {
        "keras-infomodels": keras_infomodels.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "tensorflow-probability": tfp.__version__,
    }
