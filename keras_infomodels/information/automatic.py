"""The estimator "auto": what suits the data, checked before it is shown."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from keras_infomodels.information.columns import ROWS_A_VALUE, Columns
from keras_infomodels.information.discrete import grassberger, miller_madow, row_codes
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.information.held_out import (
    best_pair,
    label_table_terms,
    neighbor_terms,
)
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.settings import NeuralSettings

__all__ = ["automatic"]

Z = 1.96
MANY_CELLS = 0.1
"""Cells of a joint table, as a share of the rows, above which the plug-in is no candidate."""
FEW_DIMENSIONS = 3
CLASSES = 64
"""Labels up to which classifiers are candidates."""
LABEL_APART = 1000.0
SHUFFLES = 5


def automatic(
    x: Columns, y: Columns, neighbors: int, seed: int, settings: NeuralSettings
) -> Estimate:
    """I(X;Y) by the estimator that suits the data, with its checks.

    Args:
        x, y: the sides, without constant columns.
        neighbors: of nearest neighbors.
        seed: of orders, splits and weights.
        settings: of critics.
    """
    if x.images is None and y.images is None:
        if (table := _small_table(x, y, seed)) is not None:
            return table
        if (near := _nearest(x, y, neighbors, seed)) is not None:
            return near
        if (classified := _classified(x, y, seed)) is not None:
            return classified
    from keras_infomodels.information.ensemble import trained

    return trained(x, y, seed, settings)


# Tables ---------------------------------------------------------------------------------------


def _small_table(x: Columns, y: Columns, seed: int) -> Estimate | None:
    """The plug-in with Miller and Madow's correction, where every cell has ten rows on average."""
    x, y = x.as_labels(), y.as_labels()
    if x.values.shape[1] or y.values.shape[1]:
        return None
    a, b = x.joint_label(), y.joint_label()
    cells = row_codes(np.stack([a, b], axis=1)).max() + 1
    if cells > MANY_CELLS * len(a):
        return None
    found = replace(miller_madow(a, b), method="miller_madow")
    if a.max() < b.max():
        a, b = b, a
    bound = mean_estimate(label_table_terms(a, b, seed), "lower bound")
    upper = min(found.nats + Z * found.standard_error, found.ceiling)
    return _checked(
        found,
        bound,
        upper,
        "every cell of the table that matters has been seen",
        lambda rng: miller_madow(a, rng.permutation(b)).nats,
        seed,
    )


# Nearest neighbors ----------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """A side for nearest neighbors: numbers on one scale and one label, or None."""

    numbers: np.ndarray
    label: np.ndarray | None

    @classmethod
    def of(cls, side: Columns, rng: np.random.Generator) -> "View | None":
        label = side.joint_label() if side.labels.shape[1] else None
        if label is not None and (label.max() + 1) * ROWS_A_VALUE > len(label):
            return None
        return cls(side.scores(rng), label)

    def parts(self) -> list[tuple[np.ndarray, bool]]:
        """The scalars in it, each with whether it is a label."""
        labels = [] if self.label is None else [(self.label, True)]
        return labels + [(column, False) for column in self.numbers.T]

    def points(self) -> np.ndarray:
        label = [] if self.label is None else [self.label[:, None] * LABEL_APART]
        return np.hstack([self.numbers, *label])


