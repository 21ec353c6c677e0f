"""Base class of small configurable objects, and checks of numbers."""

import math
import operator

__all__ = ["Spec", "check_int", "check_nonnegative"]


class Spec:
    """Base class of objects that are described by the arguments of their constructor."""

    def get_config(self) -> dict:
        """Returns the constructor's arguments as JSON values."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict) -> "Spec":
        """Creates an object from the result of `get_config`, of this or an earlier version."""
        return cls(**cls.renew_config(config))

    @classmethod
    def renew_config(cls, config: dict) -> dict:
        """Returns a config in which arguments of earlier versions are replaced by current ones."""
        return config

    def __repr__(self) -> str:
        try:
            config = self.get_config()
        except ValueError:  # holds what cannot be saved
            return super().__repr__()
        arguments = ", ".join(f"{key}={value!r}" for key, value in config.items())
        return f"{type(self).__name__}({arguments})"


def check_int(name: str, value, least: int) -> int:
    """Returns `value` as an int.

    Args:
        name: str. Name of the argument in the error message.
        value: int, or float without a fraction.
        least: int. Smallest value that is allowed.

    Raises:
        ValueError: If the value is not a whole number, or is below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = int(value) if isinstance(value, float) and value.is_integer() else None
    if number is None or number < least:
        raise ValueError(f"{name} is an integer of at least {least}, got {value!r}.")
    return number


def check_nonnegative(name: str, value: float):
    """Raises ValueError unless `value` is a finite number of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is a finite number of at least 0, got {value!r}.")
