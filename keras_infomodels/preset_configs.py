"""config.json of a preset: a model's config reduced to JSON, and made a model again.

    object of this library, or of a registered class    {"class_name", "config"}
    object of Keras                                     {"module", "class_name", "config"}
    layer of a functional network                       also {"name", "inbound_nodes"}
    tensor of a functional network                      {"keras_history": [layer, node, tensor]}

A module is one of `preset_layers.KERAS`. `preset_checks` checks a document as a whole before any of
its objects is constructed.
"""

import re
from collections.abc import Mapping

import keras

from keras_infomodels import registry
from keras_infomodels.preset_layers import KERAS, NETWORKS, refusal

__all__ = ["construct", "describe", "format_of", "set_dtype"]


_PACKAGE = "keras_infomodels.registry"
_BOLD = re.compile(r"\x1b\[\d*m")


def describe(value, table: Mapping[str, type]):
    """Converts Keras' serialization of an object to the form of a preset's config.

    Args:
        value: dict. Result of `keras.saving.serialize_keras_object`.
        table: dict from str to class. Classes that are named without a module.

    Raises:
        ValueError: If an object has a class that is not allowed, or contains code.
    """
    if isinstance(value, list | tuple):
        return [describe(item, table) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        for key, item in value.items():
            # Of a lambda as activation Keras leaves the code alone.
            if key.endswith("activation") and isinstance(item, Mapping) and "value" in item:
                raise ValueError(refusal({"class_name": "__lambda__"}))
        return {key: describe(item, table) for key, item in value.items()}
    name, module, config = value["class_name"], value.get("module"), value.get("config")
    if name == "__keras_tensor__":
        return {"keras_history": list(config["keras_history"])}
    if (module, name) == ("keras", "DTypePolicy"):
        return config["name"]
    if name == "Functional" and str(module).startswith("keras."):
        module = "keras"
    if name in KERAS.get(module, ()):
        kept = {"module": module, "class_name": name}
    elif name in table and module in _modules(table[name]):
        kept = {"class_name": name}
    else:
        raise ValueError(refusal(value))
    kept["config"] = describe(config, table)
    if "module" not in kept and name not in registry.BUILT_IN and value.get("build_config"):
        kept["build_config"] = describe(value["build_config"], table)
    if "inbound_nodes" in value:
        kept["name"] = value["name"]
        kept["inbound_nodes"] = describe(value["inbound_nodes"], table)
    return kept


def format_of(document) -> int:
    """Returns the oldest format that can represent a document.

    The format is 1 if there are no classes of Keras or of users.
    """
    if isinstance(document, list):
        return max(map(format_of, document), default=1)
    if not isinstance(document, Mapping):
        return 1
    name = document.get("class_name")
    if "module" in document or (isinstance(name, str) and name not in registry.BUILT_IN):
        return 2
    return max(map(format_of, document.values()), default=1)


def construct(value, table: Mapping[str, type]):
    """Constructs the object that a checked document describes.

    Args:
        value: JSON that `check_config` has passed.
        table: dict from str to class. Classes that are named without a module.

    Raises:
        ValueError: If a class does not take an argument, or networks do not fit together.
    """
    if isinstance(value, list):
        return [construct(item, table) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {key: construct(item, table) for key, item in value.items()}
    name = value["class_name"]
    if "module" in value or name not in registry.BUILT_IN:
        return _revive(value, table)
    arguments = {key: construct(item, table) for key, item in value["config"].items()}
    try:
        if hasattr(table[name], "renew_config"):
            arguments = table[name].renew_config(arguments)
        return table[name](**arguments)
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"The preset's config does not fit the class {name}: {error}.") from error


def set_dtype(value, dtype: str, table: Mapping[str, type]):
    """Returns a document whose models and networks have another dtype policy.

    A class of this library gets the policy as its argument `dtype`. In a Keras network, the hidden
    layers get the policy, and the last layers float32.

    Args:
        value: JSON that `check_config` has passed.
        dtype: str. Name of a Keras dtype policy.
        table: dict from str to class. Classes that are named without a module.
    """
    if isinstance(value, list):
        return [set_dtype(item, dtype, table) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {key: set_dtype(item, dtype, table) for key, item in value.items()}
    if "module" in value:
        return _set_layer_dtype(value, dtype, table, last=True)
    cls, config = table[value["class_name"]], value["config"]
    config = {key: set_dtype(item, dtype, table) for key, item in config.items()}
    ours = cls in registry.BUILT_IN.values() and issubclass(cls, keras.Model)
    if ours or ("dtype" in config and issubclass(cls, keras.layers.Layer)):
        config["dtype"] = dtype
    return {**value, "config": config}


def _set_layer_dtype(layer, dtype: str, table: Mapping[str, type], last: bool):
    """`set_dtype` of a layer of Keras; `last` says whether its outputs are the network's."""
    if isinstance(layer, list):
        return [_set_layer_dtype(item, dtype, table, last) for item in layer]
    if not isinstance(layer, Mapping) or "class_name" not in layer:
        return layer
    if "module" not in layer:
        return set_dtype(layer, "float32" if last else dtype, table)
    name, config = layer["class_name"], layer["config"]
    if name == "InputLayer" or layer["module"] not in ("keras", "keras.layers"):
        return layer
    if name in NETWORKS:
        ends = _last_layers(layer) if last else ()
        layers = [
            _set_layer_dtype(item, dtype, table, index in ends)
            for index, item in enumerate(config["layers"])
        ]
        return {**layer, "config": {**config, "layers": layers}}
    config = {key: _set_layer_dtype(item, dtype, table, last) for key, item in config.items()}
    # It rounds the kernel to its own dtype, and the layer inside does so again.
    if "dtype" in config and name != "SpectralNormalization":
        config["dtype"] = "float32" if last else dtype
    return {**layer, "config": config}


def _last_layers(network: Mapping) -> set[int]:
    """The indices of the layers whose outputs are the network's."""
    config = network["config"]
    layers = config["layers"]
    if network["class_name"] == "Sequential":
        return {len(layers) - 1}
    ends = {each for each in keras.tree.flatten(config["output_layers"]) if isinstance(each, str)}
    return {index for index, layer in enumerate(layers) if layer.get("name") in ends}


def _revive(value: Mapping, table: Mapping[str, type]):
    """The object of a class of Keras, or of a user's, by Keras' own deserialization."""
    custom = {f"{_PACKAGE}>{name}": cls for name, cls in table.items()}
    try:
        return keras.saving.deserialize_keras_object(_expand(value), custom_objects=custom)
    except MemoryError:
        raise
    except Exception as error:
        # Keras raises what it meets, and prints the whole config in its message, parts in bold.
        reason = " ".join(_BOLD.sub("", str(error)).split())
        reason = reason if len(reason) <= 300 else f"{reason[:150]} ... {reason[-150:]}"
        raise ValueError(
            f"The preset's config does not fit the class {value['class_name']}: {reason}"
        ) from error


def _expand(value):
    """Keras' serialization of what a preset holds."""
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"keras_history"}:
        config = {"shape": [], "dtype": "float32", **value}
        return {"class_name": "__keras_tensor__", "config": config}
    expanded = {key: _expand(item) for key, item in value.items()}
    if "class_name" not in value:
        return expanded
    name = value["class_name"]
    if "module" not in value:
        return expanded | {"module": _PACKAGE, "registered_name": f"{_PACKAGE}>{name}"}
    # keras.Model makes a functional network of what is one's config.
    public = {"class_name": "Model"} if name == "Functional" else {}
    return expanded | public | {"registered_name": None}


def _modules(cls: type) -> tuple[str | None, ...]:
    """What Keras writes as the module of a class."""
    return (cls.__module__, None) if cls.__module__ == "__main__" else (cls.__module__,)
