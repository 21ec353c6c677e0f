"""Several critics trained at once, the best of which gives the bound on held-out pairs.

The members are critics that start at 0, critics that are added to the Gaussian copula's log ratio,
critics on the columns that show some dependence by themselves, and critics of shuffled pairs.
"""

import math
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import chi2

from keras_infomodels.information.checks import Z, joined, pair_floor
from keras_infomodels.information.columns import Columns
from keras_infomodels.information.copula import (
    GaussianRatio,
    NormalScores,
    copula_information,
    shuffled_copula,
)
from keras_infomodels.information.critics import ConvolutionalCritic, StackedCritic
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.information.held_out import pair_information, parts_of
from keras_infomodels.information.members import (
    Inputs,
    Members,
    Parts,
    for_members,
    gaussian_scores,
    ratio_bound,
    train,
)
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator

__all__ = ["trained"]

_TEST, _VALIDATION = 0.2, 0.15
_LEAST = 40
"""Smallest number of rows for which critics are trained."""
_BLOCK = 1000
_SHUFFLES = 10
_SHARE = 0.75
"""Position of the answer between the bounds on test pairs (0) and on training pairs (1).

In `benchmarks/estimates.py` 69 answers of critics had a mean absolute error of .077 nats at 0.5,
.059 at 0.75 and .049 at 1. Of noisy images the bound on training pairs is too large.
"""
_HOPELESS = -0.5
"""Smallest validation bound of the Gaussian ratio, in nats, for which critics start from it."""


def trained(x: Columns, y: Columns, seed: int, settings: NeuralSettings) -> Estimate:
    """Estimates I(X;Y) by critics; the result is at least the bound of the best pair of columns."""
    if len(x) < _LEAST:
        return _few_rows(x, y, seed)
    parts, selected = split_inputs(x, y, seed)
    names, members, weights = _members(parts, selected, settings, x.images is not None
                                       or y.images is not None)  # fmt: skip
    history = train(members, names, parts, settings)
    estimate = _read(members, names, parts, history)
    if weights is not None:
        settings.critic.set_weights(weights)
    if x.images is not None or y.images is not None:
        return estimate
    return _with_floor(_or_copula(estimate, x, y, seed), x, y, seed)


def split_inputs(x: Columns, y: Columns, seed: int) -> tuple[Parts, list[np.ndarray]]:
    """Shuffles pairs, splits them in three parts and scales them by the training part.

    Returns:
        The parts, and for each side the columns that depend on a column of the other side.
    """
    n = len(x)
    order = generator(seed, 2).permutation(n)
    test, validation = round(_TEST * n), round(_VALIDATION * n)
    rows = np.split(order, [test, test + validation])
    sides = [_inputs(side) for side in (x, y)]
    scaled = []
    for side, original in zip(sides, (x, y), strict=True):
        scale = NormalScores(side[rows[2]]) if original.images is None else np.asarray
        scaled.append([scale(side[part]) for part in rows])
    held, stop, train = zip(*scaled, strict=True)
    selected = []
    if x.images is None and y.images is None:
        selected = _dependent(*(side[rows[2]] for side in sides))
    return Parts(train, stop, held), selected


def _inputs(side: Columns) -> np.ndarray:
    """Numbers, and one-hot labels and numbers of few values; or images."""
    if side.images is not None:
        return side.images
    labeled = side.as_labels(50)
    kinds = [np.eye(c.max() + 1)[c] for c in labeled.labels.T]
    return np.hstack([side.values, *kinds])


