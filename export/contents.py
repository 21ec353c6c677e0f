"""Contents of an export: the signatures of a float32 model, and JSON that describes them."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_infomodels
from keras_infomodels import hooks
from keras_infomodels.distributions import MultivariateNormal
from keras_infomodels.io import check_temporary_room
from keras_infomodels.models.signatures import Signature

__all__ = ["Contents", "float32_copy"]

FORMAT = 1
_ROOM, _BYTES = 2**22, 4
"""Bytes of temporary files without the weights, and bytes of a weight."""

_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


class Contents:
    """Model and its signatures, as they are exported.

    Args:
        model: model of this library. A model with half-precision layers is copied to float32.
        uint8: bool. `True` makes image inputs and outputs bytes from 0 to 255. `False` keeps
            floats.
        batch_size: int. Fixed batch size. `None` allows any.
        preset: str or Path. Name or folder of the model's preset. Its name, license and card are
            included in the file. `None` includes none.
        static_shapes: bool. `True` replaces transposed convolutions; see
            `networks.portable.portable`.

    Attributes:
        model: Keras model. The model in float32.
        signatures: dict from name to `Signature`, with images as bytes if `uint8`.
        card: str. Text of the preset's README.md, or None.

    Raises:
        OSError: If there is no space for temporary files.
        ValueError: If weights are not finite, or `uint8` is set for pixels outside [0, 1].
    """

    def __init__(
        self,
        model: keras.Model,
        uint8: bool = False,
        batch_size: int | None = None,
        preset: str | Path | None = None,
        static_shapes: bool = False,
    ):
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is at least 1, or None for any; got {batch_size!r}.")
        check_temporary_room(_ROOM + 4 * _BYTES * model.count_params())
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ValueError("The model's weights hold NaN or infinite values; export another one.")
        self.model = float32_copy(model)
        self.uint8 = uint8
        self.batch_size = batch_size
        self.signatures = self.model.export_signatures()
        if uint8:
            if model.pixel_range is None:
                raise ValueError(
                    "uint8 is for images with pixels in [0, 1], and this model's data have no "
                    "range; leave uint8 out."
                )
            self.signatures = {
                name: dataclasses.replace(signature, function=_of_bytes(signature.function))
                for name, signature in self.signatures.items()
            }
        self._functions = {}
        self.static_shapes = static_shapes
        self._preset, self.card = _preset(preset)

    def specs(self, name: str) -> list[tf.TensorSpec]:
        """Returns the inputs of a signature."""
        specs = []
        for each in self.signatures[name].inputs:
            spec = each.spec(self.batch_size)
            if self.uint8 and each.kind == "image":
                spec = tf.TensorSpec(spec.shape, tf.uint8, name=spec.name)
            specs.append(spec)
        return specs

    def function(self, name: str) -> tf.types.experimental.GenericFunction:
        """Returns the traced function of a signature; tensors are passed by name or by position."""
        if name not in self._functions:
            self._functions[name] = tf.function(
                _positional(self.signatures[name]),
                input_signature=self.specs(name),
                autograph=False,
            )
        return self._functions[name]

    def document(self, names=None, **facts) -> dict:
        """Returns JSON values that describe the signatures `names` (`None`: all), with `facts`."""
        names = self.signatures if names is None else names
        model = self.model
        return {
            "format": FORMAT,
            "library": f"keras-infomodels {keras_infomodels.__version__}",
            "model": type(model).__name__,
            **self._preset,
            "batch_size": self.batch_size,
            "codes": {
                code.name: {"prior": type(code.prior).__name__, **code.prior.get_config()}
                for code in model.codes.values()
            },
            **self._prior(),
            "signatures": {name: self._describe(name) for name in names},
            **facts,
        }

    def _prior(self) -> dict:
        """Describes a fitted prior, from which clients draw z for the signature "decode"."""
        prior = getattr(self.model, "prior", None)
        if not isinstance(prior, MultivariateNormal):
            return {}
        return {
            "prior": {
                "class": "MultivariateNormal",
                "loc": _short(prior.loc),
                "scale_tril": [_short(row) for row in prior.scale_tril],
            }
        }

    def _describe(self, name: str) -> dict:
        kinds = {each.name: each.kind for each in self.signatures[name].inputs}
        inputs = {
            spec.name: {"kind": kinds[spec.name]}
            | _tensor(spec, kinds[spec.name] not in ("count", "seed"))
            | self._range(spec.name, kinds[spec.name])
            for spec in self.specs(name)
        }
        outputs = self.function(name).get_concrete_function().structured_outputs
        return {
            "inputs": inputs,
            "outputs": {
                key: _tensor(spec) | self._range(key, "image" if key == "image" else "")
                for key, spec in outputs.items()
            },
        }

    def _range(self, name: str, kind: str) -> dict:
        if kind == "image":
            limits = self.model.pixel_range
            limits = [0, 255] if self.uint8 else limits
            return {} if limits is None else {"range": list(limits)}
        if kind == "uniform":
            return {"range": [-1, 1]}
        if kind == "category" or name.endswith("probabilities"):
            return {"range": [0, 1]}
        return {"unit": "nats"} if name in ("reconstruction", "rate") else {}


def float32_copy(model: keras.Model) -> keras.Model:
    """Returns the model itself, or a float32 copy if a layer computes in half precision."""
    policies = {layer.dtype_policy.name for layer in model._flatten_layers()}
    if not policies & set(_HALF):
        return model
    text = json.dumps(keras.saving.serialize_keras_object(model))
    for name in _HALF:
        text = text.replace(f'"{name}"', '"float32"')
    # Some of the model's own classes may not be registered with Keras.
    custom = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
    copy = keras.saving.deserialize_keras_object(json.loads(text), custom_objects=custom)
    copy.set_weights(model.get_weights())
    return copy


def _of_bytes(function):
    """Converts a function of images in [0, 1] to one of images in 0 to 255."""

    def of_bytes(**tensors):
        tensors = {
            name: tf.cast(value, tf.float32) / 255 if name == "image" else value
            for name, value in tensors.items()
        }
        outputs = function(**tensors)
        if "image" in outputs:
            scaled = tf.clip_by_value(tf.round(255 * outputs["image"]), 0, 255)
            outputs = outputs | {"image": tf.cast(scaled, tf.uint8)}
        return outputs

    return of_bytes


def _positional(signature: Signature):
    """Converts a signature's function to positional arguments; tf.function needs all names."""
    names = [each.name for each in signature.inputs]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def function(*tensors):
        return signature.function(**dict(zip(names, tensors, strict=True)))

    function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return function


def _tensor(spec: tf.TensorSpec, batched: bool = True) -> dict:
    shape = spec.shape[1:] if batched else spec.shape
    return {"shape": shape.as_list(), "dtype": np.dtype(spec.dtype.as_numpy_dtype).name}


def _preset(preset: str | Path | None) -> tuple[dict, str | None]:
    if preset is None:
        return {"preset": None, "license": None}, None
    folder = hooks.zoo().locate(preset)
    facts = json.loads((folder / "metadata.json").read_text())
    card = folder / "README.md"
    facts = facts if isinstance(facts, Mapping) else {}
    return (
        {"preset": folder.resolve().name, "license": facts.get("license")},
        card.read_text() if card.is_file() else None,
    )


def _short(values: np.ndarray) -> list[float]:
    """Returns numbers with six digits, however small they are."""
    return [float(f"{value:.6g}") for value in values]
