"""The `[model]` table of a recipe: what all models share.

A table holds arguments of a class, and for an object among them a table with its `class`. It leaves
out what follows from the rest or has a default. Short names are those of the command's flags.
"""

import difflib
from collections.abc import Iterable, Mapping

__all__ = [
    "OF_A_CATEGORY",
    "Short",
    "add_terms",
    "filled",
    "nearest",
    "put",
    "set_widths",
    "shorten",
]

Short = dict[str, object]
"""Values by their short names."""


OF_A_CATEGORY = {
    "classification_weight": "classification.weight",
    "consistency_weight": "consistency.weight",
    "consistency": "consistency.augmentations",
    "consistency_radius": "consistency.radius",
    "consistency_warmup_epochs": "consistency.warmup.epochs",
    "balance_tolerance": "consistency.balance_tolerance",
}
"""Places of the short names that models with a category share."""


def shorten(table: dict, short: Short, places: Mapping[str, str]) -> Short:
    """Puts values of short names into their places in a table.

    Args:
        table: dict. Changed in place; a value of None takes its setting away.
        short: dict. Values by short names.
        places: dict. Short name -> place, such as "encoder.latent_dim".

    Returns:
        The values whose names have no place.
    """
    for name, place in places.items():
        if name in short:
            put(table, place, short[name])
    return {name: value for name, value in short.items() if name not in places}


def put(table: dict, place: str, value):
    """Sets a value at a place such as "encoder.latent_dim"; None takes it away."""
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
    """A copy of the table at a name, with defaults for what it lacks.

    Raises:
        ValueError: something else is there.
    """
    given = table.get(name, {})
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is a table with a class and its arguments, got {given!r}.")
    return {**defaults, **given}


def add_terms(table: Mapping, moves: str) -> dict:
    """A completed table whose terms of a category have their classes.

    Args:
        table: dict. With `consistency` and `classification`, or without.
        moves: str. How `consistency` moves images by default.
    """
    usual = {"consistency": {"augmentations": moves}, "classification": {}}
    return dict(table) | {
        name: filled(table, name, {"class": name.capitalize(), **defaults})
        for name, defaults in usual.items()
        if name in table
    }


def set_widths(network: dict, widths: Iterable[int], convolutional: bool):
    """Widths of hidden layers: of a convolutional network the filters and, last, a dense layer.

    Raises:
        ValueError: a convolutional network without filters.
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


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error: the known name that is meant, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, 1, 0.7)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}."
