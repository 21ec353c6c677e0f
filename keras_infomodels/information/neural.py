"""Bounds by a critic that is trained with `fit`, computed from held-out pairs."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.information import bounds
from keras_infomodels.information.copula import GaussianRatio, NormalScores
from keras_infomodels.information.critics import ConvolutionalCritic, SeparableCritic
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.read_out import READ_OUTS, summarize
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator
from keras_infomodels.tf_data import untuned

__all__ = ["NEURAL", "fit_fresh", "fit_pairs"]

Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]

NEURAL = tuple(READ_OUTS)
_STEPS = 50  # that one call takes


class CriticModel(keras.Model):
    """Critic plus a fixed log ratio, whose bound `fit` maximizes.

    Args:
        critic: Keras model from (x, y) to scores.
        estimator: str. One of `NEURAL`.
        ratio: `GaussianRatio`. Fixed part; `None` means 0.
        settings: `NeuralSettings`.
    """

    def __init__(
        self,
        critic: keras.Model,
        estimator: str,
        ratio: GaussianRatio | None,
        settings: NeuralSettings,
    ):
        super().__init__()
        self.critic, self.estimator, self.settings = critic, estimator, settings
        self.ratio = ratio
        self.bound_metric = keras.metrics.Mean("bound")
        self.baseline = None
        if estimator in ("tuba", "interpolated"):
            hidden = keras.layers.Dense(64, "relu")
            self.baseline = keras.Sequential([hidden, keras.layers.Dense(1)])
        if estimator == "mine":
            self.log_average = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="log_average"
            )

    def call(self, inputs):
        """Computes scores (n, m); with a baseline these are f - ln a(x)."""
        x, y = inputs
        scores = self.critic((x, y))
        if self.ratio is not None:
            scores += self.gaussian(x, y) + float(self.estimator == "nwj")  # best at 1 + ln ratio
        return scores if self.baseline is None else scores - self.baseline(x)

    def gaussian(self, x, y):
        """Computes the scores (n, m) of the fixed part."""
        r = self.ratio
        x, y = x - tf.cast(r.x_mean, x.dtype), y - tf.cast(r.y_mean, y.dtype)
        p, q, c = (tf.cast(m, x.dtype) for m in (r.x_form, r.y_form, r.cross))
        own_x = tf.reduce_sum(tf.matmul(x, p) * x, axis=1, keepdims=True)
        own_y = tf.reduce_sum(tf.matmul(y, q) * y, axis=1)
        return tf.matmul(tf.matmul(x, c), y, transpose_b=True) + own_x + own_y + r.constant

    def objective(self, scores):
        """Computes the objective of training: the bound itself, except for MINE, JS and SMILE."""
        if self.estimator == "mine":
            value, updated = bounds.mine(scores, self.log_average)
            self.log_average.assign(updated)
            return value
        zero = tf.zeros(tf.shape(scores)[0], scores.dtype)
        return {
            "donsker_varadhan": bounds.donsker_varadhan,
            "nwj": bounds.nwj,
            "tuba": lambda f: bounds.tuba(f, zero),
            "info_nce": bounds.info_nce,
            "interpolated": lambda f: bounds.interpolated(f, zero, self.settings.alpha),
            "jensen_shannon": bounds.jensen_shannon,
            "smile": bounds.jensen_shannon,
        }[self.estimator](scores)

    @property
    def metrics(self):
        return [self.bound_metric]

    def train_step(self, data):
        """Makes one step for each of the batches x (k, n, d_x) and y (k, n, d_y).

        One call makes k steps, since a call takes longer than a step.
        """
        values = tf.map_fn(
            self.step, data, parallel_iterations=1, fn_output_signature=self.compute_dtype
        )
        self.bound_metric.update_state(values)
        return {"bound": self.bound_metric.result()}

    def step(self, batch):
        """Updates the critic on one batch, x (n, d_x) and y (n, d_y), and returns its bound."""
        with tf.GradientTape() as tape:
            value = self.objective(self(batch, training=True))
            loss = -value
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 10.0)
        self.optimizer.apply(gradients, variables)
        return value

    def test_step(self, data):
        scores = self(data, training=False)
        if self.estimator == "mine":
            value = bounds.donsker_varadhan(scores)
        else:
            value = self.objective(scores)
        self.bound_metric.update_state(value)
        return {"bound": self.bound_metric.result()}


def fit_pairs(x: np.ndarray, y: np.ndarray, estimator: str, settings: NeuralSettings) -> Estimate:
    """Trains on most of the pairs and computes the bound on the others.

    Args:
        x: array (n, d_x) of numbers without NaN, or (n, height, width, channels), for which the
            critic has convolutions and no Gaussian start.
        y: array, as x.
        estimator: str. One of `NEURAL`.
        settings: `NeuralSettings`.
    """
    order = generator(settings.seed, 2).permutation(len(x))
    test = max(2, round(settings.held_out * len(x)))
    validation = max(2, round(test / 3))
    if len(x) - test - validation < 8:
        raise ValueError(
            f"{len(x)} rows, {settings.held_out:.0%} of them held out, are too few to train on; "
            "take 'copula'."
        )
    parts = np.split(order, [test, test + validation])
    maps = [NormalScores(a[parts[2]]) if a.ndim == 2 else np.asarray for a in (x, y)]
    held, stop, train = ((maps[0](x[p]), maps[1](y[p])) for p in parts)
    with _new_model(train, estimator, settings) as model:
        return _fit_pairs(model, train, stop, held)


def _fit_pairs(model: CriticModel, train, stop, held) -> Estimate:
    settings = model.settings
    size = min(settings.batch_size, len(train[0]))
    data = tf.data.Dataset.from_tensor_slices(train)
    data = data.shuffle(len(train[0]), settings.seed).batch(size, drop_remainder=True)
    data = data.batch(_STEPS)
    _compile(model, settings.learning_rate)
    history = model.fit(
        data,
        epochs=settings.epochs,
        validation_data=tf.data.Dataset.from_tensors(stop),
        callbacks=[
            keras.callbacks.EarlyStopping(
                "val_bound",
                mode="max",
                patience=settings.patience,
                restore_best_weights=True,
                start_from_epoch=0,
            )
        ],
        shuffle=False,
        verbose=settings.verbose,
    )
    return _read(model, held, len(held[0]), history.history)


def fit_fresh(draw: Draw, estimator: str, settings: NeuralSettings) -> Estimate:
    """Trains on new pairs in every step, and computes the bound on further ones.

    Args:
        draw: function from (n, generator) to x (n, d_x) and y (n, d_y).
        estimator: str. One of `NEURAL`.
        settings: `NeuralSettings`.
    """
    x, y = draw(10_000, generator(settings.seed, 10))
    if np.ndim(x) != 2 or np.ndim(y) != 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("The function draws x (n, d_x) and y (n, d_y), finite numbers.")
    maps = NormalScores(x), NormalScores(y)
    with _new_model((maps[0](x), maps[1](y)), estimator, settings) as model:
        return _fit_fresh(model, draw, maps)


def _fit_fresh(model: CriticModel, draw: Draw, maps) -> Estimate:
    settings = model.settings
    block = min(_STEPS, settings.steps)
    epochs = max(1, settings.steps // 1000)
    calls = math.ceil(settings.steps / block / epochs)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, epochs * calls * block)
    # XLA compilation takes seconds, and pays off after some thousand steps.
    _compile(model, rate, jit_compile=settings.steps > 5000)
    batches = tf.data.Dataset.from_generator(
        lambda: _draws(draw, maps, settings, block),
        output_signature=tuple(
            tf.TensorSpec((block, settings.batch_size, scale.width), tf.float32) for scale in maps
        ),
    )
    history = model.fit(
        untuned(batches.prefetch(2)),
        epochs=epochs,
        steps_per_epoch=calls,
        shuffle=False,
        verbose=settings.verbose,
    )
    x, y = draw(settings.candidates, generator(settings.seed, 11))
    held = maps[0](x), maps[1](y)
    return _read(model, held, settings.queries, history.history)


def _draws(draw: Draw, maps, settings: NeuralSettings, block: int) -> Iterator[tuple]:
    """Generates the batches of one call, x (block, batch_size, d_x) and y."""
    rng = generator(settings.seed, 12)
    while True:
        pairs = draw(block * settings.batch_size, rng)
        yield tuple(
            m(a).reshape(block, settings.batch_size, -1) for m, a in zip(maps, pairs, strict=True)
        )


@contextmanager
def _new_model(train, estimator: str, settings: NeuralSettings) -> Iterator[CriticModel]:
    """Restores the critic's initial weights, so that a later fit starts from untrained ones."""
    keras.utils.set_random_seed(settings.seed)
    tables = all(part.ndim == 2 for part in train)
    critic = settings.critic
    if critic is None:
        shapes = [part.shape[1:] for part in train]
        critic = SeparableCritic() if tables else ConvolutionalCritic(*shapes)
    ratio = GaussianRatio.fit(*train) if settings.warm_start and tables else None
    model = CriticModel(critic, estimator, ratio, settings)
    model(tuple(part[:2] for part in train))
    weights = critic.get_weights()
    try:
        yield model
    finally:
        critic.set_weights(weights)


