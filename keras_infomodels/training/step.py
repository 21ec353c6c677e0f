"""Parts of a step: its batch, the update and the metrics."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.optimizers import one_pass, summed_already
from keras_infomodels.training.gradients import are_finite, gradient
from keras_infomodels.training.groups import OptimizerGroup

__all__ = ["log_terms", "unpack", "update_groups"]


def update_groups(
    model: keras.Model,
    groups: list[OptimizerGroup],
    terms: Callable,
    x: tf.Tensor,
    labels: tf.Tensor | None,
    seed: tf.Tensor,
    earlier: tuple[tf.Tensor, ...] = (),
) -> dict[str, tf.Tensor]:
    """Updates all groups simultaneously, with gradients from one computation of the loss terms.

    If a term, a gradient or one of the `earlier` losses is not finite, no variable is updated, not
    even the statistics of batch normalization. "loss" is then NaN.

    Args:
        model: keras.Model. Compiled model of this library.
        groups: list of OptimizerGroup. Groups to update.
        terms: function from (x, labels, seed, training) to a dict of scalars.
        x: float32 tensor (batch, ...). Images.
        labels: tensor (batch,), or None.
        seed: int32 tensor (2,). Seed of the step.
        earlier: tuple of scalars. Losses of earlier updates in the same step.

    Returns:
        The terms by name.
    """
    # Variables that a forward pass assigns; they are restored if the step is skipped.
    assigned = [*model.non_trainable_weights, *_spectral_kernels(groups)]
    kept = [(variable, tf.identity(variable)) for variable in assigned]
    optimizers = [getattr(model, group.optimizer_name) for group in groups]
    # Persistent, because each group takes a gradient of its own loss.
    with tf.GradientTape(persistent=True) as tape:
        terms = terms(x, labels, seed, training=True)
        losses = [
            optimizer.scale_loss(terms[group.term])
            for group, optimizer in zip(groups, optimizers, strict=True)
        ]
    # Simultaneous updates: all gradients are computed before the first variable changes.
    gradients = [
        gradient(tape, loss, group.variables()) for loss, group in zip(losses, groups, strict=True)
    ]
    gradients = replicas.sum_gradients(gradients)
    finite = are_finite([*terms.values(), *earlier], gradients, optimizers)
    terms["loss"] = tf.where(finite, terms.get("loss", 0.0), np.nan)

    def update():
        for group, optimizer, own in zip(groups, optimizers, gradients, strict=True):
            with _updates(optimizer):
                optimizer.apply(own, group.variables())

    def restore():
        for variable, value in kept:
            variable.assign(value)

    # Metrics are means over the epoch, so a NaN stays in them until a callback reads it.
    replicas.run_if(finite & model._term_means.are_finite(), update, restore)
    return terms


def unpack(data) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Splits the data of a step into float32 images and labels, or None for no labels."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError("sample_weight is not supported; repeat or leave out examples instead.")
    return tf.cast(x, tf.float32), y


def log_terms(model: keras.Model, terms: dict[str, tf.Tensor], x, labels) -> dict[str, tf.Tensor]:
    """Adds the terms of a batch to a model's metrics and returns the means so far."""
    means = model._term_means
    counts = dict.fromkeys(means.names, replicas.total_rows(tf.shape(x)[0]))
    if labeled := counts.keys() & set(model.of_labeled):
        known = tf.cast(tf.reshape(labels, [-1]), tf.int32) != -1
        counts |= dict.fromkeys(labeled, replicas.total(tf.cast(known, tf.float32)))
    means.add(terms, counts)
    return means.results()


def _updates(optimizer: keras.Optimizer):
    """Context manager of an optimizer's update, by gradients that are summed over replicas."""
    return summed_already(optimizer) if replicas.several() else one_pass(optimizer)


def _spectral_kernels(groups: list[OptimizerGroup]) -> list[keras.Variable]:
    networks = [network for group in groups for network in group.networks]
    layers = [layer for network in networks for layer in getattr(network, "layers", [])]
    spectral = keras.layers.SpectralNormalization
    return [layer.kernel for layer in layers if isinstance(layer, spectral)]
