"""Times of estimators beside other ways to the same number, as ratios taken in one run.

    python benchmarks/information_speed.py

Markdown: "ksg" beside scikit-learn in one dimension, and what an aggregated posterior of
60,000 examples and 10 latent variables costs: its joint density at all samples, its ten marginals
from tables, and one of the marginals summed query by query, as a joint in one dimension.
"""

import math
import time
from collections.abc import Callable

import numpy as np
from sklearn.feature_selection import mutual_info_regression

from keras_infomodels.information import AggregatedPosterior, ksg

REPEATS = 5
N, D, SCALE = 60_000, 10, 0.3


def timed(function: Callable) -> tuple[float, np.ndarray | float]:
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def neighbors(n: int):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, n))
    y = 0.7 * x + math.sqrt(1 - 0.7**2) * noise

    def others() -> float:
        return mutual_info_regression(x[:, None], y, discrete_features=False)[0]

    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(timed(lambda: ksg(x, y).nats))
        theirs.append(timed(others))
    (seconds, nats), (their_seconds, their_nats) = min(ours), min(theirs)
    print(
        f"| KSG, {n:,} pairs | {seconds:.3f} | scikit-learn | {their_seconds:.3f} | "
        f"{seconds / their_seconds:.2f} | {abs(nats - their_nats):.4f} |"
    )


def marginals():
    rng = np.random.default_rng(0)
    loc = math.sqrt(1 - SCALE**2) * rng.normal(size=(N, D))
    scale = np.full((N, D), SCALE)
    q = AggregatedPosterior(loc + scale * rng.normal(size=(N, D)), loc, scale)
    joint, _ = timed(lambda: q.log_prob)
    table, tabulated = timed(lambda: q.marginals)
    first = AggregatedPosterior(q.z[:, :1], loc[:, :1], scale[:, :1])
    direct, one_by_one = timed(lambda: first.log_prob)
    difference = np.abs(tabulated[:, 0] - one_by_one).max()
    print(
        f"| {D} marginals, {N:,} points, tables | {table:.1f} | query by query ({D} times one) | "
        f"{D * direct:.1f} | {table / (D * direct):.3f} | {difference:.1e} |"
    )
    print(f"| the joint | {joint:.1f} | the tables | {table:.1f} | {joint / table:.0f} | |")


if __name__ == "__main__":
    print("| what | seconds | beside | seconds | ratio | largest difference, nats |")
    print("|---|---|---|---|---|---|")
    for count in (1000, 10_000, 50_000):
        neighbors(count)
    marginals()
