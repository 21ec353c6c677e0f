"""Preset folders: a model as config, weights and metadata, readable without running foreign code.

config.json        {"format": 1, "class_name": ..., "config": ...}
model.weights.h5   weights alone, from an uncompiled copy
metadata.json      versions, parameters, what training says, SHA-256 and size of every file
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import keras_infomodels
from keras_infomodels import distributions, divergences, models, networks

__all__ = ["CLASSES", "FORMAT", "from_preset", "list_presets", "load_model", "save_to_preset"]

FORMAT = 1
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

_FILES = ("config.json", "model.weights.h5")


def load_model(source: str | Path) -> keras.Model:
    """Loads a model from wherever one can be.

    Args:
        source: the name of a preset, the folder of one (as `infomodels train` leaves it), or a
            `.keras` file; only the last comes back compiled.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing that this version can read.
    """
    source = Path(source)
    if source.suffix == ".keras":
        if not source.is_file():
            raise FileNotFoundError(f"There is no file {source}.")
        return keras.saving.load_model(source, custom_objects=CLASSES)
    return from_preset(source)


def from_preset(name_or_dir: str | Path, load_weights: bool = True, dtype=None) -> keras.Model:
    """The model of a preset, uncompiled.

    Args:
        name_or_dir: a name of `list_presets()` or a folder.
        load_weights: False for freshly initialized weights.
        dtype: a Keras dtype or policy for the hidden layers, such as "mixed_bfloat16"; None is
            what the preset says.

    Raises:
        FileNotFoundError: no such preset.
        ValueError: a newer format, a class that is not in `CLASSES`, or damaged files.
    """
    from keras_infomodels import zoo

    folder = zoo.locate(name_or_dir)
    document = _read_json(folder / "config.json")
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{folder} has preset format {document.get('format')!r}; this version of "
            f"keras-infomodels ({keras_infomodels.__version__}) reads format {FORMAT}. Upgrade it."
        )
    model = _construct(document, dtype)
    if load_weights:
        weights = folder / "model.weights.h5"
        _verify(folder)
        model.load_weights(weights)
    return model


def list_presets() -> dict[str, str]:
    """Names of the presets that are at hand, each with its one-line description."""
    from keras_infomodels import zoo

    return zoo.list_presets()


def save_to_preset(model: keras.Model, folder: str | Path, **metadata) -> Path:
    """Writes a preset folder; each file is replaced atomically and other files are left alone.

    Args:
        model: a model of this library.
        folder: made if it is not there.
        **metadata: JSON values to keep in metadata.json, such as `training` and `metrics`.

    Returns:
        The folder.

    Raises:
        ValueError: the model holds a class that is not in `CLASSES`.
    """
    folder = Path(folder)
    document = {"format": FORMAT, **_describe(keras.saving.serialize_keras_object(model))}
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
            "files": {name: _fingerprint(temporary / name) for name in _FILES},
        }
        (temporary / "metadata.json").write_text(json.dumps(facts, indent=1) + "\n")
        for name in (*_FILES, "metadata.json"):
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
    name = document.get("class_name")
    if name not in CLASSES:
        raise ValueError(
            f"The preset names the class {name!r}, which is not one of this version's: "
            f"{', '.join(sorted(CLASSES))}."
        )
    arguments = {key: _construct(value, dtype) for key, value in document["config"].items()}
    if dtype is not None and issubclass(CLASSES[name], keras.Model):
        arguments["dtype"] = dtype
    try:
        return CLASSES[name](**arguments)
    except TypeError as error:
        raise ValueError(f"The preset's config does not fit the class {name}: {error}.") from error


def _verify(folder: Path):
    files = _read_json(folder / "metadata.json")["files"]
    for name in _FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"The preset {folder} lacks {name}; get it again.")
        if _fingerprint(folder / name) != files[name]:
            raise ValueError(
                f"{folder / name} is not the file that metadata.json describes: it is damaged, or "
                "a save was interrupted. Get the preset again, or save the model again."
            )


def _fingerprint(path: Path) -> dict:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path.parent} is no preset folder: it has no {path.name}."
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error


def _versions() -> dict[str, str]:
    return {
        "keras-infomodels": keras_infomodels.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "tensorflow-probability": tfp.__version__,
    }
