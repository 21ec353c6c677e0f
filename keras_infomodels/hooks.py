"""Upper layers that models call: the package connects them, so that imports point downwards.

`Class.from_preset`, `save_to_preset` and `Class.presets` of a model need `presets` and `zoo`, which
are made of models; `presets` and `export` need the zoo's `locate`. Neither layer is loaded before
it is asked for.
"""

from collections.abc import Callable
from types import ModuleType

__all__ = ["ClassPresets", "connect", "presets", "zoo"]

_LOADERS: dict[str, Callable[[], ModuleType]] = {}


def connect(**loaders: Callable[[], ModuleType]):
    """Sets the functions that load `presets` and `zoo`."""
    _LOADERS.update(loaders)


def presets() -> ModuleType:
    """Returns the module `keras_infomodels.presets`, which reads and writes preset folders."""
    return _LOADERS["presets"]()


def zoo() -> ModuleType:
    """Returns the module `keras_infomodels.zoo`, which finds the folder of a preset's name."""
    return _LOADERS["zoo"]()


class ClassPresets:
    """Attribute `presets` of a class: names and descriptions of the presets it can load."""

    def __get__(self, model, cls) -> dict[str, str]:
        return zoo().list_own_presets([known.__name__ for known in _with_subclasses(cls)])


def _with_subclasses(cls: type) -> list[type]:
    return [cls, *(each for child in cls.__subclasses__() for each in _with_subclasses(child))]
