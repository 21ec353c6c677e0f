"""Recipes of version 0.1: one flat table, including settings that the model does not have."""

import warnings
from collections.abc import Mapping

__all__ = ["is_flat", "renew_settings", "settings_of"]

_RENAMED = {"categories": "num_categories", "evenness_slack": "balance_tolerance"}

_ALWAYS = {
    "activation",
    "categories",
    "consistency_warmup_epochs",
    "continuous_warmup_epochs",
    "deterministic",
    "discriminator_learning_rate",
    "discriminator_widths",
    "labeled_per_batch",
    "latent_dim",
    "likelihood",
    "min_stddev",
    "network",
    "noise_dim",
    "normalization",
    "prior",
    "start_epochs",
    "starts",
    "warmup_epochs",
    "widths",
}
"""Settings that every file lists, for any model."""


def is_flat(values: Mapping) -> bool:
    """Returns `True` if the contents of a file are a recipe of version 0.1."""
    return isinstance(values.get("model"), str) or "dataset" in values


def settings_of(values: Mapping, model: type) -> dict:
    """Returns those settings of a flat recipe that the model has, by short names.

    Args:
        values: dict. Contents of the file.
        model: class of the model.
    """
    known = {*model.short_settings}
    if "discriminator_optimizer" in model.training_defaults:
        known |= {"discriminator_learning_rate"}
    if "prior" in known and values.get("prior") != "categorical_normal":
        known -= {"num_categories"}
    known |= {"labeled_per_batch", "starts", "start_epochs"}
    settings = {k: v for k, v in values.items() if _RENAMED.get(k, k) in known or k not in _ALWAYS}
    settings.pop("model", None)
    for name in ("warmup_epochs", "consistency_warmup_epochs", "continuous_warmup_epochs"):
        if settings.get(name) == 0:
            del settings[name]
    if values.get("prior") == "categorical_normal" and "latent_dim" in settings:
        settings["continuous_dim"] = settings.pop("latent_dim")
    return {_RENAMED.get(name, name): value for name, value in settings.items()}


def renew_settings(settings: Mapping) -> dict:
    """Replaces old short names by current ones, with a `DeprecationWarning`.

    If the old `categories` is given, `latent_dim` is the number of continuous latent variables
    only.

    Args:
        settings: dict. Values by short names.
    """
    if not (old := settings.keys() & _RENAMED):
        return dict(settings)
    new = {_RENAMED.get(name, name): value for name, value in settings.items()}
    if "categories" in old and "latent_dim" in new:
        new["continuous_dim"] = new.pop("latent_dim")
    written = ", ".join(f"{name}={value!r}" for name, value in new.items() if name not in settings)
    warnings.warn(
        f"{', '.join(sorted(old))} of a recipe will be removed in version 0.3; write {written}.",
        DeprecationWarning,
        stacklevel=4,
    )
    return new
