"""Arguments of a config, and those of version 0.1 that became parts of objects."""

import warnings
from collections.abc import Mapping

import keras

from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency
from keras_infomodels.training.warmup import Warmup

__all__ = ["renew", "renew_and_warn", "revive"]

_OF_CONSISTENCY = {
    "consistency_weight": "weight",
    "real_consistency_weight": "weight",
    "consistency_radius": "radius",
    "evenness_slack": "evenness_slack",
    "consistency_warmup_steps": "warmup",
}
_WARMUPS = {"warmup_steps": "warmup", "continuous_warmup_steps": "continuous_warmup"}


def renew(arguments: Mapping, moves: str = "adversarial") -> dict:
    """Arguments with those of version 0.1 as the objects that took their place.

    Args:
        arguments: dict. Of a constructor or of a config.
        moves: str. How the model of version 0.1 moved images by default.
    """
    new = dict(arguments)
    parts = {name: new.pop(old) for old, name in _OF_CONSISTENCY.items() if old in new}
    if isinstance(new.get("consistency"), str):
        parts["moves"] = new.pop("consistency")
    if parts:
        parts = {"weight": 0.0, "moves": moves, **parts}
        new["consistency"] = Consistency(**parts) if parts["weight"] else None
    if "classification_weight" in new:
        weight = new.pop("classification_weight")
        new["classification"] = Classification(weight) if weight else None
    for old, name in _WARMUPS.items():
        if old in new:
            new[name] = Warmup(new.pop(old))
    return new


def revive(config: Mapping, custom_objects: Mapping[str, type] | None = None) -> dict:
    """A config with the objects that its values describe, those in lists included."""

    def object_of(value):
        if isinstance(value, list):
            return [object_of(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

    return {name: object_of(value) for name, value in config.items()}


def renew_and_warn(cls: type, **arguments) -> dict:
    """`renew` for a constructor, which says what to write instead."""
    new = renew(arguments, cls.usual_moves)
    changed = {name: value for name, value in new.items() if value is not arguments.get(name)}
    if old := sorted((arguments.keys() - new) | (arguments.keys() & changed)):
        written = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        warnings.warn(
            f"{', '.join(old)} of {cls.__name__} goes in version 0.3; write {written}.",
            DeprecationWarning,
            stacklevel=3,
        )
    return new
