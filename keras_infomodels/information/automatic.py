"""Estimator "auto": chooses by the data, and checks its answer."""

import math
from dataclasses import dataclass, replace

import numpy as np

from keras_infomodels.information.checks import LABEL_APART, Z, checked
from keras_infomodels.information.columns import Columns, count_orders
from keras_infomodels.information.discrete import grassberger, miller_madow, row_codes
from keras_infomodels.information.estimate import Estimate, mean_estimate, mean_of_orders
from keras_infomodels.information.held_out import label_table_terms, neighbor_terms
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator

__all__ = ["automatic"]

MANY_CELLS = 0.1
"""Largest number of cells of a joint table for the plug-in estimate, as a share of the rows."""
FEW_DIMENSIONS = 3
ROWS_A_LABEL = 3
"""Smallest average number of rows per label for nearest neighbors within labels."""
CLASSIFIED = 20_000
"""Largest number of rows that classifiers are trained on."""
CLASSES = 64
"""Largest number of labels for which classifiers are candidates."""


def automatic(
    x: Columns, y: Columns, neighbors: int, seed: int, settings: NeuralSettings
) -> Estimate:
    """Estimates I(X;Y) by an estimator that suits the data, with checks.

    Args:
        x: `Columns`. One side of the pairs, without constant columns.
        y: `Columns`. The other side.
        neighbors: int. Number of neighbors of the nearest-neighbor estimators.
        seed: int. Seed of orders, splits and weights.
        settings: `NeuralSettings`. Settings of critics.
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
    """Miller-Madow estimate, for tables with ten rows per cell on average."""
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
    return checked(
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
    """One side as input of nearest neighbors: numbers on one scale, and a label or None."""

    numbers: np.ndarray
    label: np.ndarray | None

    @classmethod
    def of(cls, side: Columns, rng: np.random.Generator) -> "View | None":
        """Creates the view of a side; None if its labels have too few rows."""
        label = side.joint_label() if side.labels.shape[1] else None
        if label is not None and (label.max() + 1) * ROWS_A_LABEL > len(label):
            return None
        return cls(side.scores(rng), label)

    def parts(self) -> list[tuple[np.ndarray, bool]]:
        """Returns the single variables of the view, each with whether it is a label."""
        labels = [] if self.label is None else [(self.label, True)]
        return labels + [(column, False) for column in self.numbers.T]

    def points(self) -> np.ndarray:
        """Returns the points in which neighbors are searched; labels are far from each other."""
        label = [] if self.label is None else [self.label[:, None] * LABEL_APART]
        return np.hstack([self.numbers, *label])


def _nearest(x: Columns, y: Columns, neighbors: int, seed: int) -> Estimate | None:
    """Nearest-neighbor estimate, with each side as numbers or labels, whichever predicts best."""
    rng = generator(seed, 6)
    queries = rng.permutation(len(x))[:3000]
    options = []
    for side_x in _views(x):
        for side_y in _views(y):
            a, b = View.of(side_x, rng), View.of(side_y, rng)
            if a is None or b is None:
                continue
            if a.numbers.shape[1] + b.numbers.shape[1] > FEW_DIMENSIONS:
                continue
            terms = _bound_terms(a, b, queries, seed)
            options.append((a, b, terms, (side_x, side_y)))
    if not options:
        return None
    best = options[0]
    for option in options[1:]:
        gain = mean_estimate(option[2] - best[2])
        if gain.nats > 3 * gain.standard_error:
            best = option
    a, b, terms, sides = best
    bound = mean_estimate(terms, "lower bound")
    if not (a.numbers.shape[1] or b.numbers.shape[1]):
        return _large_table(a.label, b.label, bound, seed)

    def estimate(a: View, b: View, k: int = neighbors) -> Estimate:
        k = min(k, len(x) - 1)
        if a.label is None and b.label is None and not (x.atoms or y.atoms):
            return ksg(a.numbers, b.numbers, k)
        return mixed_ksg(a.numbers, b.numbers, k, a.label, b.label)

    def shuffled(rng: np.random.Generator) -> float:
        rows = rng.permutation(len(x))
        label = None if b.label is None else b.label[rows]
        return estimate(a, View(b.numbers[rows], label)).nats

    first, smoother = estimate(a, b), estimate(a, b, 3 * neighbors)
    others = [[View.of(side, rng) for side in sides] for _ in range(count_orders(*sides) - 1)]
    found = mean_of_orders([first, *(estimate(*views) for views in others)])
    method = "ksg" if math.isfinite(found.ceiling) else "mixed"
    # The factor 1.35 allows for shared neighbors. The bias falls with fewer neighbors, so the
    # difference to three times as many neighbors bounds what is missing.
    bias = 0.01 + max(first.nats - smoother.nats, 0.0)
    upper = found.nats + 1.35 * Z * found.standard_error + bias
    assumption = (
        "nearest neighbors lack no more than from three times as many neighbors to as many as these"
    )
    return checked(replace(found, method=method), bound, upper, assumption, shuffled, seed)


def _views(side: Columns) -> list[Columns]:
    return [side, side.as_labels()] if any(side.repeated) else [side]


def _bound_terms(a: View, b: View, queries: np.ndarray, seed: int) -> np.ndarray:
    """Terms of the best bound on what one side tells about a single variable of the other side."""
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
    """Estimate from a table with too many cells for the plug-in estimate.

    The lower bound uses the table of the other rows. If it is above 0, the answer is the mean of
    the bound and of Grassberger's estimate, which is biased upwards.
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
    found = checked(found, bound, upper, assumption, shuffled, seed)
    return replace(found, checks={**found.checks, "grassberger": biased})


# Classifiers ----------------------------------------------------------------------------------


def _classified(x: Columns, y: Columns, seed: int) -> Estimate | None:
    """Entropy of a label minus the held-out cross-entropy of a classifier of the other side."""
    from keras_infomodels.information.classify import classifier_terms

    rows = generator(seed, 20).permutation(len(x))[:CLASSIFIED]
    x, y = x.take(rows), y.take(rows)
    choices = []
    for told, teller in ((y, x), (x, y)):
        labeled = told.as_labels()
        if labeled.values.shape[1]:
            continue
        label = labeled.joint_label()
        kinds = label.max() + 1
        if kinds <= CLASSES and kinds * ROWS_A_LABEL <= len(label):
            choices.append((kinds, label, teller))
    if not choices:
        return None
    _, label, teller = min(choices, key=lambda choice: choice[0])
    scores = teller.scores(generator(seed, 6))

    def terms(label: np.ndarray) -> np.ndarray:
        return classifier_terms(teller, label, scores, seed)

    ceiling = math.log(label.max() + 1)
    told = terms(label)
    bound = mean_estimate(told, "lower bound", ceiling)
    half = generator(seed, 7).permutation(len(label))[: len(label) // 2]
    fewer = classifier_terms(teller.take(half), row_codes(label[half]), scores[half], seed)
    gain = max(mean_estimate(told[half] - fewer).nats, 0.0)
    # An error of c / sqrt(n) falls from half of the rows to all by sqrt(2) - 1 of what remains.
    upper = bound.nats + Z * bound.standard_error + 0.01 + gain / (math.sqrt(2) - 1)
    upper = min(upper, ceiling)
    assumption = "what the classifiers lack falls at least as the root of the number of rows"
    found = replace(bound, method="classifier")
    return checked(
        found, bound, upper, assumption, lambda rng: terms(rng.permutation(label)).mean(), seed, 1
    )
