"""The `[model]` table of a recipe for a classifier: short names and defaults."""

from collections.abc import Mapping

from keras_infomodels.models import tables
from keras_infomodels.models.tables import Short, filled

__all__ = ["SHORT", "complete", "shorten"]

_PLACES = {"num_categories": "network.classes", "augment": "augment"}
SHORT = (*_PLACES, "network", "widths")
"""Short names of settings."""


def shorten(table: dict, short: Short) -> Short:
    """Puts values of short names into a table, and returns the others.

    Args:
        table: dict. Changed in place.
        short: dict. Values by short names.

    Raises:
        ValueError: If the network is of another kind.
    """
    if short.get("network") not in (None, "conv"):
        raise ValueError(f'A classifier has network = "conv", got {short["network"]!r}.')
    if (widths := short.get("widths")) is not None:
        table["network"] = filled(table, "network", {})
        tables.set_widths(table["network"], widths, True)
    rest = tables.shorten(table, short, _PLACES)
    return {name: value for name, value in rest.items() if name not in ("network", "widths")}


def complete(table: Mapping, image_shape: tuple[int, ...]) -> dict:
    """Returns the table with a network that fits the images."""
    network = filled(table, "network", {"class": "ConvClassifier"})
    if network["class"] == "ConvClassifier":
        network = {"image_shape": list(image_shape), "classes": 10, **network}
    return {**table, "network": network}
