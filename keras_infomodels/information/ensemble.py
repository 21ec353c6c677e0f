"""Several critics that are trained at once, the best of which is read out on pairs it has not seen.

Members: without a start, above the Gaussian copula's log ratio, on the columns that show some
dependence by themselves, and on shuffled pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
)
from keras_infomodels.information.critics import ConvolutionalCritic, StackedCritic
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.information.held_out import pair_information, parts_of
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator

__all__ = ["trained"]

_TEST, _VALIDATION = 0.2, 0.15
_LEAST = 40
"""Rows below which no critic is trained."""
_BLOCK = 1000


@dataclass(frozen=True)
class Parts:
    """Inputs of the critics by their use: x and y of each."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


class Members:
    """Critics as one function from x and y to scores (members, n, m).

    Args:
        critic: a `StackedCritic`, or Keras critics, one a member.
        masks: of x's and of y's columns for each member, (members, 1, d); None for images.
        ratio: the fixed part of those members that `warm` names.
        warm: 1 or 0 for each member.
    """

    def __init__(self, critic, masks, ratio: GaussianRatio | None, warm: Sequence[float]):
        self.critic, self.masks, self.ratio = critic, masks, ratio
        self.warm = tf.constant(np.reshape(warm, (-1, 1, 1)), tf.float32)

    @property
    def variables(self) -> list:
        if isinstance(self.critic, keras.layers.Layer):
            return self.critic.trainable_variables
        return [v for critic in self.critic for v in critic.trainable_variables]

    def __call__(self, x, y) -> tf.Tensor:
        """x and y: (members, n, ...) or (1, n, ...)."""
        if self.masks is not None:
            x, y = x * self.masks[0], y * self.masks[1]
        if isinstance(self.critic, StackedCritic):
            scores = self.critic((x, y))
        else:
            pick = lambda a, i: a[i if a.shape[0] != 1 else 0]  # noqa: E731
            scores = tf.stack([c((pick(x, i), pick(y, i))) for i, c in enumerate(self.critic)])
        if self.ratio is not None:
            scores += self.warm * gaussian_scores(self.ratio, x, y)
        return scores


def gaussian_scores(ratio: GaussianRatio, x, y) -> tf.Tensor:
    """ln of the Gaussian ratio, (..., n, m), of x (..., n, d_x) and y (..., m, d_y)."""
    x, y = x - tf.cast(ratio.x_mean, x.dtype), y - tf.cast(ratio.y_mean, y.dtype)
    p, q, c = (tf.cast(m, x.dtype) for m in (ratio.x_form, ratio.y_form, ratio.cross))
    own_x = tf.reduce_sum(tf.matmul(x, p) * x, axis=-1, keepdims=True)
    own_y = tf.reduce_sum(tf.matmul(y, q) * y, axis=-1)[..., None, :]
    return tf.matmul(tf.matmul(x, c), y, transpose_b=True) + own_x + own_y + ratio.constant


def trained(x: Columns, y: Columns, seed: int, settings: NeuralSettings) -> Estimate:
    """I(X;Y) by critics, with a floor by the best single pair of columns."""
    if len(x) < _LEAST:
        return _few_rows(x, y, seed)
    parts, selected = split_inputs(x, y, seed)
    names, members, weights = _members(parts, selected, settings, x.images is not None
                                       or y.images is not None)  # fmt: skip
    history = _train(members, names, parts, settings)
    estimate = _read(members, names, parts, history)
    if weights is not None:
        settings.critic.set_weights(weights)
    if x.images is not None or y.images is not None:
        return estimate
    return _with_floor(_or_copula(estimate, x, y), x, y, seed)


def split_inputs(x: Columns, y: Columns, seed: int) -> tuple[Parts, list[np.ndarray]]:
    """Shuffled pairs in three parts, on the scale of the training part; and for each side, which
    columns of its inputs depend by themselves on a column of the other."""
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
    """Numbers, and labels and numbers of few values as one of K; or images."""
    if side.images is not None:
        return side.images
    labeled = side.as_labels(50)
    kinds = [np.eye(c.max() + 1)[c] for c in labeled.labels.T]
    return np.hstack([side.values, *kinds])


