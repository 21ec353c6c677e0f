"""Costs of quantization, in the model's own terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["LIMITS", "Ask", "Cost", "changed"]

LIMITS = {"reconstruction": 2.0, "category_error": 1.0, "image_change": 2.0}
"""Largest costs of a quantized file: percent of the reconstruction, percentage points of a
category's error, and mean change of generated pixels in percent of their range."""

Ask = Callable[[str, dict], dict]
"""Function from the name of a signature and its input arrays to the output arrays."""


@dataclass(frozen=True)
class Cost:
    """One figure, measured with the Keras model and with an exported file.

    Attributes:
        name: str. "reconstruction", "rate" or "information_<code>", in nats per example;
            "category_error_<code>", the percentage of generated images with a wrongly inferred
            category; "changed_<code>", the percentage of real images whose category or class
            differs from the Keras model's; "image_change", in percent.
        keras: float. Figure of the Keras model.
        file: float. Figure of the file.
        limit: float. Largest allowed difference, in the figure's unit. `None` means no limit.
    """

    name: str
    keras: float
    file: float
    limit: float | None = None

    @property
    def failure(self) -> str:
        """Error message if the difference exceeds its limit, else an empty text."""
        if self.limit is None or self.file - self.keras <= self.limit:
            return ""
        return (
            f"The {self.name} changes from {self.keras:.4g} to {self.file:.4g}; an increase by "
            f"{self.limit:.3g} is allowed."
        )

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"+{self.limit:.3g}"
        return f"{self.name:28} {self.keras:10.4f} {self.file:10.4f} {limit:>10}"


def changed(
    name: str,
    own: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    key: str,
    limit: float | None = None,
) -> Cost:
    """Measures the percentage of images whose most likely category differs between two outputs.

    Args:
        name: str. Name of the category.
        own: dict of arrays. Outputs of the Keras model.
        other: dict of arrays. Outputs of the file.
        key: str. Name of the logits or probabilities (n, K) in both.
        limit: float. Largest allowed percentage. `None` means no limit.
    """
    differs = own[key].argmax(axis=1) != other[key].argmax(axis=1)
    return Cost(f"changed_{name}", 0.0, 100 * float(differs.mean()), limit)