def _dependent(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Columns (d_x,) and (d_y,) for which a test of independence in twelve parts each rejects."""
    freedom = np.outer(*(np.array([parts_of(c) - 1 for c in side.T]) for side in (x, y)))
    p = chi2.sf(2 * len(x) * pair_information(x, y), freedom)
    found = p < 0.01 / p.size
    return [found.any(axis=1), found.any(axis=0)]


def _members(parts: Parts, selected, settings: NeuralSettings, images: bool):
    """Names, the members, and the weights that are restored in a caller's critic."""
    keras.utils.set_random_seed(settings.seed)
    x, y = (a[:2] for a in parts.train)
    if settings.critic is not None:
        ratio = GaussianRatio.fit(*parts.train) if settings.warm_start and not images else None
        settings.critic((x, y))
        name = "plain" if ratio is None else "warm"
        members = Members([settings.critic], None, ratio, [float(ratio is not None)])
        return [name], members, settings.critic.get_weights()
    if images:
        critics = [ConvolutionalCritic(x.shape[1:], y.shape[1:]) for _ in range(2)]
        for critic in critics:
            critic((x, y))
        return ["plain", "shuffled"], Members(critics, None, None, [0.0, 0.0]), None
    ones = [np.ones(a.shape[1]) for a in (x, y)]
    columns = {"plain": ones}
    ratio = GaussianRatio.fit(*parts.train, shrink=True) if settings.warm_start else None
    if ratio is not None and ratio_bound(ratio, parts.validation) > _HOPELESS:
        columns["warm"] = ones
    if all(mask.any() for mask in selected) and not all(mask.all() for mask in selected):
        columns["selected"] = selected
    columns["shuffled"] = ones
    names = list(columns)
    inputs = [
        Inputs(
            np.stack([columns[name][side] for name in names]),
            [name != "plain" for name in names],
        )
        for side in (0, 1)
    ]
    critic = StackedCritic(len(names))
    critic((inputs[0](x[None]), inputs[1](y[None])))
    warm = [float(name == "warm") for name in names]
    return names, Members(critic, inputs, ratio, warm), None


def _terms(members: Members, names, pair, partners) -> np.ndarray:
    """Terms of InfoNCE (candidates, n): of f = 0, the ratio, the members, and the members' mean.

    The last row is that of the member of shuffled pairs, on shuffled pairs.
    """
    x, y = (tf.constant(a)[None] for a in pair)
    y = for_members(y[0], partners, names)
    scores = members(x, y).numpy().astype(np.float64)
    real = [i for i, name in enumerate(names) if name != "shuffled"]
    tables = [np.zeros_like(scores[0])]
    if members.ratio is not None:
        tables.append(gaussian_scores(members.ratio, x[0], y[0]).numpy().astype(np.float64))
    tables += [scores[i] for i in real] + [scores[real].mean(axis=0)]
    tables += [scores[i] for i, name in enumerate(names) if name == "shuffled"]
    return np.stack([np.diag(f) - logsumexp(f, axis=1) + math.log(len(f)) for f in tables])


def _read(members: Members, names: list[str], parts: Parts, history: dict) -> Estimate:
    """Estimate of the candidate that is best on validation pairs.

    If critics could represent the log ratio and were trained to the end, the bound on training
    pairs would be about as much too large as the bound on test pairs is too small (Akaike,
    "Information theory and an extension of the maximum likelihood principle", 1973). Training stops
    early and both lack what the critic does not represent, so the answer is nearer to the former.
    The Gaussian ratio is fitted to the end: of its own excess a half is added.
    """
    rng = generator(0, 4)
    count = min(len(parts.test[0]), _BLOCK * 3)
    test = tuple(a[:count] for a in parts.test)
    blocks = min(3, max(1, len(parts.train[0]) // count))
    train_blocks = [tuple(a[i * count : (i + 1) * count] for a in parts.train)
                    for i in range(blocks)]  # fmt: skip
    order = rng.permutation(count)
    shuffled = history.pop("shuffled")[0]
    candidates = ["constant"] + ["ratio"] * (members.ratio is not None)
    candidates += [name for name in names if name != "shuffled"] + ["mean"]
    last = "shuffled" in names
    stop = _terms(members, names, parts.validation, shuffled[1])
    held, *seen = (_terms(members, names, p, order[: len(p[0])]) for p in (test, *train_blocks))
    seen = np.hstack(seen)
    best = int(stop[: len(candidates)].mean(axis=1).argmax())
    bound = mean_estimate(held[best], "lower bound", math.log(count))
    fitted = mean_estimate(seen[best], "estimate")
    excess = max(fitted.nats - bound.nats, 0.0)
    checks = {
        name: mean_estimate(terms, "lower bound")
        for name, terms in zip(candidates, held, strict=False)
        if name != "constant"
    }
    checks |= {"held-out bound": bound, "on training pairs": fitted}
    if last:
        checks["shuffled"] = mean_estimate(held[-1])
    history = history | {
        "val_bound": history.get(f"val_{candidates[best]}", history["val_" + names[0]])
    }
    of_ratio = 0.0
    if "ratio" in candidates and candidates[best] not in ("constant", "plain"):
        of_ratio = float(np.clip(seen[1].mean() - held[1].mean(), 0, excess))
    middle = bound.nats + _SHARE * (excess - of_ratio) + of_ratio / 2
    error = bound.standard_error
    if not best:  # nothing was found: what the members could have missed
        error = mean_estimate(held[2]).standard_error
    notes = []
    if bound.nats > 0.75 * math.log(count):
        notes.append(
            f"{bound.nats:.2f} nats is near or above ln {count} = {math.log(count):.2f}, what as "
            "many pairs can certify: the truth may lie well above. Take more pairs"
        )
    if excess > max(0.3, 0.3 * middle):
        notes.append(
            f"the critic says {fitted.nats:.2f} nats of the pairs that it was trained on and "
            f"{bound.nats:.2f} of others: it has too few rows"
        )
    return Estimate(
        middle if best else 0.0,
        error,
        "estimate",
        math.log(count),
        "info_nce",
        "; ".join(notes),
        history,
        checks,
        (bound.nats - Z * bound.standard_error, fitted.nats + Z * error + 0.01),
        "critics of this kind can represent the log ratio: this is their bound on pairs they know",
    )


def _or_copula(estimate: Estimate, x: Columns, y: Columns, seed: int) -> Estimate:
    """Returns the copula's answer if critics find no more and held-out pairs agree with it.

    Of shuffled pairs it must say 0, with the spread that Gaussian data have. Of independent images
    of 256 pixels it says up to half a nat.
    """
    numbers = not (x.labels.shape[1] or y.labels.shape[1])
    if not numbers or "ratio" not in estimate.checks or len(x) <= x.width + y.width + 1:
        return estimate
    copula = copula_information(x.values, y.values)
    held = estimate.checks["ratio"]
    shuffled = shuffled_copula(x.values, y.values, generator(seed, 17), _SHUFFLES)
    checks = {**estimate.checks, "copula": copula, "copula, shuffled": shuffled}
    # Expected loss of the fitted ratio on new pairs, by its number of moments.
    lost = x.width * y.width / (2 * (1 - _TEST - _VALIDATION) * len(x))
    agrees = abs(copula.nats - lost - held.nats) <= 0.05 + 0.5 * lost + 2 * math.hypot(
        copula.standard_error, held.standard_error
    )  # fmt: skip
    # The middle of the bounds: overfitting raises the bound on training pairs.
    bounds = [estimate.checks[name].nats for name in ("held-out bound", "on training pairs")]
    gain = sum(bounds) / 2 - copula.nats
    spread, of_gaussians = shuffled.standard_error, math.sqrt(x.width * y.width / 2) / len(x)
    trusted = spread <= 2 * of_gaussians + 0.01 and abs(shuffled.nats) <= 0.03 + 2 * spread
    more = gain > 0.03 + 2 * math.hypot(copula.standard_error, held.standard_error)
    if more or not (agrees and trusted):
        return replace(estimate, checks=checks)
    return replace(
        copula,
        method="copula",
        note="",
        history=estimate.history,
        checks=checks,
        interval=(
            estimate.interval[0],
            max(copula.nats + Z * copula.standard_error + 0.01, estimate.interval[0]),
        ),
        assumption="the columns are jointly Gaussian, up to monotone maps of each",
    )


def _with_floor(estimate: Estimate, x: Columns, y: Columns, seed: int) -> Estimate:
    """Raises the estimate to the held-out bound of the best pair minus two standard errors."""
    bound, near, (i, j) = pair_floor(x, y, seed)
    pair = f"columns {i} of x and {j} of y"
    checks = {**estimate.checks, "best pair": bound, "best pair, ksg": near}
    floor = bound.nats - 2 * bound.standard_error
    if estimate.nats < floor and floor > 0:
        interval = (floor, None)
        estimate = replace(estimate, nats=bound.nats, standard_error=bound.standard_error,
                           kind="lower bound", method="best pair", interval=interval,
                           assumption="")  # fmt: skip
    margin = max(0.1, 0.1 * abs(estimate.nats)) + 2 * near.standard_error
    note = estimate.note
    if near.nats - margin > estimate.nats:
        note = joined(note, f"nearest neighbors say {near.nats:.2f} nats of {pair} alone: this is "
                            "too low")  # fmt: skip
    return replace(estimate, checks=checks, note=note)


def _few_rows(x: Columns, y: Columns, seed: int) -> Estimate:
    """Estimate from too few rows to hold any out, by the copula or nearest neighbors."""
    from keras_infomodels.information.neighbors import ksg, mixed_ksg

    note = f"{len(x)} rows are too few to check the answer on rows that were held out"
    numbers = not (x.labels.shape[1] or y.labels.shape[1])
    if numbers and len(x) > x.width + y.width + 1:
        return replace(copula_information(x.values, y.values), method="copula", note=note)
    rng = generator(seed, 5)
    k = min(3, len(x) - 1)
    if numbers:
        return replace(ksg(x.scores(rng), y.scores(rng), k), method="ksg", note=note)
    labels = [s.joint_label() if s.labels.shape[1] else None for s in (x, y)]
    return replace(mixed_ksg(x.scores(rng), y.scores(rng), k, *labels), method="mixed", note=note)
