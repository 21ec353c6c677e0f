"""What quantization costs a model, in its own terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["LIMITS", "Ask", "Cost", "changed"]

LIMITS = {"reconstruction": 2.0, "category_error": 1.0, "image_change": 2.0}
"""What a quantized file may cost: percent of the reconstruction, points of error of a category,
mean change of generated pixels in percent of their range."""

Ask = Callable[[str, dict], dict]
"""(signature, arrays) -> arrays."""


@dataclass(frozen=True)
class Cost:
    """A figure of the Keras model and of the file.

    Attributes:
        name: "reconstruction", "rate", "information_<code>" (nats per example);
            "category_error_<code>" (percent of generated images whose category is inferred
            wrongly);
            "changed_<code>" (percent of real images whose category, or class, is another than
            Keras');
            "image_change" (percent).
        keras, file: the figure of each.
        limit: what the difference may be at most, in the figure's unit; None where there is none.
    """

    name: str
    keras: float
    file: float
    limit: float | None = None

    @property
    def failure(self) -> str:
        """A sentence if the cost is beyond its limit, else empty."""
        if self.limit is None or self.file - self.keras <= self.limit:
            return ""
        return (
            f"The {self.name} goes from {self.keras:.4g} to {self.file:.4g}, and {self.limit:.3g} "
            "more is allowed."
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
    """Percent of images whose likeliest category differs between two outputs of logits `key`."""
    differs = own[key].argmax(axis=1) != other[key].argmax(axis=1)
    return Cost(f"changed_{name}", 0.0, 100 * float(differs.mean()), limit)
