"""The `[model]` table of a recipe: functions that all models share.

A table holds arguments of a class, and a table with a `class` for each object among them. Arguments
that have a default, or follow from the others, may be left out. Short names are those of the
command's flags.
"""

from collections.abc import Iterable, Mapping

__all__ = [
    "OF_A_CATEGORY",
    "SMALL",
    "Short",
    "add_terms",
    "filled",
    "is_small_gray",
    "put",
    "set_widths",
    "shorten",
]

Short = dict[str, object]
"""Values by their short names."""


SMALL = 32
"""Largest height and width of gray images that get the settings of MNIST."""

OF_A_CATEGORY = {
    "classification_weight": "classification.weight",
    "consistency_weight": "consistency.weight",
    "consistency": "consistency.augmentations",
    "consistency_radius": "consistency.radius",
    "consistency_warmup_epochs": "consistency.warmup.epochs",
    "balance_tolerance": "consistency.balance_tolerance",
}
"""Places of the short names that models with a category share."""


def is_small_gray(image_shape: tuple[int, ...]) -> bool:
    """Returns `True` for images like MNIST's, for which the default settings were measured.

    Args:
        image_shape: (height, width, channels). Shape of an image.
    """
    return max(image_shape[:2]) <= SMALL and image_shape[-1] == 1


def shorten(table: dict, short: Short, places: Mapping[str, str]) -> Short:
    """Puts values of short names into their places in a table.

    Args:
        table: dict. Changed in place. A value of None removes its setting.
        short: dict. Values by short names.
        places: dict. Place of each short name, such as "encoder.latent_dim".

    Returns:
        The values whose names have no place.
    """
    for name, place in places.items():
        if name in short:
            put(table, place, short[name])
    return {name: value for name, value in short.items() if name not in places}


def put(table: dict, place: str, value):
    """Sets a value at a place such as "encoder.latent_dim"; None removes it."""
    first, dot, rest = place.partition(".")
    if dot:
        inner = table.get(first)
        inner = dict(inner) if isinstance(inner, Mapping) else {}
        put(inner, rest, value)
        value = inner or None
    if value is None:
        table.pop(first, None)
    else:
        table[first] = value


def filled(table: Mapping, name: str, defaults: Mapping) -> dict:
    """Returns a copy of the inner table at a name, with defaults for missing settings.

    Args:
        table: dict. Outer table.
        name: str. Key of the inner table; it may be missing.
        defaults: dict. Settings by name.

    Raises:
        ValueError: If the value is not a table.
    """
    given = table.get(name, {})
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is a table with a class and its arguments, got {given!r}.")
    return {**defaults, **given}


def add_terms(table: Mapping, augmentations: str) -> dict:
    """Returns a completed table in which `consistency` and `classification` have their classes.

    Args:
        table: dict. Table with or without these two.
        augmentations: str. Default augmentations of `consistency`.
    """
    usual = {"consistency": {"augmentations": augmentations}, "classification": {}}
    return dict(table) | {
        name: filled(table, name, {"class": name.capitalize(), **defaults})
        for name, defaults in usual.items()
        if name in table
    }


def set_widths(network: dict, widths: Iterable[int], convolutional: bool):
    """Sets the widths of hidden layers in the table of a network.

    Args:
        network: dict. Changed in place.
        widths: sequence of int. Units of each layer. In a convolutional network the filters, and
            last the units of the dense layer.
        convolutional: bool. Kind of the network.

    Raises:
        ValueError: If a convolutional network gets no filters.
    """
    for name in ("widths", "filters", "width"):
        network.pop(name, None)
    if not convolutional:
        network["widths"] = list(widths)
        return
    *filters, width = widths
    if not filters:
        raise ValueError(
            "The widths of convolutions are filters and, last, the dense layer, such as "
            f"[16, 32, 64, 128]; got {list(widths)}."
        )
    network |= {"filters": filters, "width": width}
