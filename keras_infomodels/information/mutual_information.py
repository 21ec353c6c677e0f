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
from keras_infomodels.information.discrete import miller_madow, without_missing
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.read_out import READ_OUTS
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.spec import whole

__all__ = ["ESTIMATORS", "Columns", "MutualInformation", "prepare_columns"]

NEURAL = tuple(READ_OUTS)
ESTIMATORS = ("auto", "ksg", "mixed", "gaussian", "copula", *NEURAL)

FEW_ROWS = 500
"""Below it "auto" trains no critic."""

ATOM = 0.1
"""Share of the rows from which on a repeated number is a value of its own, such as 0 for "none"."""


@dataclass(frozen=True)
class Columns:
    """One side of the pairs, ready for an estimator.

    Attributes:
        values: the columns of many different numbers, (n, d).
        labels: the others as integers from 0, (n, k).
        atoms: whether a number in `values` comes in a tenth of the rows or more.
    """

    values: np.ndarray
    labels: np.ndarray
    atoms: bool

    @property
    def tied(self) -> bool:
        """Whether a number in `values` repeats within its column."""
        return any(len(np.unique(column)) < len(column) for column in self.values.T)

    @property
    def width(self) -> int:
        return self.values.shape[1] + self.labels.shape[1]

    def scores(self, rng: np.random.Generator) -> np.ndarray:
        """Normal scores of `values`, with ties other than atoms broken at random.

        Numbers that were rounded are many small atoms, which nearest neighbors would take for
        dependence; an order at random within each changes no information.
        """
        columns = [_untied(column, rng) for column in self.values.T]
        return normal_scores(np.stack(columns, 1) if columns else self.values)

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
    others, and what is no number, are labels. Equal numbers of a continuous column are taken for
    rounded, and for nearest neighbors get an order at random; those that a tenth of the rows share,
    such as 0 for "none", stay equal.

    "auto" goes by the data: with labels, or numbers that so many rows share, it is "mixed", but
    from six columns on a critic; up to three columns in all go to "ksg"; fewer than 500 rows, or
    fewer than ten for each column, to "copula" (or "ksg", where even a covariance needs more);
    anything else trains a critic by InfoNCE above the Gaussian-copula log ratio. If on pairs that
    it has not seen that raises the bound by less than two standard errors, the answer is "copula",
    then the more accurate; else "info_nce".

    All estimators see the ranks of continuous columns as normal scores, except "gaussian": monotone
    maps of single columns change nothing. Constant columns carry nothing and are left out. Where a
    continuous column, or a linear function of columns, of x repeats one of y the information is
    infinite, and so is the answer, with a note; where such a column holds fewer different numbers
    than half of the rows, it is the column's entropy, which bounds it from below.

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
        self.neighbors = whole("neighbors", neighbors, 1)
        self.seed = seed
        self.settings = NeuralSettings(seed=seed, **settings)

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
            ValueError: rows that do not match, fewer than four, missing values (NaN, NaT, None),
                infinite numbers, labels that hardly ever repeat, columns that the estimator is
                not for.
            FloatingPointError: a training diverged.
        """
        if callable(x):
            return self._announce(self._fit_fresh(x))
        if y is None:
            raise ValueError("Give x and y; x alone is for a function that draws pairs.")
        x, y = _list(x, "x"), _list(y, "y")
        lengths = {len(column) for column in (*x, *y)}
        if len(lengths) != 1:
            raise ValueError(f"x and y have one row an example, got {sorted(lengths)} rows.")
        if min(lengths) < 4:
            raise ValueError(f"{min(lengths)} rows are too few for any estimate; four are needed.")
        x, y, copies = _without_copies(x, y)
        x, y = prepare_columns(x), prepare_columns(y)
        if not (x.width and y.width):
            note = "every column of x or of y is constant, and carries nothing"
            return self._announce(Estimate(0.0, 0.0, "exact", 0.0, self.estimator, note))
        if (copy := _copied(x, y)) is not None:
            return self._announce(copy)
        name = self.estimator if self.estimator != "auto" else _choose(x, y)
        estimate = self._fit(name, x, y)
        name = estimate.method or name
        limit = "" if name in NEURAL else _near_limit(estimate.nats, len(x.values), name)
        notes = "; ".join(filter(None, (copies, estimate.note, limit)))
        return self._announce(replace(estimate, method=name, note=notes))

    def _fit(self, name: str, x: Columns, y: Columns) -> Estimate:
        discrete = x.labels.shape[1] + y.labels.shape[1] + (name == "ksg") * (x.atoms + y.atoms)
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
        if name == "ksg":
            rng = np.random.default_rng(self.seed)
            return ksg(x.scores(rng), y.scores(rng), self.neighbors)
        return self._neural(name, x, y)

    def _mixed(self, x: Columns, y: Columns) -> Estimate:
        if not (x.values.shape[1] or y.values.shape[1]):
            return replace(miller_madow(x.labels, y.labels), method="miller_madow")
        # Normal scores span less than 20: other categories are farther than any number.
        rng = np.random.default_rng(self.seed)
        sides = [side.numbers(side.scores(rng), 100.0) for side in (x, y)]
        return mixed_ksg(*sides, self.neighbors)

    def _neural(self, name: str, x: Columns, y: Columns) -> Estimate:
        from keras_infomodels.information.neural import fit_pairs

        sides = [side.numbers(side.values, 1.0) for side in (x, y)]
        if name != "auto_neural":
            return fit_pairs(*sides, name, self.settings)
        estimate = fit_pairs(*sides, "info_nce", self.settings)
        gain, error = estimate.history.get("gain_over_copula", (math.inf, 0.0))
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
        from keras_infomodels.information.neural import fit_fresh

        return fit_fresh(draw, self.estimator, self.settings)

    @staticmethod
    def _announce(estimate: Estimate) -> Estimate:
        if estimate.note:
            print(f"Mutual information: {estimate.note}")
        return estimate


def _list(side, name: str) -> list[np.ndarray]:
    """The columns, of float64 or text."""
    if isinstance(side, Mapping):
        columns = list(side.values())
    else:
        table = np.asarray(side)
        if table.dtype.kind in "US":  # which may have made text of numbers beside it
            table = np.asarray(side, object)
        if not table.size:
            raise ValueError(f"{name} is empty.")
        columns = list(table.reshape(len(table), -1).T) if table.ndim else [table.reshape(1)]
    if not columns:
        raise ValueError(f"{name} has no column.")
    return [_column(column, name) for column in columns]


def _column(values, name: str) -> np.ndarray:
    column = np.asarray(values)
    if column.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers; give real and imaginary parts as columns.")
    if column.dtype.kind in "USO":
        column = np.asarray(values, object)
    column = without_missing(column, name).reshape(-1)
    # Python's float() leaves out the "_" of labels such as 1_12.
    if column.dtype == object and any(isinstance(v, str) and "_" in v for v in column):
        return column.astype(str)
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        return column.astype(str)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds NaN or infinite numbers; leave such rows out.")
    return numbers


def _is_numeric(column: np.ndarray) -> bool:
    """Many different numbers: more than the square root of the rows, at least three."""
    if column.dtype.kind != "f":
        return False
    return len(np.unique(column)) > max(2, math.sqrt(len(column)))


def _without_copies(x: list[np.ndarray], y: list[np.ndarray]) -> tuple[list, list, str]:
    """Drops copies of whole rows, where columns of numbers have no other repeated value."""
    columns = [*x, *y]
    fractions = [c for c in columns if c.dtype.kind == "f" and np.any(c % 1)]
    if not fractions:  # counts and labels repeat as they are
        return x, y, ""
    numeric = fractions + [c for c in columns if _is_numeric(c)]
    codes = np.stack([np.unique(c, return_inverse=True)[1] for c in columns], axis=1)
    _, first, copies = np.unique(codes, axis=0, return_index=True, return_counts=True)
    first.sort()
    often = copies.max() > math.sqrt(len(codes))  # a value such as 0 for "nothing"
    if len(first) < 4 or (often and copies.min() == 1):
        return x, y, ""
    if len(first) == len(codes) or any(len(np.unique(c[first])) < len(first) for c in numeric):
        return x, y, ""
    note = f"{len(codes) - len(first)} rows are copies of others; each counts once"
    return [c[first] for c in x], [c[first] for c in y], note


def _untied(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ranks; of equal values an order at random, or one rank where they are an atom."""
    _, kinds, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = np.empty(len(column))
    ranks[np.lexsort((rng.uniform(size=len(column)), column))] = np.arange(len(column))
    return np.where(counts[kinds] >= ATOM * len(column), rankdata(column) - 1, ranks)


