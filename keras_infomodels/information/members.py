"""Training of several critics at once, each to its own best epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.information.copula import GaussianRatio
from keras_infomodels.information.critics import StackedCritic
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator

__all__ = [
    "Inputs",
    "Members",
    "Parts",
    "for_members",
    "gaussian_scores",
    "ratio_bound",
    "train",
]

_ROWS = 1000
_DECAY = 0.98
"""Decay of the moving average of the weights, per step."""
_LARGEST = 4.0
"""Largest absolute value of the scaled squared norm."""


@dataclass(frozen=True)
class Parts:
    """Training, validation and test pairs: x and y of each."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


class Inputs:
    """Inputs of each member from one side: its columns and their squared norm.

    A network learns slowly what depends on the distance from the center, such as heavy tails in
    several columns at once, and the rows are few.

    Args:
        columns: bool or float array (members, d). Columns that each member sees.
        norms: sequence of bool. Members that see the squared norm of their columns.
    """

    def __init__(self, columns: np.ndarray, norms: Sequence[bool]):
        columns = np.asarray(columns, np.float32)
        self.columns = tf.constant(columns[:, None])
        self.width = tf.constant(columns.sum(axis=1).reshape(-1, 1, 1))
        self.norms = tf.constant(np.reshape(norms, (-1, 1, 1)), tf.float32)

    def __call__(self, x) -> tf.Tensor:
        """Computes inputs (members, n, d + 1) of x (1, n, d) or (members, n, d)."""
        x = x * self.columns
        squares = tf.reduce_sum(x * x, axis=-1, keepdims=True)
        # Mean 0 and variance 1 for independent columns of N(0, 1).
        norm = (squares - self.width) * tf.math.rsqrt(2 * self.width)
        norm = self.norms * tf.clip_by_value(norm, -_LARGEST, _LARGEST)
        return tf.concat([x, norm], axis=-1)


class Members:
    """Several critics as one function from x and y to scores (members, n, m).

    Args:
        critic: `StackedCritic`, or list of Keras critics, one per member.
        inputs: `Inputs` of x and of y; None for images.
        ratio: `GaussianRatio`. Fixed part of the members that `warm` names, or None.
        warm: sequence of float. 1 for members with the fixed part, 0 for the others.
    """

    def __init__(self, critic, inputs, ratio: GaussianRatio | None, warm: Sequence[float]):
        self.critic, self.inputs, self.ratio = critic, inputs, ratio
        self.warm = tf.constant(np.reshape(warm, (-1, 1, 1)), tf.float32)
        self.starts_warm = any(warm)

    @property
    def variables(self) -> list:
        """List of the trainable variables."""
        if isinstance(self.critic, keras.layers.Layer):
            return self.critic.trainable_variables
        return [v for critic in self.critic for v in critic.trainable_variables]

    def __call__(self, x, y) -> tf.Tensor:
        """Computes scores of x and y, (members, n, ...) or (1, n, ...)."""
        if self.inputs is not None:
            scores = self.critic((self.inputs[0](x), self.inputs[1](y)))
        else:
            pick = lambda a, i: a[i if a.shape[0] != 1 else 0]  # noqa: E731
            scores = tf.stack([c((pick(x, i), pick(y, i))) for i, c in enumerate(self.critic)])
        if self.ratio is not None and self.starts_warm:
            scores += self.warm * gaussian_scores(self.ratio, x, y)
        return scores


def gaussian_scores(ratio: GaussianRatio, x, y) -> tf.Tensor:
    """Computes the log of the Gaussian ratio (..., n, m) of x (..., n, d_x) and y (..., m, d_y)."""
    x, y = x - tf.cast(ratio.x_mean, x.dtype), y - tf.cast(ratio.y_mean, y.dtype)
    p, q, c = (tf.cast(m, x.dtype) for m in (ratio.x_form, ratio.y_form, ratio.cross))
    own_x = tf.reduce_sum(tf.matmul(x, p) * x, axis=-1, keepdims=True)
    own_y = tf.reduce_sum(tf.matmul(y, q) * y, axis=-1)[..., None, :]
    return tf.matmul(tf.matmul(x, c), y, transpose_b=True) + own_x + own_y + ratio.constant


def ratio_bound(ratio: GaussianRatio, pair) -> float:
    """Computes InfoNCE of the Gaussian ratio alone."""
    scores = gaussian_scores(ratio, *(tf.constant(a[:_ROWS]) for a in pair))
    return float(info_nce(scores[None])[0])


