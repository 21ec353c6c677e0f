"""Parts of a step: its batch, the update and the metrics."""

from collections.abc import Callable
from contextlib import nullcontext

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.optimizers import one_pass, summed_already
from keras_infomodels.training.gradients import are_finite, gradient
from keras_infomodels.training.players import Player

__all__ = ["log_terms", "take_turn", "unpack"]


def take_turn(
    model: keras.Model,
    players: list[Player],
    terms: Callable,
    x: tf.Tensor,
    labels: tf.Tensor | None,
    seed: tf.Tensor,
    earlier: tuple[tf.Tensor, ...] = (),
) -> dict[str, tf.Tensor]:
    """Moves the players at once, by gradients of the same terms, and returns these.

    Where a term, a gradient or one of the `earlier` losses of this step is not finite nobody
    moves, nor do the statistics of batch normalization, and "loss" becomes NaN.
    """
    # What a forward pass assigns.
    assigned = [*model.non_trainable_weights, *_spectral_kernels(players)]
    kept = [(variable, tf.identity(variable)) for variable in assigned]
    optimizers = [getattr(model, player.optimizer_name) for player in players]
    with tf.GradientTape(persistent=True) as tape:
        terms = terms(x, labels, seed, training=True)
        losses = [
            optimizer.scale_loss(terms[player.term])
            for player, optimizer in zip(players, optimizers, strict=True)
        ]
    # All gradients before the first update.
    gradients = [
        gradient(tape, loss, player.variables())
        for loss, player in zip(losses, players, strict=True)
    ]
    gradients = replicas.sum_gradients(gradients)
    finite = are_finite([*terms.values(), *earlier], gradients, optimizers)
    terms["loss"] = tf.where(finite, terms.get("loss", 0.0), np.nan)

    def update():
        for player, optimizer, own in zip(players, optimizers, gradients, strict=True):
            with _updates(optimizer, player):
                optimizer.apply(own, player.variables())

    def restore():
        for variable, value in kept:
            variable.assign(value)

    # The metrics are means over the epoch: what is not finite stays so until it is noticed.
    replicas.run_if(finite & model._term_means.are_finite(), update, restore)
    return terms


def unpack(data) -> tuple[tf.Tensor, tf.Tensor | None]:
    """(images in float32, labels or None) of what `fit` hands to a step."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError("sample_weight is not supported; repeat or leave out examples instead.")
    return tf.cast(x, tf.float32), y


def log_terms(model: keras.Model, terms: dict[str, tf.Tensor], x, labels) -> dict[str, tf.Tensor]:
    """Adds the terms of a batch to a model's metrics and returns these."""
    means = model._term_means
    counts = dict.fromkeys(means.names, replicas.total_rows(tf.shape(x)[0]))
    if labeled := counts.keys() & set(model.of_labeled):
        known = tf.cast(tf.reshape(labels, [-1]), tf.int32) != -1
        counts |= dict.fromkeys(labeled, replicas.total(tf.cast(known, tf.float32)))
    means.add(terms, counts)
    return means.results()


def _updates(optimizer: keras.Optimizer, player: Player):
    """Context manager of an optimizer's update by gradients that are summed over replicas."""
    if replicas.several():
        return summed_already(optimizer)
    return one_pass(optimizer) if _is_float32(player) else nullcontext()


def _is_float32(player: Player) -> bool:
    """Whether all layers that a player moves compute in float32.

    In bfloat16 the fused update has tipped an InfoGAN with a shared trunk, for a reason that is not
    known (docs/notebook.md), so there it is a choice, `optimizers.FusedAdam`, and no default.
    """
    layers = [layer for network in player.networks for layer in network._flatten_layers()]
    return all(layer.compute_dtype == "float32" for layer in layers)


def _spectral_kernels(players: list[Player]) -> list[keras.Variable]:
    networks = [network for player in players for network in player.networks]
    layers = [layer for network in networks for layer in getattr(network, "layers", [])]
    spectral = keras.layers.SpectralNormalization
    return [layer.kernel for layer in layers if isinstance(layer, spectral)]
