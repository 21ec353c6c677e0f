"""The answer that every estimator and bound gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import entropy

__all__ = ["KINDS", "Estimate", "category_information", "discrete_entropy", "mean_estimate"]

KINDS = ("exact", "lower bound", "upper bound", "estimate")


@dataclass(frozen=True)
class Estimate:
    """An information quantity with what is known about it.

    Attributes:
        nats: the value, unclamped: a negative estimate of a non-negative quantity is a finding.
        standard_error: of the value in nats, 0 for an exact one.
        kind: "exact", "lower bound", "upper bound" or "estimate".
        ceiling: the largest value that the method can return, in nats; infinity for none.
        method: what was computed, where the caller left the choice open.
        note: what a reader must know to use the value; empty for nothing.
        history: one list a quantity, an entry an epoch, of an estimator that was trained.
        checks: other answers that this one was compared with, by name. "shuffled" is the same
            estimator's on pairs that were shuffled: its error is their spread.
        interval: a lower and an upper end of nominally 95 %. The lower end is of a bound that was
            read from rows which it had not seen; the upper end is None where nothing is known.
        assumption: what the upper end rests on.
    """

    nats: float
    standard_error: float = 0.0
    kind: str = "estimate"
    ceiling: float = math.inf
    method: str = ""
    note: str = ""
    history: Mapping[str, Sequence[float]] = field(default_factory=dict, compare=False, repr=False)
    checks: Mapping[str, "Estimate"] = field(default_factory=dict, compare=False, repr=False)
    interval: tuple[float, float | None] | None = None
    assumption: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}; got {self.kind!r}.")

    def bits(self) -> float:
        """The value in bits."""
        return self.nats / math.log(2)

    def near_ceiling(self, margin: float = 0.1) -> bool:
        """Whether the value is within `margin` nats of the ceiling: the truth may lie above."""
        return self.nats > self.ceiling - margin

    def is_nothing(self) -> bool:
        """Whether the same estimator says as much of shuffled pairs: within two of their spreads.

        False where nothing was shuffled.
        """
        shuffled = self.checks.get("shuffled")
        if shuffled is None:
            return False
        spread = math.hypot(shuffled.standard_error, self.standard_error)
        return self.nats <= max(shuffled.nats, 0.0) + 2 * spread

    def as_dict(self) -> dict:
        """The parts that JSON can hold, without the history; None stands for what is not finite."""
        numbers = {
            name: value if math.isfinite(value := getattr(self, name)) else None
            for name in ("nats", "standard_error", "ceiling")
        }
        result = numbers | {"kind": self.kind, "method": self.method, "note": self.note}
        if self.interval is not None:
            result |= {"interval": list(self.interval), "assumption": self.assumption}
        if self.checks:
            result["checks"] = {name: check.as_dict() for name, check in self.checks.items()}
        return result

    def __str__(self) -> str:
        ceiling = "" if math.isinf(self.ceiling) else f", ceiling {self.ceiling:.3f}"
        nothing = ", not distinguishable from 0" if self.is_nothing() else ""
        return f"{self.nats:.3f} ± {self.standard_error:.3f} nats ({self.kind}{ceiling}{nothing})"


def discrete_entropy(values: np.ndarray) -> Estimate:
    """H of the empirical distribution of rows: what a deterministic code tells about N examples.

    Args:
        values: shape (N, d); equal rows are one value.

    Returns:
        Exact, in nats; ln N, its ceiling, where all rows differ.
    """
    _, counts = np.unique(values, axis=0, return_counts=True)
    p = counts / counts.sum()
    return Estimate(float(-np.sum(p * np.log(p))), 0.0, "exact", math.log(len(values)))


def category_information(probabilities: np.ndarray) -> Estimate:
    """I(x;category) = H(mean q) - mean H(q), for x one of N examples.

    Args:
        probabilities: q(category|x), shape (N, K), rows that sum to 1.

    Returns:
        Exact for the N examples, in nats; its ceiling is ln K, or ln N where that is smaller.
    """
    p = np.asarray(probabilities, np.float64)
    information = entropy(p.mean(axis=0)) - entropy(p, axis=1).mean()
    return Estimate(float(information), 0.0, "exact", math.log(min(p.shape)))


def mean_estimate(terms: np.ndarray, kind: str = "estimate", ceiling: float = math.inf) -> Estimate:
    """The mean of independent terms, shape (n,), with its standard error (NaN for n = 1)."""
    error = float(np.std(terms, ddof=1) / math.sqrt(len(terms))) if len(terms) > 1 else math.nan
    return Estimate(float(np.mean(terms)), error, kind, ceiling)