def prepare_columns(side: list[np.ndarray]) -> Columns:
    """Tells columns (n,) of many different numbers from labels, and leaves constant ones out."""
    values = [c.astype(np.float64) for c in side if _is_numeric(c)]
    labels = [np.unique(c, return_inverse=True)[1] for c in side if not _is_numeric(c)]
    labels = [codes for codes in labels if codes.any()]  # a constant column carries nothing
    n = len(side[0])
    if (most := max((codes.max() + 1 for codes in labels), default=0)) > n / 2:
        raise ValueError(
            f"A column holds {most} different labels in {n} rows, so that each would tell all of "
            "its row. Leave identifiers out, and give numbers as numbers."
        )
    return Columns(
        np.stack(values, 1) if values else np.zeros((n, 0)),
        np.stack(labels, 1) if labels else np.zeros((n, 0), int),
        any(np.unique(c, return_counts=True)[1].max() >= max(2, ATOM * n) for c in values),
    )


def _copied(x: Columns, y: Columns) -> Estimate | None:
    """The answer where a continuous column of x, or a linear function of x, repeats one of y."""
    if not (x.values.shape[1] and y.values.shape[1]):
        return None
    n = len(x.values)
    ranks = [[rankdata(c) for c in side.values.T] for side in (x, y)]
    enough = n > 20  # fewer may be in one order by chance
    for a, u in zip(ranks[0], x.values.T, strict=True):
        for b, v in zip(ranks[1], y.values.T, strict=True):
            if np.array_equal(u, v) or (
                enough and (np.array_equal(a, b) or np.array_equal(a, len(a) + 1 - b))
            ):
                note = "a column of x is a monotone function of one of y, without noise"
                if len(np.unique(u)) < n / 2:
                    note += ": this is its entropy, and the information no less"
                    return replace(miller_madow(u, u), method="copy", note=note)
                return Estimate(math.inf, 0.0, method="copy", note=f"infinite: {note}")
    if n > x.width + y.width + 1:
        r = canonical_correlations(x.values, y.values)
        if r.max(initial=0) > 1 - 1e-9:
            note = "infinite: a linear function of x is one of y, without noise"
            return Estimate(math.inf, 0.0, method="copy", note=note)
    return None


def _near_limit(nats: float, n: int, method: str) -> str:
    """What to say of an estimate that n pairs alone cannot certify."""
    if not nats > 0.75 * math.log(n):
        return ""
    note = f"{nats:.2f} nats is near or above ln {n} = {math.log(n):.2f}, what as many pairs "
    if method in ("gaussian", "copula"):
        return note + "can certify: it rests on the columns' being jointly Gaussian"
    return note + "can certify: the truth may lie well above"


def _choose(x: Columns, y: Columns) -> str:
    n, width = len(x.values), x.width + y.width
    few = n < max(FEW_ROWS, 10 * width)
    if x.labels.shape[1] or y.labels.shape[1] or x.atoms or y.atoms:
        return "mixed" if width <= 5 or few else "auto_neural"
    if width <= 3:
        return "ksg"
    if few:
        return "copula" if n > width + 1 else "ksg"
    return "auto_neural"
