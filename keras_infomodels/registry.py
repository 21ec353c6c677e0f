"""Closed table from name to class: a preset can construct no other class.

It contains the classes of this library, which `built_in` decorates, and those that a user adds by
`register`.
"""

from collections.abc import Mapping

import keras

from keras_infomodels import hooks, names

__all__ = ["BUILT_IN", "admit", "built_in", "classes", "get", "register"]

BUILT_IN: dict[str, type] = {}
"""Classes of this library that a preset may name, as far as their modules are imported.

`get`, `classes`, `admit` and `register` import all of them.
"""

_registered: dict[str, type] = {}

_CARRY_CODE = tuple(
    getattr(keras.layers, name)
    for name in ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
    if hasattr(keras.layers, name)
)
"""Layers whose configs hold or name code."""


def built_in(cls: type) -> type:
    """Decorator of the classes of this library that presets and Keras files may name."""
    BUILT_IN[cls.__name__] = cls
    return keras.saving.register_keras_serializable(package="keras_infomodels")(cls)


def register(cls: type) -> type:
    """Admits a class to presets in this process; can be used as a decorator.

    Presets may then name the class. `load_model` constructs it by `cls.from_config(config)` from
    the result of its `get_config`. Register a class before its presets are loaded.

    Args:
        cls: class. A layer, a model, or another class with `get_config` and `from_config`.

    Returns:
        The class itself.

    Raises:
        TypeError: If `cls` is not a class.
        ValueError: If another class has the name, `get_config` or `from_config` is missing, or the
            class is a layer whose config contains code, such as `Lambda`.

    Example:
        @ki.registry.register
        class Scale(keras.layers.Layer):
            def __init__(self, factor, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor

            def call(self, x):
                return self.factor * x

            def get_config(self):
                return {**super().get_config(), "factor": self.factor}
    """
    _registered.update(_checked({getattr(cls, "__name__", repr(cls)): cls}))
    return cls


def get(name: str) -> type:
    """Returns the class of a name.

    Args:
        name: str. Name of a class of this library or of a registered class.

    Raises:
        KeyError: If no class has this name.

    Example:
        ki.registry.get("MMD")
    """
    known = classes()
    if name not in known:
        raise KeyError(
            f"No class is registered as {name!r}; registry.register(cls) admits one."
            f"{names.guess(name, known)}"
        )
    return known[name]


def classes() -> dict[str, type]:
    """Returns a copy of the table: the classes of this library and the registered ones.

    Example:
        sorted(ki.registry.classes())
    """
    hooks.presets()  # imports every module with such a class
    return BUILT_IN | _registered


def admit(custom_objects: Mapping[str, type] | None) -> dict[str, type]:
    """Returns the table extended by some classes.

    Args:
        custom_objects: dict from name to class, or None. Checked like the argument of `register`.

    Raises:
        TypeError: As `register`.
        ValueError: As `register`.
    """
    # Keras' own files name a registered class as "package>name".
    more = {name.rpartition(">")[2]: cls for name, cls in (custom_objects or {}).items()}
    return classes() | _checked(more)


def _checked(more: Mapping[str, type]) -> Mapping[str, type]:
    """Returns the classes if each can be added to the table."""
    table = classes()
    for name, cls in more.items():
        if not isinstance(cls, type):
            raise TypeError(
                f"Presets hold objects of classes, and {name!r} is not a class: {cls!r}. Make a "
                "keras.layers.Layer of a function, and register that."
            )
        # A class that was defined again, as in a notebook, replaces its former self.
        known = table.get(name, cls)
        if known is not cls and (name in BUILT_IN or _path(known) != _path(cls)):
            raise ValueError(f"The name {name!r} is taken by {_path(known)}; rename {_path(cls)}.")
        if issubclass(cls, _CARRY_CODE):
            raise ValueError(
                f"{_path(cls)} cannot be registered: its config carries code. Write a subclass of "
                "keras.layers.Layer with `call` and `get_config` instead."
            )
        for method in ("get_config", "from_config"):
            if not callable(getattr(cls, method, None)):
                raise ValueError(
                    f"{_path(cls)} has no {method}(): a preset holds the JSON that get_config() "
                    "returns, and from_config(config) makes the object of it. Write both."
                )
    return more


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
