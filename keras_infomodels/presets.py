"""Preset folders: a model as config, weights and metadata, readable without running foreign code.

config.json        {"format": 1, "class_name": ..., "config": ...}
model.weights.h5   weights alone, from an uncompiled copy
metadata.json      versions, parameters, what training says, SHA-256 and size of every file
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import keras_infomodels
from keras_infomodels import distributions, divergences, hooks, models, networks, weights
from keras_infomodels.preset_files import (
    FORMAT,
    NEEDED,
    check_format,
    check_table,
    fingerprint,
    limit_of,
    mismatch,
    open_file,
    read_json,
)

__all__ = ["CLASSES", "FORMAT", "from_preset", "load_model", "save_to_preset"]

CLASSES = {
    cls.__name__: cls
    for cls in (
        *models.MODELS.values(),
        networks.MLPEncoder,
        networks.MLPDecoder,
        networks.MLPDiscriminator,
        networks.ConvEncoder,
        networks.ConvDecoder,
        networks.ConvGenerator,
        networks.ConvDiscriminator,
        networks.RecognitionHead,
        networks.ConvClassifier,
        distributions.StandardNormal,
        distributions.Bernoulli,
        distributions.ContinuousBernoulli,
        distributions.Gaussian,
        distributions.CategoricalNormal,
        distributions.GaussianMixture,
        distributions.SwissRoll,
        distributions.Code,
        distributions.Categorical,
        distributions.Uniform,
        distributions.Normal,
        divergences.MMD,
        divergences.Adversarial,
        divergences.TotalCorrelation,
        divergences.MarginalKL,
        divergences.Partwise,
        divergences.Stein,
    )
}
"""The classes that a preset may name: nothing else is ever constructed from one."""

_HALF = 2
"""Bytes of the smallest number that weights are made of."""

_DEPTH, _LENGTH, _INTEGER = 20, 256, 10**7
"""Bounds of a config: how deep it nests, of its lists and of its numbers but for seeds. Layers take
time that grows faster than their number, and priors take memory without having weights."""


def load_model(source: str | Path) -> keras.Model:
    """Loads a model from wherever one can be.

    Args:
        source: the name of a preset, which is downloaded if it is not at hand; the folder of one
            (as `infomodels train` leaves it); hf://OWNER/REPOSITORY@COMMIT; or a `.keras` file;
            only the last comes back compiled.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing that this version can read.
        OSError: it could not be downloaded.
    """
    path = Path(source)
    if path.suffix == ".keras":
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        return keras.saving.load_model(path, custom_objects=CLASSES)
    return from_preset(source)


def from_preset(name_or_dir: str | Path, load_weights: bool = True, dtype=None) -> keras.Model:
    """The model of a preset, uncompiled.

    Nothing in the folder is executed: its config names classes of `CLASSES` and their arguments.
    No link is followed, and neither a file nor the model that it describes may be larger than the
    weights that are there; their shapes are compared with the model's before they are read.

    Args:
        name_or_dir: a name of `list_presets()`, which is downloaded if it is not at hand; a
            folder; or hf://OWNER/REPOSITORY@COMMIT.
        load_weights: False for freshly initialized weights.
        dtype: a Keras dtype or policy for the hidden layers, such as "mixed_bfloat16"; None is
            what the preset says.

    Raises:
        FileNotFoundError: no such preset.
        ValueError: a newer format, a class that is not in `CLASSES`, or damaged files.
        OSError: it could not be downloaded.
    """
    folder = hooks.zoo().locate(name_or_dir)
    document = read_json(folder, "config.json")
    check_format(document, folder)
    if document.get("class_name") not in {cls.__name__ for cls in models.MODELS.values()}:
        raise _foreign(document.get("class_name"))
    size = _size_of_weights(folder) if load_weights else limit_of("model.weights.h5")
    _verify(folder, NEEDED if load_weights else ("config.json",))
    _check_size(document)
    try:
        with weights.at_most(size // _HALF):
            model = _construct(document, dtype)
    except tf.errors.ResourceExhaustedError as error:
        raise ValueError(f"There is no memory for the model of {folder}: {error}.") from error
    if load_weights:
        weights.load_weights(model, folder / "model.weights.h5")
    return model


def save_to_preset(model: keras.Model, folder: str | Path, **metadata) -> Path:
    """Writes a preset folder; each file is replaced atomically and other files are left alone.

    Args:
        model: a model of this library.
        folder: made if it is not there.
        **metadata: JSON values to keep in metadata.json, such as `training` and `metrics`.

    Returns:
        The folder.

    Raises:
        ValueError: the model holds a class that is not in `CLASSES`, or more than a config may.
    """
    folder = Path(folder)
    document = {"format": FORMAT, **_describe(keras.saving.serialize_keras_object(model))}
    _check_size(document)
    # Compiled weights would carry the optimizer's.
    copy = _construct(document, None)
    copy.set_weights(model.get_weights())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        temporary = Path(temporary)
        (temporary / "config.json").write_text(json.dumps(document, indent=1) + "\n")
        copy.save_weights(temporary / "model.weights.h5")
        facts = {
            "format": FORMAT,
            "versions": _versions(),
            "parameters": copy.count_params(),
            **metadata,
            "files": {name: fingerprint(temporary, name) for name in NEEDED},
        }
        (temporary / "metadata.json").write_text(json.dumps(facts, indent=1) + "\n")
        for name in (*NEEDED, "metadata.json"):
            os.replace(temporary / name, folder / name)
    return folder


def _describe(value):
    """Keras' serialization reduced to names of classes in `CLASSES` and their configs."""
    if isinstance(value, Mapping):
        if "class_name" not in value:
            return {key: _describe(item) for key, item in value.items()}
        if value["class_name"] not in CLASSES:
            raise ValueError(
                f"A preset cannot hold the class {value['class_name']!r}: it is made of the "
                f"library's own ({', '.join(sorted(CLASSES))}). Save the model with "
                'model.save("model.keras") instead.'
            )
        return {"class_name": value["class_name"], "config": _describe(value["config"])}
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    return value


