"""One interface to the estimators of I(X;Y) from samples."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from keras_infomodels.information.copula import (
    canonical_correlations,
    copula_information,
    gaussian_information,
    normal_scores,
)
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.read_out import READ_OUTS

__all__ = ["ESTIMATORS", "Columns", "MutualInformation", "prepare_columns"]

NEURAL = tuple(READ_OUTS)
ESTIMATORS = ("auto", "ksg", "mixed", "gaussian", "copula", *NEURAL)

FEW_ROWS = 500
"""Below it "auto" trains no critic."""


@dataclass(frozen=True)
class Columns:
    """One side of the pairs, ready for an estimator.

    Attributes:
        values: the columns of many different numbers, (n, d).
        labels: the others as integers from 0, (n, k).
        tied: whether `values` repeat within a column.
    """

    values: np.ndarray
    labels: np.ndarray
    tied: bool

    @property
    def width(self) -> int:
        return self.values.shape[1] + self.labels.shape[1]

    def numbers(self, scaled: np.ndarray, distance: float) -> np.ndarray:
        """Continuous columns as given, and categories as one of K times a distance."""
        kinds = [np.eye(c.max() + 1)[c] * distance for c in self.labels.T]
        return np.hstack([scaled, *kinds])


class MutualInformation:
    """I(X;Y) of paired samples, in nats.

        "ksg"        nearest neighbors; continuous, few dimensions (it warns above five)
        "mixed"      nearest neighbors for discrete, continuous and mixed columns; between discrete
                     variables alone the plug-in with Miller and Madow's correction
        "gaussian"   canonical correlations: right for jointly Gaussian data
        "copula"     the same of ranks: right for Gaussian data up to monotone maps of columns
        "info_nce", "nwj", "tuba", "donsker_varadhan", "mine", "interpolated"
                     lower bounds with a trained critic, read from held-out pairs
        "jensen_shannon"  a critic trained by its bound, read out as `nwj`: a lower bound
        "smile"      the same critic, read out as `smile`: an estimate
        "auto"       see below

    A column is continuous where it holds more different numbers than the square root of the rows;
    others, and what is no number, are labels.

    "auto" goes by the data: with labels, or numbers that repeat, it is "mixed", but from six
    columns on a critic; up to three columns in all go to "ksg"; fewer than 500 rows, or fewer than
    ten for each column, to "copula"; anything else trains a critic by InfoNCE above the
    Gaussian-copula log ratio. If on pairs that it has not seen that raises the bound by less than
    two standard errors, the answer is "copula", then the more accurate; else "info_nce".

    All estimators see the ranks of continuous columns as normal scores, except "gaussian": monotone
    maps of single columns change nothing. Constant columns carry nothing and are left out. Where a
    continuous column, or a linear function of columns, of x repeats one of y the information is
    infinite, and so is the answer, with a note.

    Args:
        estimator: a name above.
        neighbors: of "ksg" and "mixed".
        seed: of splits, weights and orders.
        **settings: of `NeuralSettings`.

    Example:
        `MutualInformation("ksg").fit(x, y)` prints as 0.418 ± 0.010 nats (estimate).
    """

    def __init__(self, estimator: str = "auto", neighbors: int = 3, seed: int = 0, **settings):
        if estimator not in ESTIMATORS:
            raise ValueError(f"The estimators are {', '.join(ESTIMATORS)}; got {estimator!r}.")
        self.estimator = estimator
        self.neighbors = neighbors
        self.seed = seed
        self.settings = settings

    def fit(self, x, y=None) -> Estimate:
        """Estimates I(X;Y).

        Args:
            x: (n,) or (n, d_x), numbers or labels of any kind; or {name: column (n,)}; or, for a
                neural estimator, a function from (n, NumPy generator) to n new pairs (x, y), for
                training on fresh draws.
            y: (n,) or (n, d_y); None beside a function.

        Returns:
            The estimate, unclamped, with the method's name, a note where there is one (which is
            printed too), and the history of a training.

        Raises:
            ValueError: rows that do not match, fewer than four, NaN or infinite numbers, columns
                that the estimator is not for.
        """
        if callable(x):
            return self._announce(self._fit_fresh(x))
        x, y = _list(x), _list(y)
        lengths = {len(column) for column in (*x, *y)}
        if len(lengths) != 1:
            raise ValueError(f"x and y have one row an example, got {sorted(lengths)} rows.")
        if min(lengths) < 4:
            raise ValueError(f"{min(lengths)} rows are too few for any estimate; four are needed.")
        _check(x, "x")
        _check(y, "y")
        x, y, copies = _without_copies(x, y)
        x, y = prepare_columns(x), prepare_columns(y)
        if not (x.width and y.width):
            note = "every column of x or of y is constant, and carries nothing"
            return self._announce(Estimate(0.0, 0.0, "exact", 0.0, self.estimator, note))
        if note := _infinite(x, y):
            return self._announce(Estimate(math.inf, 0.0, "estimate", method="copy", note=note))
        name = self.estimator if self.estimator != "auto" else _choose(x, y)
        estimate = self._fit(name, x, y)
        notes = "; ".join(filter(None, (copies, estimate.note)))
        return self._announce(replace(estimate, method=estimate.method or name, note=notes))

    def _fit(self, name: str, x: Columns, y: Columns) -> Estimate:
        discrete = x.labels.shape[1] + y.labels.shape[1] + (name == "ksg") * (x.tied + y.tied)
        if name in ("ksg", "gaussian", "copula") and discrete:
            raise ValueError(
                f"{name!r} is for continuous columns, and some of these repeat their values; "
                'take "mixed" or "auto".'
            )
        if name == "mixed":
            return self._mixed(x, y)
        if name == "gaussian":
            return gaussian_information(x.values, y.values)
        if name == "copula":
            return copula_information(x.values, y.values)
        scores = [normal_scores(side.values) for side in (x, y)]
        if name == "ksg":
            return ksg(*scores, self._neighbors(len(scores[0])))
        return self._neural(name, x, y)

    def _mixed(self, x: Columns, y: Columns) -> Estimate:
        if not (x.values.shape[1] or y.values.shape[1]):
            return replace(miller_madow(x.labels, y.labels), method="miller_madow")
        # Normal scores span less than 20: other categories are farther than any number.
        sides = [side.numbers(normal_scores(side.values), 100.0) for side in (x, y)]
        return mixed_ksg(*sides, self._neighbors(len(sides[0])))

    def _neural(self, name: str, x: Columns, y: Columns) -> Estimate:
        from keras_infomodels.information.neural import NeuralSettings, fit_pairs

        settings = NeuralSettings(**{"seed": self.seed} | self.settings)
        if name != "auto_neural":
            return fit_pairs(*(s.numbers(s.values, 1.0) for s in (x, y)), name, settings)
        estimate = fit_pairs(*(s.numbers(s.values, 1.0) for s in (x, y)), "info_nce", settings)
        gain, error = estimate.history["gain_over_copula"]
        continuous = not (x.labels.shape[1] or y.labels.shape[1])
        if continuous and gain < 2 * error:
            copula = copula_information(x.values, y.values)
            return replace(copula, method="copula", history=estimate.history)
        return estimate

    def _fit_fresh(self, draw: Callable) -> Estimate:
        if self.estimator not in NEURAL:
            raise ValueError(
                f"Fresh draws are for a neural estimator ({', '.join(NEURAL)}), got "
                f"{self.estimator!r}; draw a sample and give x and y."
            )
        from keras_infomodels.information.neural import NeuralSettings, fit_fresh

        settings = NeuralSettings(**{"seed": self.seed} | self.settings)
        return fit_fresh(draw, self.estimator, settings)

    def _neighbors(self, n: int) -> int:
        return min(self.neighbors, n - 1)

    @staticmethod
    def _announce(estimate: Estimate) -> Estimate:
        if estimate.note:
            print(f"Mutual information: {estimate.note}")
        return estimate


def _list(side) -> list[np.ndarray]:
    if isinstance(side, Mapping):
        return [np.asarray(column).reshape(-1) for column in side.values()]
    side = np.asarray(side)
    return list(side.reshape(len(side), -1).T) if side.ndim else [side.reshape(1)]


def _check(columns: list[np.ndarray], name: str):
    for column in columns:
        if np.issubdtype(column.dtype, np.number) and not np.isfinite(column).all():
            raise ValueError(f"{name} holds NaN or infinite numbers; leave such rows out.")


def _is_numeric(column: np.ndarray) -> bool:
    """Many different numbers: more than the square root of the rows, at least three."""
    if not np.issubdtype(column.dtype, np.number):
        return False
    return len(np.unique(column)) > max(2, math.sqrt(len(column)))


def _without_copies(x: list[np.ndarray], y: list[np.ndarray]) -> tuple[list, list, str]:
    """Drops copies of whole rows, where columns of numbers have no other repeated value."""
    columns = [*x, *y]
    numeric = [c for c in columns if _is_numeric(c)]
    if not numeric:
        return x, y, ""
    codes = np.stack([np.unique(c, return_inverse=True)[1] for c in columns], axis=1)
    _, first, copies = np.unique(codes, axis=0, return_index=True, return_counts=True)
    first.sort()
    if copies.max() > math.sqrt(len(codes)):  # a value that comes often, such as 0 for "nothing"
        return x, y, ""
    if len(first) == len(codes) or any(len(np.unique(c[first])) < len(first) for c in numeric):
        return x, y, ""
    note = f"{len(codes) - len(first)} rows are copies of others; each counts once"
    return [c[first] for c in x], [c[first] for c in y], note


def prepare_columns(side: list[np.ndarray]) -> Columns:
    """Tells columns (n,) of many different numbers from labels, and leaves constant ones out."""
    values = [c.astype(np.float64) for c in side if _is_numeric(c)]
    labels = [np.unique(c, return_inverse=True)[1] for c in side if not _is_numeric(c)]
    labels = [codes for codes in labels if codes.any()]  # a constant column carries nothing
    n = len(side[0])
    return Columns(
        np.stack(values, 1) if values else np.zeros((n, 0)),
        np.stack(labels, 1) if labels else np.zeros((n, 0), int),
        any(len(np.unique(c)) < n for c in values),
    )


def _infinite(x: Columns, y: Columns) -> str:
    """Why the information is infinite; empty where nothing says that it is."""
    if not (x.values.shape[1] and y.values.shape[1]):
        return ""
    ranks = [[rankdata(c) for c in side.values.T] for side in (x, y)]
    enough = len(x.values) > 20  # fewer may be in one order by chance
    for a, u in zip(ranks[0], x.values.T, strict=True):
        for b, v in zip(ranks[1], y.values.T, strict=True):
            if np.array_equal(u, v) or (
                enough and (np.array_equal(a, b) or np.array_equal(a, len(a) + 1 - b))
            ):
                return (
                    "infinite: a continuous column of x is a monotone function of one of y, "
                    "without noise"
                )
    if len(x.values) > x.width + y.width + 1:
        r = canonical_correlations(x.values, y.values)
        if r.max(initial=0) > 1 - 1e-9:
            return "infinite: a linear function of x is one of y, without noise"
    return ""


def _choose(x: Columns, y: Columns) -> str:
    n, width = len(x.values), x.width + y.width
    few = n < max(FEW_ROWS, 10 * width)
    if x.labels.shape[1] or y.labels.shape[1] or x.tied or y.tied:
        return "mixed" if width <= 5 or few else "auto_neural"
    if width <= 3:
        return "ksg"
    if few:
        return "copula"
    return "auto_neural"
