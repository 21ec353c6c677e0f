"""Checks of the configs of presets and of `.keras` files, which others may have written.

A document is checked as a whole before any of its objects is constructed.
"""

from collections.abc import Mapping

from keras_infomodels import __version__, registry
from keras_infomodels.preset_layers import KERAS, check_setting

__all__ = ["check_config", "check_serialized"]

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

_MATRIX, _NUMBERS = "MultivariateNormal", 4096
"""A class whose lists are a matrix, and how many of its numbers count as one call: they take some
memory each, and layers and components of a mixture far more."""

_KEYS = {"module", "class_name", "config", "name", "inbound_nodes"}


def check_config(document: Mapping, table: Mapping[str, type], arrays: int | None = None):
    """Raises ValueError for a config with a class that is not allowed, or of unlimited size.

    Args:
        document: dict. Content of config.json. No object is constructed from it.
        table: dict from str to class. Classes that may be named without a module.
        arrays: int or None. Number of arrays in the file of weights, which limits the number of
            layers. `None` means no limit.
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
    """Raises ValueError for a `.keras` file's config that would take an unlimited time to load.

    Args:
        document: dict. Content of config.json as Keras wrote it.
        arrays: int. Number of arrays in the file of weights.
        path: Path. Name of the file in error messages.
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
                ours += _listed(name, value.get("config"))
        stack += [(item, depth + 1) for item in items]
    if ours > (most := _FREE_CALLS + _CALLS_AN_ARRAY * arrays):
        raise ValueError(
            f"The config in {path} lists {ours} numbers, such as widths of layers, and its weights "
            f"are {arrays} arrays, for which {most} are allowed."
        )


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
        inside += _listed(value["class_name"], value["config"])
    if value["class_name"] == "Bidirectional":
        inside *= 2
    # A network is made once, and once more by each call.
    return (1 + inside) * (1 + len(value.get("inbound_nodes", [])))


def _listed(name: str, config) -> int:
    """Number of plain values in lists of a class's config, a matrix counting less."""
    return _items(config) // (_NUMBERS if name == _MATRIX else 1)


def _items(value) -> int:
    """The number of plain values in lists, such as the widths of a network's layers."""
    if isinstance(value, list):
        return sum(1 if not isinstance(item, list | Mapping) else _items(item) for item in value)
    if isinstance(value, Mapping) and "class_name" not in value:
        return sum(map(_items, value.values()))
    return 0


def _foreign(name, table: Mapping[str, type]) -> ValueError:
    return ValueError(
        f"The preset names the class {str(name)!r:.200}, which is not one of this version's: "
        f"{', '.join(sorted(table))}. If it is your own, admit it with registry.register(cls) or "
        "custom_objects={name: cls}; if it is of a newer version of keras-infomodels, upgrade this "
        f"one ({__version__})."
    )
