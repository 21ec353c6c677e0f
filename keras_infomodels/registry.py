"""Table of the classes that presets may use; no other class is constructed from a preset.

The table contains the classes of this library and those that you add by `register`.
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
    """Class decorator for classes of this library that presets and Keras files may use."""
    BUILT_IN[cls.__name__] = cls
    return keras.saving.register_keras_serializable(package="keras_infomodels")(cls)


def register(cls: type) -> type:
    """Allows presets to use a class of your own, in this process.

    The function can be used as a class decorator. `load_model` constructs an object by
    `cls.from_config(config)`, from the saved result of its `get_config`. Register a class before
    you save or load presets that use it.

    Args:
        cls: class. Layer, model, or another class with `get_config` and `from_config`.

    Returns:
        The class itself.

    Raises:
        TypeError: If `cls` is not a class.
        ValueError: If another class has the same name, `get_config` or `from_config` is missing, or
            the class is a layer whose config contains code, such as `Lambda`.

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
    """Returns the registered class of a name.

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
    """Returns all classes that presets may use, by name.

    The result is a copy.

    Example:
        sorted(ki.registry.classes())
    """
    hooks.presets()  # imports every module with such a class
    return BUILT_IN | _registered


def admit(custom_objects: Mapping[str, type] | None) -> dict[str, type]:
    """Returns the classes that presets may use, and additional ones, by name.

    Args:
        custom_objects: dict from str to class, or None. Additional classes, which are checked as in
            `register`.

    Raises:
        TypeError: If an object is not a class.
        ValueError: If a class is not allowed, see `register`.
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
