"""The base of the small objects that a model's config holds, and checks of their numbers."""

import math
import operator

__all__ = ["Spec", "check_not_negative", "whole"]


class Spec:
    """An object that its constructor's arguments describe: `get_config` returns them as JSON."""

    def get_config(self) -> dict:
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict) -> "Spec":
        return cls(**config)

    def __repr__(self) -> str:
        try:
            config = self.get_config()
        except ValueError:  # holds what cannot be saved
            return super().__repr__()
        arguments = ", ".join(f"{key}={value!r}" for key, value in config.items())
        return f"{type(self).__name__}({arguments})"


def whole(name: str, value, least: int) -> int:
    """`value` as an int, where it is one.

    Raises:
        ValueError: a fraction, no number, or one below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = int(value) if isinstance(value, float) and value.is_integer() else None
    if number is None or number < least:
        raise ValueError(f"{name} is an integer of at least {least}, got {value!r}.")
    return number


def check_not_negative(name: str, value: float):
    """Refuses what is no finite number of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is a finite number of at least 0, got {value!r}.")
