"""Old names of arguments, attributes and methods, which work until version 0.3."""

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping

__all__ = ["old_attribute", "rename", "takes_old_arguments", "warn_of"]


def warn_of(old: str, owner: str, new: str, stacklevel: int = 3):
    """Gives a `DeprecationWarning` for an old name.

    Args:
        old: str. Old name.
        owner: str. Name of the class that has it.
        new: str. Current name to use instead.
        stacklevel: int. Argument of `warnings.warn`. 3 is the caller of the caller.
    """
    message = f"{old} of {owner} will be removed in version 0.3; write {new}."
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)


def rename(**names: str) -> Callable[[Mapping], dict]:
    """Returns a function that replaces old keys of a dict by new ones.

    Args:
        **names: new name of each old one.
    """

    def renew(arguments: Mapping) -> dict:
        return {names.get(name, name): value for name, value in arguments.items()}

    return renew


def takes_old_arguments(renew: Callable[[Mapping], dict]) -> Callable[[type], type]:
    """Class decorator with which a constructor also takes old arguments, with a warning.

    `from_config` and presets call the class's `renew_config` first, so that configs of earlier
    versions load without a warning.

    Args:
        renew: function from old arguments to current ones. It returns current arguments unchanged.
    """

    def decorate(cls: type) -> type:
        construct = cls.__init__
        names = list(inspect.signature(construct).parameters)[1:]

        @functools.wraps(construct)
        def __init__(self, *args, **kwargs):
            given = dict(zip(names, args, strict=False)) | kwargs
            new = renew(given)
            if old := sorted(given.keys() - new):
                changed = {k: v for k, v in new.items() if k not in given or given[k] is not v}
                written = ", ".join(f"{name}={value!r}" for name, value in changed.items())
                warn_of(", ".join(old), cls.__name__, written)
                args, kwargs = (), new
            construct(self, *args, **kwargs)

        # Keras compares `inspect.signature` with `getfullargspec`, which ignores `__wrapped__`.
        __init__.__signature__ = inspect.signature(construct)
        cls.__init__ = __init__
        cls.renew_config = staticmethod(renew)
        return cls

    return decorate


def old_attribute(old: str, new: str) -> property:
    """Returns a property that reads an attribute or method by its old name, with a warning.

    Args:
        old: str. Old name.
        new: str. Current name.
    """

    def read(self):
        warn_of(old, type(self).__name__, new)
        return getattr(self, new)

    return property(read)
