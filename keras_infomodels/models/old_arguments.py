"""Arguments and methods of version 0.1 under their names and in their objects of today."""

import warnings
from collections.abc import Mapping

import keras

from keras_infomodels.renames import warn_of
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency
from keras_infomodels.training.warmup import Warmup

__all__ = ["OLD_METHODS", "renew", "renew_and_warn", "renew_methods", "revive"]

OLD_METHODS = {
    "players": "optimizer_groups",
    "ledger_names": "term_names",
    "ledger_protocol": "describe_metrics",
    "read_out": "evaluate_information",
    "read_validation": "validation_information",
    "judges": "discriminator_networks",
    "judge": "discriminate",
    "look": "discriminate_real",
    "draw": "generate_batch",
    "judges_terms": "discriminator_terms",
    "generators_terms": "generator_terms",
    "numbers": "posterior_params",
    "categories": "categorical_codes",
    "moves_affinely": "uses_affine",
}
"""Name of today of each method and attribute of a model that was renamed."""


_OF_CONSISTENCY = {
    "consistency_weight": "weight",
    "real_consistency_weight": "weight",
    "consistency_radius": "radius",
    "evenness_slack": "balance_tolerance",
    "consistency_warmup_steps": "warmup",
}
_WARMUPS = {"warmup_steps": "warmup", "continuous_warmup_steps": "continuous_warmup"}


def renew(arguments: Mapping, augmentations: str = "adversarial") -> dict:
    """Returns arguments with those of version 0.1 replaced by the objects that hold them today.

    Args:
        arguments: dict. Arguments of a constructor, or a config.
        augmentations: str. Default augmentations of the model in version 0.1.
    """
    new = dict(arguments)
    parts = {name: new.pop(old) for old, name in _OF_CONSISTENCY.items() if old in new}
    if isinstance(new.get("consistency"), str):
        parts["augmentations"] = new.pop("consistency")
    if parts:
        parts = {"weight": 0.0, "augmentations": augmentations, **parts}
        new["consistency"] = Consistency(**parts) if parts["weight"] else None
    if "classification_weight" in new:
        weight = new.pop("classification_weight")
        new["classification"] = Classification(weight) if weight else None
    for old, name in _WARMUPS.items():
        if old in new:
            new[name] = Warmup(new.pop(old))
    return new


def revive(config: Mapping, custom_objects: Mapping[str, type] | None = None) -> dict:
    """Returns a config whose values, items of lists included, are the objects they describe."""

    def object_of(value):
        if isinstance(value, list):
            return [object_of(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

    return {name: object_of(value) for name, value in config.items()}


def renew_and_warn(cls: type, **arguments) -> dict:
    """Renews the arguments of a constructor, with a `DeprecationWarning` for old ones."""
    new = renew(arguments, cls.default_augmentations)
    changed = {name: value for name, value in new.items() if value is not arguments.get(name)}
    if old := sorted((arguments.keys() - new) | (arguments.keys() & changed)):
        written = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        warnings.warn(
            f"{', '.join(old)} of {cls.__name__} will be removed in version 0.3; write {written}.",
            DeprecationWarning,
            stacklevel=3,
        )
    return new


def renew_methods(cls: type):
    """Renames the methods that a user's class overrides by old names, with a warning.

    Args:
        cls: class. Changed in place.
    """
    for old, new in OLD_METHODS.items():
        if old in vars(cls) and hasattr(cls, new):
            warn_of(old, cls.__name__, new, stacklevel=4)
            setattr(cls, new, vars(cls)[old])
