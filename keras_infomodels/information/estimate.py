"""Result type of every estimator and bound."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import entropy

from keras_infomodels import html

__all__ = [
    "KINDS",
    "Estimate",
    "category_information",
    "discrete_entropy",
    "error_of_mean",
    "mean_estimate",
    "mean_of_orders",
]

KINDS = ("exact", "lower bound", "upper bound", "estimate")


@dataclass(frozen=True)
class Estimate:
    """Value of an information quantity in nats, with its standard error, kind and ceiling.

    Attributes:
        nats: float. Value in nats. It is not clipped at 0. A negative estimate of a quantity that
            cannot be negative means that the estimator failed or that the truth is near 0.
        standard_error: float. Standard error of the value in nats; 0 for an exact value.
        kind: str. "exact", "lower bound", "upper bound" or "estimate".
        ceiling: float. Largest value that the method can return, in nats; infinity for none.
        method: str. Name of the estimator that was chosen, if the caller did not choose one.
        note: str. Warning about the value; empty for none.
        history: dict from str to list. Metrics of each epoch, for an estimator that was trained.
        checks: dict from str to `Estimate`. Other estimates for comparison. "shuffled" is the mean
            result of the same estimator on shuffled pairs, for which the truth is 0; its standard
            error is the spread over the shuffles.
        interval: (float, float or None). 95 % interval in nats. The lower end comes from a bound on
            held-out rows. The upper end is `None` if it is unknown. The interval contains the
            value: an end on the wrong side of it is moved to it.
        assumption: str. Assumption that the upper end of the interval depends on.

    Example:
        estimate = ki.information.Estimate(0.42, standard_error=0.01, kind="lower bound")
        print(estimate)  # 0.420 ± 0.010 nats (lower bound)
        estimate.bits()  # 0.606
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
        for name in ("nats", "standard_error"):
            if isinstance(value := getattr(self, name), np.floating):
                object.__setattr__(self, name, float(value))
        if self.interval is not None:
            lower, upper = self.interval
            lower = min(float(lower), float(self.nats))
            upper = None if upper is None else max(float(upper), float(self.nats))
            object.__setattr__(self, "interval", (lower, upper))

    def bits(self) -> float:
        """Converts the value to bits."""
        return self.nats / math.log(2)

    def near_ceiling(self, margin: float = 0.1) -> bool:
        """Returns `True` if the value is within `margin` nats of the ceiling.

        The true value may then be larger than the ceiling.

        Args:
            margin: float. Distance from the ceiling, in nats.
        """
        return self.nats > self.ceiling - margin

    def is_nothing(self) -> bool:
        """Returns `True` if the value cannot be distinguished from that of independent variables.

        This is so if the value is at most two standard errors above the estimate on shuffled pairs,
        and the interval, if there is one, does not lie above 0. The error is that of the difference
        between the two estimates. The result is `False` if `checks` has no estimate "shuffled".
        """
        if self.interval is not None and self.interval[0] > 0:
            return False
        shuffled = self.checks.get("shuffled")
        if shuffled is None:
            return False
        spread = math.hypot(shuffled.standard_error, self.standard_error)
        return self.nats <= max(shuffled.nats, 0.0) + 2 * spread

    def doubt(self) -> str:
        """Returns the words that a printed result adds if `is_nothing()`; otherwise "".

        They are "not distinguishable from 0" if the value is at most two of its own standard errors
        above 0. Otherwise they are "not distinguishable from shuffled pairs": the estimator returns
        such values for independent variables too.
        """
        if not self.is_nothing():
            return ""
        near = self.nats <= 2 * self.standard_error
        return f"not distinguishable from {'0' if near else 'shuffled pairs'}"

    def as_dict(self) -> dict:
        """Returns the fields except `history` as JSON values.

        Numbers that are not finite become None.
        """
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

    def _repr_html_(self) -> str:
        ceiling = "-" if math.isinf(self.ceiling) else f"{self.ceiling:.3f}"
        kind = ", ".join(filter(None, (self.kind, self.doubt())))
        cells = {
            "nats": f"{self.nats:.3f}",
            "±": f"{self.standard_error:.3f}",
            "ceiling": ceiling,
            "kind": kind,
            "estimator": self.method,
        }
        shown = {name: text for name, text in cells.items() if text}
        return html.table(list(shown), [shown.values()], notes=self.note)

    def __str__(self) -> str:
        ceiling = "" if math.isinf(self.ceiling) else f", ceiling {self.ceiling:.3f}"
        doubt = f", {words}" if (words := self.doubt()) else ""
        return f"{self.nats:.3f} ± {self.standard_error:.3f} nats ({self.kind}{ceiling}{doubt})"


def discrete_entropy(values: np.ndarray) -> Estimate:
    """Computes the entropy of the observed frequencies of rows.

    For the outputs of a deterministic encoder, this is the information that they have about which
    of N examples was encoded.

    Args:
        values: array (N, d). Equal rows are the same value.

    Returns:
        `Estimate` in nats, of the kind "exact". It equals its ceiling ln N if all rows differ.

    Example:
        codes = np.array([[0], [0], [1], [1]])
        ki.information.discrete_entropy(codes).nats  # 0.693, ln 2
    """
    _, counts = np.unique(values, axis=0, return_counts=True)
    p = counts / counts.sum()
    return Estimate(float(-np.sum(p * np.log(p))), 0.0, "exact", math.log(len(values)))


def category_information(probabilities: np.ndarray) -> Estimate:
    """Computes the information that a category has about which of N examples was classified.

        I(x; category) = H(mean q) - mean H(q)

    q is q(category|x), the probabilities of K categories for an example x. H is the entropy, and
    both means are over the examples.

    Args:
        probabilities: array (N, K). q(category|x) of each example; each row sums to 1.

    Returns:
        `Estimate` in nats, of the kind "exact". Its ceiling is ln min(N, K).

    Example:
        ki.information.category_information(np.eye(10)).nats  # 2.303, ln 10
    """
    p = np.asarray(probabilities, np.float64)
    information = entropy(p.mean(axis=0)) - entropy(p, axis=1).mean()
    return Estimate(float(information), 0.0, "exact", math.log(min(p.shape)))


def mean_estimate(terms: np.ndarray, kind: str = "estimate", ceiling: float = math.inf) -> Estimate:
    """Creates an `Estimate` from independent terms: their mean and its standard error.

    Args:
        terms: array (n,). Terms in nats. The standard error is NaN for n = 1.
        kind: str. Kind of the estimate: "estimate", "lower bound" or "upper bound".
        ceiling: float. Largest possible value in nats. Infinity means none.

    Example:
        ki.information.mean_estimate(np.array([0.9, 1.0, 1.1]))
    """
    error = error_of_mean(terms)
    return Estimate(float(np.mean(terms)), error, kind, ceiling)


def mean_of_orders(estimates: Sequence[Estimate]) -> Estimate:
    """Returns the mean of estimates from the same rows in several random orders of equal numbers.

    Its standard error combines that of the first estimate and that of the mean over orders.

    Args:
        estimates: sequence of `Estimate`, in nats.
    """
    first = estimates[0]
    if len(estimates) == 1:
        return first
    nats = np.array([estimate.nats for estimate in estimates])
    error = math.hypot(first.standard_error, error_of_mean(nats))
    return replace(first, nats=float(nats.mean()), standard_error=error)


def error_of_mean(terms: np.ndarray) -> float:
    """Computes the standard error of the mean of independent terms (n,); NaN for n = 1."""
    return float(np.std(terms, ddof=1) / math.sqrt(len(terms))) if len(terms) > 1 else math.nan
