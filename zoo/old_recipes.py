"""Recipes of version 0.1: one flat table, including settings that the model does not have."""

from collections.abc import Mapping

__all__ = ["is_flat", "settings_of"]

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
    """Returns whether the contents of a file are those of a recipe of version 0.1."""
    return isinstance(values.get("model"), str) or "dataset" in values


def settings_of(values: Mapping, model: type) -> dict:
    """Returns the settings of a flat recipe by short names, as far as the model has them.

    Args:
        values: dict. Contents of the file.
        model: class of the model.
    """
    known = {*model.short_settings}
    if "discriminator_optimizer" in model.training_defaults:
        known |= {"discriminator_learning_rate"}
    if "prior" in known and values.get("prior") != "categorical_normal":
        known -= {"categories"}
    known |= {"labeled_per_batch", "starts", "start_epochs"}
    settings = {k: v for k, v in values.items() if k in known or k not in _ALWAYS}
    settings.pop("model", None)
    for name in ("warmup_epochs", "consistency_warmup_epochs", "continuous_warmup_epochs"):
        if settings.get(name) == 0:
            del settings[name]
    return settings