def _compile(model: CriticModel, rate, **kwargs):
    model.compile(keras.optimizers.AdamW(rate, weight_decay=model.settings.weight_decay), **kwargs)
    # Create variables first; otherwise the step is traced twice.
    model.optimizer.build(model.trainable_variables)


def _read(model: CriticModel, held, queries: int, history) -> Estimate:
    scores = tf.function(
        model,
        input_signature=[tuple(tf.TensorSpec((None, *a.shape[1:])) for a in held)],
        autograph=False,
    )
    settings = model.settings
    history = {name: [float(v) for v in values] for name, values in history.items()}
    clip = settings.clip if model.estimator == "smile" else None
    summary = summarize(lambda x, y: scores((x, y)).numpy(), *held, queries, clip)
    estimate = READ_OUTS[model.estimator](summary, settings.alpha)
    limit = math.log(len(held[1]))
    notes = []
    if estimate.nats > 0.75 * limit:
        notes.append(
            f"{estimate.nats:.2f} nats is near or above ln {len(held[1])} = {limit:.2f}, what as "
            "many pairs can certify: the truth may lie well above, or below where this is no "
            "bound. Take more pairs."
        )
    if estimate.standard_error > 0.5 and model.estimator != "info_nce":
        notes.append(
            f"A standard error of {estimate.standard_error:.2g} nats: a few large scores decide "
            f"the mean of exponentials that {model.estimator!r} is read from. Take 'info_nce'."
        )
    return Estimate(
        estimate.nats,
        estimate.standard_error,
        estimate.kind if estimate.nats <= limit else "estimate",
        estimate.ceiling,
        model.estimator,
        " ".join(notes),
        history,
    )
