"""Checks of an estimate: a held-out bound and the same estimator on shuffled pairs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from keras_infomodels.information.columns import Columns
from keras_infomodels.information.discrete import row_codes
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.information.held_out import best_pair, neighbor_terms
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.streams import generator

__all__ = ["LABEL_APART", "Z", "checked", "joined", "pair_floor"]

Z = 1.96
LABEL_APART = 1000.0
"""Distance between labels beside numbers whose normal scores span less than 20."""
SHUFFLES = 5


def checked(
    found: Estimate,
    bound: Estimate,
    upper: float | None,
    assumption: str,
    shuffled: Callable[[np.random.Generator], float],
    seed: int,
    shuffles: int = SHUFFLES,
) -> Estimate:
    """Adds checks, notes and an interval to an estimate.

    An estimate below its held-out bound by more than two of the bound's standard errors is replaced
    by the bound, if the bound is above 0 by as much. A smaller difference may be noise.

    Args:
        found: `Estimate`. The estimate.
        bound: `Estimate`. Lower bound from held-out rows.
        upper: float or None. Upper end of the interval.
        assumption: str. Assumption that the upper end depends on.
        shuffled: function. Returns the estimate on shuffled pairs, given a NumPy generator.
        seed: int. Seed of the shuffles.
        shuffles: int. Number of shuffles.
    """
    rng = generator(seed, 15)
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
    """Finds the best pair of columns: its held-out bound, its KSG estimate, and its indices.

    The pair is chosen on one half of the rows and bounded on the other half, and vice versa.
    """
    rng = generator(seed, 16)
    sides = [np.hstack([s.values, s.labels]) for s in (x, y)]
    kinds = [s.values.shape[1] for s in (x, y)]
    order = rng.permutation(len(x))
    terms, pairs = [], []
    for chosen, read in (np.array_split(order, 2), np.array_split(order, 2)[::-1]):
        i, j = best_pair(*sides, chosen)
        points = _points(sides[0][:, i], i >= kinds[0], rng)
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
    """Joins the notes that are not empty."""
    return "; ".join(filter(None, notes))


def _points(column: np.ndarray, label: bool, rng: np.random.Generator) -> np.ndarray:
    if label:
        return LABEL_APART * column[:, None].astype(float)
    return Columns(column[:, None].astype(float), np.zeros((len(column), 0), int)).scores(rng)
