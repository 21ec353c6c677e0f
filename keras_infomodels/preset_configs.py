"""config.json of a preset: a model's config reduced to JSON, checked, and made a model again.

    object of this library, or of a registered class    {"class_name", "config"}
    object of Keras                                     {"module", "class_name", "config"}
    layer of a functional network                       also {"name", "inbound_nodes"}
    tensor of a functional network                      {"keras_history": [layer, node, tensor]}

A module is one of `preset_layers.KERAS`. A document is checked as a whole before any of its
objects is constructed.
"""

import re
from collections.abc import Mapping

import keras

from keras_infomodels import __version__, registry
from keras_infomodels.preset_layers import KERAS, NETWORKS, check_setting, refusal

__all__ = ["check_config", "construct", "describe", "format_of", "set_dtype"]

_DEPTH, _LENGTH, _INTEGER = 30, 256, 10**7
"""Bounds of a config: how deep it nests, of its lists and of its numbers but for seeds. Layers take
time that grows faster than their number, and priors take memory without having weights."""

_KERAS_DEPTH, _KERAS_LENGTH = 100, 10**4
"""Bounds of the config of a `.keras` file, which may be of any model."""

_TEXT = 1000
"""Bound of the length of a text in a config."""

_CALLS = 1000
"""Bound of the calls of layers that make a document's networks. A network that calls another one
twice, which calls another one twice, and so on, is short and takes time without end."""

_FREE_CALLS, _CALLS_AN_ARRAY = 40, 4
"""Calls of layers that need no weights, and more for each array of the weights."""

_KEYS = {"module", "class_name", "config", "name", "inbound_nodes"}

_PACKAGE = "keras_infomodels.registry"
_BOLD = re.compile(r"\x1b\[\d*m")


def describe(value, table: Mapping[str, type]):
    """Keras' serialization reduced to what a preset holds.

    Args:
        value: what `keras.saving.serialize_keras_object` returned.
        table: dict name -> class. The classes that may be named without a module.

    Raises:
        ValueError: an object of another class, or code.
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
    """The oldest format that has all that a document holds: 1 without Keras' and users' classes."""
    if isinstance(document, list):
        return max(map(format_of, document), default=1)
    if not isinstance(document, Mapping):
        return 1
    name = document.get("class_name")
    if "module" in document or (isinstance(name, str) and name not in registry.BUILT_IN):
        return 2
    return max(map(format_of, document.values()), default=1)


def check_config(document: Mapping, table: Mapping[str, type], arrays: int | None = None):
    """Raises ValueError for a document that names a class of no table, or that has no bounds.

    Args:
        document: JSON. The content of config.json; nothing of it is constructed.
        table: dict name -> class. The classes that may be named without a module.
        arrays: int or None. The number of arrays in the file of weights, which bounds the number
            of layers; None is no bound.
    """
    _check_size(document)
    _check_objects(document, table)
    calls = _calls(document)
    most = _CALLS if arrays is None else min(_CALLS, _FREE_CALLS + _CALLS_AN_ARRAY * arrays)
    if calls > most:
        raise ValueError(
            f"The networks in the config of a preset take at most {most} calls of layers"
            f"{'' if arrays is None else f' where its weights are {arrays} arrays'}; this one "
            f"takes {calls if calls < 10 * most else 'far more'}."
        )


def check_serialized(document, arrays: int, path):
    """Raises ValueError for the config of a `.keras` file that would take time without end.

    Args:
        document: JSON. The content of config.json as Keras wrote it.
        arrays: int. The number of arrays in the file of weights.
        path: Path. The file's name in messages.
    """
    stack, ours = [(document, 0)], 0
    while stack:
        value, depth = stack.pop()
        if not isinstance(value, list | Mapping):
            continue
        if depth > _KERAS_DEPTH or len(value) > _KERAS_LENGTH:
            raise ValueError(
                f"The config in {path} nests more than {_KERAS_DEPTH} deep, or lists more than "
                f"{_KERAS_LENGTH} things."
            )
        items = value
        if isinstance(value, Mapping):
            items = value.values()
            name, module = (value.get(key, "") for key in ("class_name", "module"))
            if not (isinstance(name, str) and isinstance(module, str | None)):
                raise ValueError(f"The config in {path} names a class by {name!r:.50}.")
            if (module or "").startswith(__package__):
                ours += _items(value.get("config"))
        stack += [(item, depth + 1) for item in items]
    if ours > (most := _FREE_CALLS + _CALLS_AN_ARRAY * arrays):
        raise ValueError(
            f"The config in {path} lists {ours} numbers, such as widths of layers, and its weights "
            f"are {arrays} arrays, for which {most} are allowed."
        )


def construct(value, table: Mapping[str, type]):
    """The object that a checked document describes.

    Args:
        value: JSON that `check_config` has passed.
        table: dict name -> class. The classes that may be named without a module.

    Raises:
        ValueError: arguments that a class does not take, or networks that do not fit together.
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
    """A document whose models and networks have another dtype policy.

    A class takes it as its argument `dtype`. In a network of Keras the hidden layers have it, and
    the last ones float32.

    Args:
        value: JSON that `check_config` has passed.
        dtype: str. Name of a Keras dtype policy.
        table: dict name -> class. The classes that may be named without a module.
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
            elif item is not None and type(item) is not int:
                raise ValueError(
                    f"A seed in the config of a preset is an integer or none, not {item!r:.50}."
                )
    elif isinstance(value, int | float) and not abs(value) <= _INTEGER:
        raise ValueError(f"A number in the config of a preset is at most {_INTEGER}, not {value}.")
    elif isinstance(value, str) and len(value) > _TEXT:
        raise ValueError(f"A text in the config of a preset has at most {_TEXT} characters.")


def _check_objects(value, table: Mapping[str, type]):
    """Raises ValueError for an object of no table, wherever it is."""
    if isinstance(value, list):
        for item in value:
            _check_objects(item, table)
    if not isinstance(value, Mapping):
        return
    if not {"class_name", "module", "registered_name", "shared_object_id"} & set(value):
        for item in value.values():
            _check_objects(item, table)
        return
    name, module, config = value.get("class_name"), value.get("module"), value.get("config")
    if "module" in value:
        if not (isinstance(module, str) and isinstance(name, str)) or name not in KERAS.get(
            module, ()
        ):
            raise _foreign(f"{module}.{name}", table)
    elif not isinstance(name, str) or name not in table:
        raise _foreign(name, table)
    if not isinstance(config, Mapping):
        raise ValueError(f"The preset's config of the class {name} is no table: {config!r:.80}.")
    own = "module" not in value and name not in registry.BUILT_IN
    if more := set(value) - _KEYS - ({"build_config"} if own else set()):
        raise ValueError(f"The preset says {sorted(more)} of the class {name}, which is not known.")
    if "module" in value:
        for key, item in config.items():
            check_setting(name, key, item)
    _check_graph(value)
    for item in value.values():
        _check_objects(item, table)


def _check_graph(value: Mapping):
    """Raises ValueError where a network, or a layer's place in one, is not described as such."""
    name, config = value["class_name"], value["config"]
    needed = {"Functional": ("layers", "input_layers", "output_layers"), "Sequential": ("layers",)}
    if "module" in value and (lacks := set(needed.get(name, ())) - set(config)):
        raise ValueError(f"The preset's config of a {name} network lacks {sorted(lacks)}.")
    nodes = value.get("inbound_nodes", [])
    fits = isinstance(value.get("name", ""), str) and isinstance(nodes, list)
    for node in nodes if fits else ():
        fits = fits and isinstance(node, Mapping) and set(node) == {"args", "kwargs"}
        fits = fits and isinstance(node["args"], list) and isinstance(node["kwargs"], Mapping)
        fits = fits and _is_argument(node["args"]) and _is_argument(node["kwargs"])
    if not fits:
        raise ValueError(
            f"The preset's config does not say how a layer {name} is called: its inbound_nodes are "
            "a list of args and kwargs, made of tensors of other layers and of numbers."
        )
    if not _is_argument(value.get("build_config")):
        raise ValueError(f"The build_config of the class {name} in a preset is made of numbers.")