def _nearest(x: Columns, y: Columns, neighbors: int, seed: int) -> Estimate | None:
    """The view of both sides, numbers or labels, that predicts held-out rows best."""
    rng = np.random.default_rng(seed)
    queries = rng.permutation(len(x))[:3000]
    options = []
    for side_x in _views(x):
        for side_y in _views(y):
            a, b = View.of(side_x, rng), View.of(side_y, rng)
            if a is None or b is None:
                continue
            if a.numbers.shape[1] + b.numbers.shape[1] > FEW_DIMENSIONS:
                continue
            options.append((a, b, _bound_terms(a, b, queries, seed)))
    if not options:
        return None
    best = options[0]
    for option in options[1:]:
        gain = mean_estimate(option[2] - best[2])
        if gain.nats > 2 * gain.standard_error:
            best = option
    a, b, terms = best
    bound = mean_estimate(terms, "lower bound")
    if not (a.numbers.shape[1] or b.numbers.shape[1]):
        return _large_table(a.label, b.label, bound, seed)

    def estimate(b: View, k: int = neighbors) -> Estimate:
        k = min(k, len(x) - 1)
        if a.label is None and b.label is None and not (x.atoms or y.atoms):
            return ksg(a.numbers, b.numbers, k)
        return mixed_ksg(a.numbers, b.numbers, k, a.label, b.label)

    def shuffled(rng: np.random.Generator) -> float:
        rows = rng.permutation(len(x))
        return estimate(View(b.numbers[rows], None if b.label is None else b.label[rows])).nats

    found, smoother = estimate(b), estimate(b, 3 * neighbors)
    method = "ksg" if math.isfinite(found.ceiling) else "mixed"
    # Points share neighbors; and what more neighbors lack, fewer lack in part.
    bias = 0.01 + max(found.nats - smoother.nats, 0.0)
    upper = found.nats + 1.35 * Z * found.standard_error + bias
    assumption = (
        "nearest neighbors lack no more than from three times as many neighbors to as many as these"
    )
    return _checked(replace(found, method=method), bound, upper, assumption, shuffled, seed)


def _views(side: Columns) -> list[Columns]:
    return [side, side.as_labels()] if any(side.repeated) else [side]


def _bound_terms(a: View, b: View, queries: np.ndarray, seed: int) -> np.ndarray:
    """Terms of the best bound on what one side tells of a scalar of the other."""
    found = []
    for told, teller in ((b, a), (a, b)):
        parts = told.parts()
        for part, label in parts:
            if label and teller.label is not None and not teller.numbers.shape[1]:
                found.append(label_table_terms(teller.label, part, seed)[queries])
            else:
                found.append(neighbor_terms(teller.points(), part, label, seed, queries))
        if len(parts) == 1:
            break  # all of the side
    return max(found, key=np.mean)


def _large_table(a: np.ndarray, b: np.ndarray, bound: Estimate, seed: int) -> Estimate:
    """Where cells are too many for the plug-in: the bound of the table of the other rows.

    Where that is above 0 the answer is half-way to Grassberger's estimate, which errs upwards.
    """
    biased = grassberger(a, b)

    def shuffled(rng: np.random.Generator) -> float:
        return float(np.mean(label_table_terms(a, rng.permutation(b), seed)))

    ceiling = math.log(min(a.max(), b.max()) + 1)
    found = replace(bound, method="table", ceiling=ceiling)
    cells = row_codes(np.stack([a, b], axis=1)).max() + 1
    if bound.nats > 2 * bound.standard_error and cells <= len(a) / 2:
        middle = (bound.nats + max(biased.nats, bound.nats)) / 2
        found = replace(found, nats=middle, kind="estimate")
    upper = min(max(biased.nats, bound.nats) + Z * biased.standard_error, ceiling)
    assumption = "Grassberger's estimate of the table, which errs upwards with so many cells"
    checked = _checked(found, bound, upper, assumption, shuffled, seed)
    return replace(checked, checks={**checked.checks, "grassberger": biased})


# Classifiers ----------------------------------------------------------------------------------