def train(members: Members, names: list[str], parts: Parts, settings: NeuralSettings) -> dict:
    """Maximizes InfoNCE of every member, and restores its weights of the best validation epoch.

    The weights are a moving average over steps, which is better on other pairs than the weights of
    any step. Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging",
    1992.
    """
    rng = generator(settings.seed, 3)
    n, count = len(parts.train[0]), len(names)
    size = min(settings.batch_size, n)
    steps = n // size
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.build(members.variables)
    averages = [tf.Variable(v, trainable=False) for v in members.variables]
    taken = tf.Variable(0.0, trainable=False)
    data = [tf.constant(a) for a in parts.train]
    shuffled = [rng.permutation(len(a)) for a in (parts.train[1], parts.validation[1])]
    stop_x, stop_y = (tf.constant(a)[None] for a in parts.validation)
    stop_y = for_members(stop_y[0], shuffled[1], names)

    @tf.function(autograph=False)
    def step(rows, partners):
        x = tf.gather(data[0], rows)[None]
        y = tf.stack([tf.gather(data[1], partners if name == "shuffled" else rows)
                      for name in names])  # fmt: skip
        with tf.GradientTape() as tape:
            bounds = info_nce(members(x, y))
            loss = -tf.reduce_sum(bounds)
        gradients = tape.gradient(loss, members.variables)
        optimizer.apply(_clipped(gradients, count, members), members.variables)
        taken.assign_add(1.0)
        rate = tf.maximum(1 - _DECAY, 9 / (9 + taken))  # soon forgets the weights at the start
        for average, variable in zip(averages, members.variables, strict=True):
            average.assign_add(rate * (variable - average))

    @tf.function(autograph=False)
    def exchange():
        for average, variable in zip(averages, members.variables, strict=True):
            kept = tf.identity(variable)
            variable.assign(average)
            average.assign(kept)

    @tf.function(autograph=False)
    def epoch(rows, partners):
        tf.while_loop(
            lambda i: i < steps,
            lambda i: (step(rows[i], partners[i]), i + 1)[1:],
            [tf.constant(0)],
        )

    @tf.function(autograph=False)
    def validate():
        return info_nce(members(stop_x, stop_y))

    best = _Best(members, count, validate().numpy())
    history = {f"val_{name}": [] for name in names}
    for index in range(1, settings.epochs + 1):
        rows = rng.permutation(n)[: steps * size].reshape(steps, size)
        epoch(tf.constant(rows), tf.constant(shuffled[0][rows]))
        exchange()
        values = validate().numpy()
        if not np.isfinite(values).all():
            raise FloatingPointError(
                "Scores are not finite: training diverged. Lower learning_rate."
            )
        for name, value in zip(names, values, strict=True):
            history[f"val_{name}"].append(float(value))
        if best.stops(index, values, settings.patience):
            break
        exchange()
    best.restore()
    return history | {"shuffled": [shuffled]}


class _Best:
    """Best validation bound of each member, with its weights."""

    def __init__(self, members: Members, count: int, values: np.ndarray):
        self.members, self.values = members, values.copy()
        self.epochs = np.zeros(count, int)
        self.weights = [np.array(v) for v in members.variables]

    def stops(self, epoch: int, values: np.ndarray, patience: int) -> bool:
        """Records the validation bounds of an epoch, and returns whether training stops."""
        better = values > self.values
        for member in np.flatnonzero(better):
            for kept, now, part in self._parts(member):
                kept[part] = now[part]
        self.values[better], self.epochs[better] = values[better], epoch
        return bool(np.all(epoch - self.epochs >= max(patience, 1)))

    def _parts(self, member: int):
        """Best and present weights, and which entries belong to the member."""
        if isinstance(self.members.critic, StackedCritic):
            for kept, variable in zip(self.weights, self.members.variables, strict=True):
                yield kept, np.array(variable), member
            return
        sizes = [len(critic.trainable_variables) for critic in self.members.critic]
        start = sum(sizes[:member])
        for index in range(start, start + sizes[member]):
            yield self.weights[index], np.array(self.members.variables[index]), ...

    def restore(self):
        """Restores the best weights of every member."""
        for variable, weights in zip(self.members.variables, self.weights, strict=True):
            variable.assign(weights)


def _clipped(gradients: list, count: int, members: Members) -> list:
    """Clips the gradients of each member to a norm of 10."""
    if not isinstance(members.critic, StackedCritic):
        return tf.clip_by_global_norm(gradients, 10.0)[0]
    squares = [tf.reduce_sum(tf.reshape(g, (count, -1)) ** 2, axis=1) for g in gradients]
    factor = tf.minimum(1.0, 10.0 / (tf.sqrt(tf.add_n(squares)) + 1e-12))
    return [g * tf.reshape(factor, [count] + [1] * (len(g.shape) - 1)) for g in gradients]


def info_nce(scores: tf.Tensor) -> tf.Tensor:
    """Computes InfoNCE of each member, (members,), from scores (members, n, n)."""
    size = tf.cast(tf.shape(scores)[-1], scores.dtype)
    terms = tf.linalg.diag_part(scores) - tf.reduce_logsumexp(scores, axis=-1)
    return tf.reduce_mean(terms, axis=-1) + tf.math.log(size)


def for_members(y: tf.Tensor, partners: np.ndarray, names: list[str]) -> tf.Tensor:
    """Returns y for each member, shuffled for the member of that name."""
    return tf.stack([tf.gather(y, partners) if name == "shuffled" else y for name in names])