def _construct(document: Mapping, dtype):
    if isinstance(document, list):
        return [_construct(value, dtype) for value in document]
    if not isinstance(document, Mapping):
        return document
    if "class_name" not in document:
        return {key: _construct(value, dtype) for key, value in document.items()}
    name, config = document["class_name"], document.get("config")
    if not isinstance(name, str) or name not in CLASSES:
        raise _foreign(name)
    if not isinstance(config, Mapping):
        raise ValueError(f"The preset's config of the class {name} is no table: {config!r}.")
    arguments = {key: _construct(value, dtype) for key, value in config.items()}
    if dtype is not None and issubclass(CLASSES[name], keras.Model):
        arguments["dtype"] = dtype
    try:
        return CLASSES[name](**arguments)
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"The preset's config does not fit the class {name}: {error}.") from error


def _check_size(value, depth: int = 0):
    """Raises ValueError for a config that would take time or memory without end."""
    if isinstance(value, list | Mapping):
        if depth == _DEPTH or len(value) > _LENGTH:
            raise ValueError(
                f"The config of a preset nests at most {_DEPTH} deep and lists at most {_LENGTH} "
                "things; this one does not."
            )
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            if key != "seed":
                _check_size(item, depth + 1)
    elif isinstance(value, int | float) and not abs(value) <= _INTEGER:
        raise ValueError(f"A number in the config of a preset is at most {_INTEGER}, not {value}.")


def _foreign(name) -> ValueError:
    return ValueError(
        f"The preset names the class {name!r}, which is not one of this version's: "
        f"{', '.join(sorted(CLASSES))}. If it is of a newer version of keras-infomodels, upgrade "
        f"this one ({keras_infomodels.__version__})."
    )


def _size_of_weights(folder: Path) -> int:
    try:
        with open_file(folder, "model.weights.h5") as file:
            return os.fstat(file.fileno()).st_size
    except FileNotFoundError:
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