def _is_argument(value) -> bool:
    """Whether a value is made of numbers and tensors: Keras makes objects of other texts."""
    if isinstance(value, list):
        return all(map(_is_argument, value))
    if not isinstance(value, Mapping):
        return not isinstance(value, str)
    if set(value) == {"keras_history"}:
        history = value["keras_history"]
        return isinstance(history, list) and [type(item) for item in history] == [str, int, int]
    return "class_name" not in value and all(map(_is_argument, value.values()))


def _calls(value) -> int:
    """How many calls of layers it takes to make what a document describes, or a few more."""
    if isinstance(value, list):
        return sum(map(_calls, value))
    if not isinstance(value, Mapping):
        return 0
    inside = sum(map(_calls, value.values()))
    if value.get("module", "keras.layers") not in ("keras", "keras.layers"):
        return 0
    if "class_name" not in value:
        return inside
    if "module" not in value:
        inside += _items(value["config"])
    if value["class_name"] == "Bidirectional":
        inside *= 2
    # A network is made once, and once more by each call.
    return (1 + inside) * (1 + len(value.get("inbound_nodes", [])))


def _items(value) -> int:
    """The number of plain values in lists, such as the widths of a network's layers."""
    if isinstance(value, list):
        return sum(1 if not isinstance(item, list | Mapping) else _items(item) for item in value)
    if isinstance(value, Mapping) and "class_name" not in value:
        return sum(map(_items, value.values()))
    return 0


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


def _foreign(name, table: Mapping[str, type]) -> ValueError:
    return ValueError(
        f"The preset names the class {str(name)!r:.200}, which is not one of this version's: "
        f"{', '.join(sorted(table))}. If it is your own, admit it with registry.register(cls) or "
        "custom_objects={name: cls}; if it is of a newer version of keras-infomodels, upgrade this "
        f"one ({__version__})."
    )