def _dependent(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Bool (d_x,) and (d_y,): whether a test of independence in twelve parts each rejects."""
    freedom = np.outer(*(np.array([parts_of(c) - 1 for c in side.T]) for side in (x, y)))
    p = chi2.sf(2 * len(x) * pair_information(x, y), freedom)
    found = p < 0.01 / p.size
    return [found.any(axis=1), found.any(axis=0)]


def _members(parts: Parts, selected, settings: NeuralSettings, images: bool):
    """Names, the members, and the weights to give a caller's critic back."""
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
    masks = {"plain": ones}
    if settings.warm_start:
        masks["warm"] = ones
    if all(mask.any() for mask in selected) and not all(mask.all() for mask in selected):
        masks["selected"] = selected
    masks["shuffled"] = ones
    names = list(masks)
    stacked = [tf.constant(np.stack([masks[n][i] for n in names])[:, None], tf.float32)
               for i in (0, 1)]  # fmt: skip
    critic = StackedCritic(len(names))
    critic((x[None], y[None]))
    ratio = GaussianRatio.fit(*parts.train, shrink=True) if settings.warm_start else None
    warm = [float(name == "warm") for name in names]
    return names, Members(critic, stacked, ratio, warm), None


def _train(members: Members, names: list[str], parts: Parts, settings: NeuralSettings) -> dict:
    """Raises InfoNCE of every member and leaves each with its best weights on validation pairs."""
    rng = generator(settings.seed, 3)
    n, count = len(parts.train[0]), len(names)
    size = min(settings.batch_size, n)
    steps = n // size
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.build(members.variables)
    data = [tf.constant(a) for a in parts.train]
    shuffled = [rng.permutation(len(a)) for a in (parts.train[1], parts.validation[1])]
    stop_x, stop_y = (tf.constant(a)[None] for a in parts.validation)
    stop_y = _for_members(stop_y[0], shuffled[1], names)

    @tf.function(autograph=False)
    def step(rows, partners):
        x = tf.gather(data[0], rows)[None]
        y = tf.stack([tf.gather(data[1], partners if name == "shuffled" else rows)
                      for name in names])  # fmt: skip
        with tf.GradientTape() as tape:
            bounds = _info_nce(members(x, y))
            loss = -tf.reduce_sum(bounds)
        gradients = tape.gradient(loss, members.variables)
        optimizer.apply(_clipped(gradients, count, members), members.variables)

    @tf.function(autograph=False)
    def epoch(rows, partners):
        tf.while_loop(
            lambda i: i < steps,
            lambda i: (step(rows[i], partners[i]), i + 1)[1:],
            [tf.constant(0)],
        )

    @tf.function(autograph=False)
    def validate():
        return _info_nce(members(stop_x, stop_y))

    best = _Best(members, count, validate().numpy())
    history = {f"val_{name}": [] for name in names}
    for index in range(1, settings.epochs + 1):
        rows = rng.permutation(n)[: steps * size].reshape(steps, size)
        epoch(tf.constant(rows), tf.constant(shuffled[0][rows]))
        values = validate().numpy()
        if not np.isfinite(values).all():
            raise FloatingPointError("A score is not finite: training diverged. Lower its rate.")
        for name, value in zip(names, values, strict=True):
            history[f"val_{name}"].append(float(value))
        if best.stops(index, values, settings.patience):
            break
    best.restore()
    return history | {"shuffled": [shuffled]}


class _Best:
    """Each member's best validation bound and the weights that it had there."""

    def __init__(self, members: Members, count: int, values: np.ndarray):
        self.members, self.values = members, values.copy()
        self.epochs = np.zeros(count, int)
        self.weights = [np.array(v) for v in members.variables]

    def stops(self, epoch: int, values: np.ndarray, patience: int) -> bool:
        better = values > self.values
        for member in np.flatnonzero(better):
            for kept, now, part in self._parts(member):
                kept[part] = now[part]
        self.values[better], self.epochs[better] = values[better], epoch
        return bool(np.all(epoch - self.epochs >= max(patience, 1)))

    def _parts(self, member: int):
        """Kept and present weights, and which of them are the member's."""
        if isinstance(self.members.critic, StackedCritic):
            for kept, variable in zip(self.weights, self.members.variables, strict=True):
                yield kept, np.array(variable), member
            return
        sizes = [len(critic.trainable_variables) for critic in self.members.critic]
        start = sum(sizes[:member])
        for index in range(start, start + sizes[member]):
            yield self.weights[index], np.array(self.members.variables[index]), ...

    def restore(self):
        for variable, weights in zip(self.members.variables, self.weights, strict=True):
            variable.assign(weights)


def _clipped(gradients: list, count: int, members: Members) -> list:
    """Gradients whose norm is at most 10 for each member."""
    if not isinstance(members.critic, StackedCritic):
        return tf.clip_by_global_norm(gradients, 10.0)[0]
    squares = [tf.reduce_sum(tf.reshape(g, (count, -1)) ** 2, axis=1) for g in gradients]
    factor = tf.minimum(1.0, 10.0 / (tf.sqrt(tf.add_n(squares)) + 1e-12))
    return [g * tf.reshape(factor, [count] + [1] * (len(g.shape) - 1)) for g in gradients]


def _info_nce(scores: tf.Tensor) -> tf.Tensor:
    """InfoNCE of each member, (members,), of scores (members, n, n)."""
    size = tf.cast(tf.shape(scores)[-1], scores.dtype)
    terms = tf.linalg.diag_part(scores) - tf.reduce_logsumexp(scores, axis=-1)
    return tf.reduce_mean(terms, axis=-1) + tf.math.log(size)


def _for_members(y: tf.Tensor, partners: np.ndarray, names: list[str]) -> tf.Tensor:
    """y for each member, shuffled for the member of that name."""
    return tf.stack([tf.gather(y, partners) if name == "shuffled" else y for name in names])


def _terms(members: Members, names, pair, partners) -> np.ndarray:
    """Terms of InfoNCE: (candidates, n) of what knows nothing, the ratio, the members, their mean.

    The last row is of the member that was trained on shuffled pairs, on such pairs.
    """
    x, y = (tf.constant(a)[None] for a in pair)
    y = _for_members(y[0], partners, names)
    scores = members(x, y).numpy().astype(np.float64)
    real = [i for i, name in enumerate(names) if name != "shuffled"]
    tables = [np.zeros_like(scores[0])]
    if members.ratio is not None:
        tables.append(gaussian_scores(members.ratio, x[0], y[0]).numpy().astype(np.float64))
    tables += [scores[i] for i in real] + [scores[real].mean(axis=0)]
    tables += [scores[i] for i, name in enumerate(names) if name == "shuffled"]
    return np.stack([np.diag(f) - logsumexp(f, axis=1) + math.log(len(f)) for f in tables])


def _read(members: Members, names: list[str], parts: Parts, history: dict) -> Estimate:
    """The candidate that is best on validation pairs, by its bounds on test and on training pairs.

    A bound on pairs that were seen errs upwards about as much as one on others errs downwards, so
    the answer is half-way. Source of the idea: Akaike, "Information theory and an extension of
    the maximum likelihood principle", 1973.
    """
    rng = generator(0, 4)
    count = min(len(parts.test[0]), _BLOCK * 3)
    test, train = (tuple(a[:count] for a in pair) for pair in (parts.test, parts.train))
    order = rng.permutation(count)
    shuffled = history.pop("shuffled")[0]
    candidates = ["constant"] + ["ratio"] * (members.ratio is not None)
    candidates += [name for name in names if name != "shuffled"] + ["mean"]
    last = "shuffled" in names
    stop = _terms(members, names, parts.validation, shuffled[1])
    held, seen = (_terms(members, names, pair, order[: len(pair[0])]) for pair in (test, train))
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
    if "ratio" in candidates:
        gain = mean_estimate(held[best] - held[1])
        history = history | {"gain_over_copula": [gain.nats, gain.standard_error]}
    history = history | {
        "val_bound": history.get(f"val_{candidates[best]}", history["val_" + names[0]])
    }
    middle = bound.nats + excess / 2
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


def _or_copula(estimate: Estimate, x: Columns, y: Columns) -> Estimate:
    """The copula's answer, where critics say no more and held-out pairs agree with it."""
    numbers = not (x.labels.shape[1] or y.labels.shape[1])
    if not numbers or "ratio" not in estimate.checks or len(x) <= x.width + y.width + 1:
        return estimate
    copula = copula_information(x.values, y.values)
    held = estimate.checks["ratio"]
    checks = {**estimate.checks, "copula": copula}
    # What the ratio of so many moments loses on pairs that it was not fitted to.
    lost = x.width * y.width / (2 * (1 - _TEST - _VALIDATION) * len(x))
    agrees = abs(copula.nats - lost - held.nats) <= 0.05 + 0.5 * lost + 2 * math.hypot(
        copula.standard_error, held.standard_error
    )  # fmt: skip
    gain = estimate.nats - copula.nats
    if not agrees or gain > 0.03 + 2 * math.hypot(copula.standard_error, held.standard_error):
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
    """Never below the held-out bound of the best pair of columns less two standard errors."""
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
    """The copula, or nearest neighbors, of too few rows to hold any out."""
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
