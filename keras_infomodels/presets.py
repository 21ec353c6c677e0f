"""Preset folders: a model as config, weights and metadata, loaded without running foreign code.

config.json        {"format": 1 or 2, "class_name": ..., "config": ...}; see preset_configs.py
model.weights.h5   weights alone, from an uncompiled copy
metadata.json      versions, parameters, training, SHA-256 and size of every file
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
from keras_infomodels.models.base import InfoModel
from keras_infomodels.names import guess
from keras_infomodels.preset_checks import check_config
from keras_infomodels.preset_configs import construct, describe, format_of, set_dtype
from keras_infomodels.preset_files import (
    FORMAT,
    MEGABYTE,
    NEEDED,
    check_format,
    check_place,
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
"""Largest number of bytes of a freshly initialized model, if there is no file of weights."""

_HALF = 2
"""Bytes of a number in half precision, the smallest type of weights."""


def load_model(source: str | Path, custom_objects: Mapping[str, type] | None = None) -> keras.Model:
    """Loads a model from a preset, a folder, the Hugging Face Hub or a `.keras` file.

    Args:
        source: str or Path. Name of a preset, which is downloaded at its first use; folder of a
            preset, as `infomodels train` writes it; hf://OWNER/REPOSITORY@COMMIT;
            https://HOST/NAME@SHA256; or path of a `.keras` file. Only a `.keras` file is loaded as
            a compiled model.
        custom_objects: dict from str to class. Your own classes that the model uses, by name. They
            are allowed for this call; `registry.register` allows them for the whole process.

    Returns:
        Model of this library.

    Raises:
        FileNotFoundError: If there is no such preset or file.
        ValueError: If the files are damaged, unsafe or of a newer format.
        TypeError: If `custom_objects` contains something other than classes.
        OSError: If the download failed.

    Example:
        model = ki.load_model("infogan_mnist")
        images = model.generate(8, codes={"digit": 3}, seed=0)
    """
    path = Path(source).expanduser()
    if path.suffix == ".keras":
        model = load_keras_file(path, registry.classes() | dict(custom_objects or {}))
        if not isinstance(model, InfoModel):
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
    """Loads the model of a preset, without compiling it.

    No code in the folder is executed, so presets from others are safe to load. The config may only
    name classes of this library, classes that you have allowed by `registry.register`, and Keras
    layers that contain no code. The whole config is checked before any object is constructed.
    Symbolic links are not followed. The model may not have more weights than the file holds; all
    shapes are compared before memory is allocated.

    Args:
        name_or_dir: str or Path. Name in `list_presets()`, which is downloaded at its first use;
            folder of a preset; hf://OWNER/REPOSITORY@COMMIT (a branch instead of a commit gives a
            warning); or https://HOST/NAME@SHA256, with the SHA-256 of the preset's metadata.json.
        load_weights: bool. `True` loads the weights. `False` initializes the model randomly.
        dtype: str or Keras dtype policy. Policy of the hidden layers, such as "mixed_bfloat16". The
            last layers are always float32. `None` is the preset's own policy.
        custom_objects: dict from str to class. Your own classes that the preset uses, by name.
            `None` allows only the registered ones.

    Returns:
        Model of this library.

    Raises:
        FileNotFoundError: If there is no such preset.
        ValueError: If the format is newer, a class is not allowed, or a file is damaged.
        OSError: If the download failed.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images = model.generate(16, seed=0)
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


def save_to_preset(
    model: keras.Model, folder: str | Path, half_precision: bool = False, **metadata
) -> Path:
    """Saves a model as a preset folder, which `from_preset` loads.

    The folder gets config.json, model.weights.h5 and metadata.json. In the folder of a preset or of
    a run each file is replaced atomically, and other files are kept. Another folder must be empty,
    but for hidden files.

    Args:
        model: model of this library. Its networks may be networks of this library, functional or
            sequential networks of `keras.layers`, or classes that were allowed by
            `registry.register`.
        folder: str or Path. Folder, which is created if needed.
        half_precision: bool. `True` stores float32 weights as float16, in half the space. A loaded
            model computes in float32, with the rounded weights. `False` stores weights unchanged.
        **metadata: JSON values for metadata.json, such as `training` and `metrics`.

    Returns:
        Path of the folder.

    Raises:
        FileExistsError: If the folder contains other files, and is neither a preset nor a run.
        ValueError: If the model contains a class that is not allowed, a `Lambda` or other code,
            layers that are shared by two networks, or weights that are not finite; if its config is
            too large; or if a weight exceeds 65504 with `half_precision`.
    """
    folder = Path(folder).expanduser()
    check_place(folder)
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
        text = json.dumps(document, indent=1)
        if len(text) > MEGABYTE // 4:  # a matrix, with a line and its indentation for each number
            text = json.dumps(document)
        (temporary / "config.json").write_text(text + "\n")
        (temporary / "model.weights.h5").write_bytes(weights.weights_bytes(copy, half_precision))
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
    if not isinstance(name, str) or not issubclass(table.get(name, object), InfoModel):
        known = sorted(key for key, cls in table.items() if issubclass(cls, InfoModel))
        raise ValueError(
            f"The preset names the model class {name!r}, which is not one of this version's: "
            f"{', '.join(known)}.{guess(name, known)} If it is your own, admit it with "
            "registry.register(cls) or custom_objects={name: cls}; if it is of a newer version of "
            "keras-infomodels, upgrade "
            f"this one ({keras_infomodels.__version__})."
        )


def _check_weights_fit(model: keras.Model, copy: keras.Model):
    """Raises ValueError if the config describes a model with other weights."""
    shapes, found = ([weight.shape for weight in each.get_weights()] for each in (model, copy))
    if shapes != found:
        raise ValueError(
            f"A preset cannot hold this model: it has {len(shapes)} weights, and what its config "
            f"makes has {len(found)} or others. Either two of its networks share a layer (give "
            "each its own), or get_config() of a registered class leaves something out."
        )


def _size_of_weights(folder: Path, needed: bool) -> int:
    """Bytes of the weights, which bound the model; a default if they are absent and not needed."""
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