def _classified(x: Columns, y: Columns, seed: int) -> Estimate | None:
    """A label's entropy less the held-out cross-entropy of a classifier of the other side."""
    from keras_infomodels.information.classify import classifier_terms

    choices = []
    for told, teller in ((y, x), (x, y)):
        labeled = told.as_labels()
        if labeled.values.shape[1]:
            continue
        label = labeled.joint_label()
        kinds = label.max() + 1
        if kinds <= CLASSES and kinds * ROWS_A_VALUE <= len(label):
            choices.append((kinds, label, teller))
    if not choices:
        return None
    _, label, teller = min(choices, key=lambda choice: choice[0])
    scores = teller.scores(np.random.default_rng(seed))

    def terms(label: np.ndarray) -> np.ndarray:
        return classifier_terms(teller, label, scores, seed)

    ceiling = math.log(label.max() + 1)
    told = terms(label)
    bound = mean_estimate(told, "lower bound", ceiling)
    half = np.random.default_rng([seed, 3]).permutation(len(label))[: len(label) // 2]
    fewer = classifier_terms(teller.take(half), row_codes(label[half]), scores[half], seed)
    gain = max(mean_estimate(told[half] - fewer).nats, 0.0)
    # c / sqrt(n) falls by the factor sqrt(2) - 1 of what is left from one half of the rows to all.
    upper = bound.nats + Z * bound.standard_error + 0.01 + gain / (math.sqrt(2) - 1)
    upper = min(upper, ceiling)
    assumption = "what the classifiers lack falls at least as the root of the number of rows"
    found = replace(bound, method="classifier")
    return _checked(
        found, bound, upper, assumption, lambda rng: terms(rng.permutation(label)).mean(), seed, 1
    )


# Checks ---------------------------------------------------------------------------------------


def _checked(
    found: Estimate,
    bound: Estimate,
    upper: float | None,
    assumption: str,
    shuffled: Callable[[np.random.Generator], float],
    seed: int,
    shuffles: int = SHUFFLES,
) -> Estimate:
    """An estimate with what it was compared with, never below its held-out bound.

    Args:
        found: the estimate.
        bound: held out.
        upper: the interval's upper end, which rests on `assumption`.
        shuffled: the same estimator on pairs that a generator shuffles.
        seed: of the shuffles.
        shuffles: how many.
    """
    rng = np.random.default_rng([seed, 1])
    nulls = np.array([shuffled(rng) for _ in range(shuffles)])
    spread = nulls.std(ddof=1) if shuffles > 1 else bound.standard_error
    checks = {"held-out bound": bound, "shuffled": Estimate(float(nulls.mean()), float(spread))}
    lower = bound.nats - Z * bound.standard_error
    notes = [found.note] if found.note else []
    margin = max(0.1, 0.1 * abs(found.nats))
    if nulls.mean() > margin and found.nats - bound.nats > margin + 2 * bound.standard_error:
        notes.append(
            f"the same estimator says {nulls.mean():.2f} nats of shuffled pairs: it is biased on "
            "data such as these"
        )
    floor = bound.nats - 2 * bound.standard_error
    if found.nats < floor and floor > 0:
        found = replace(found, nats=bound.nats, standard_error=bound.standard_error,
                        kind="lower bound", method="held-out bound")  # fmt: skip
        upper, assumption = None, ""
    if upper is not None:
        upper = max(upper, lower, found.nats)
    return replace(
        found,
        note="; ".join(notes),
        checks=checks,
        interval=(lower, upper),
        assumption=assumption,
    )


def pair_floor(x: Columns, y: Columns, seed: int) -> tuple[Estimate, Estimate, tuple[int, int]]:
    """The best single pair of columns: a held-out bound, its KSG estimate, and which.

    The pair is chosen on one half of the rows and bounded on the other, and the other way round.
    """
    rng = np.random.default_rng([seed, 2])
    sides = [np.hstack([s.values, s.labels]) for s in (x, y)]
    kinds = [s.values.shape[1] for s in (x, y)]
    order = rng.permutation(len(x))
    terms, pairs = [], []
    for chosen, read in (np.array_split(order, 2), np.array_split(order, 2)[::-1]):
        i, j = best_pair(*sides, chosen)
        points = normal_points(sides[0][:, i], i >= kinds[0], rng)
        label = j >= kinds[1]
        target = row_codes(sides[1][:, j]) if label else sides[1][:, j]
        terms.append(neighbor_terms(points, target, label, seed, read[:1500]))
        pairs.append((i, j))
    bound = mean_estimate(np.concatenate(terms), "lower bound")
    i, j = pairs[0]
    numbers = [
        Columns(s[:, c : c + 1].astype(float), np.zeros((len(s), 0), int)).scores(rng)
        for s, c in zip(sides, (i, j), strict=True)
    ]
    near = mixed_ksg(*numbers) if i >= kinds[0] or j >= kinds[1] else ksg(*numbers)
    return bound, near, (int(i), int(j))


def joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def normal_points(column: np.ndarray, label: bool, rng: np.random.Generator) -> np.ndarray:
    if label:
        return LABEL_APART * column[:, None].astype(float)
    return Columns(column[:, None].astype(float), np.zeros((len(column), 0), int)).scores(rng)
