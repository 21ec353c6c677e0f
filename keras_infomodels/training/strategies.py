"""Training under a strategy of `tf.distribute`: what it takes, and what it is given."""

import warnings

import keras
import tensorflow as tf

from keras_infomodels.networks.normalization import BatchNormalization

__all__ = ["check_one_replica", "check_scope", "distributed", "for_replicas"]


def for_replicas(model: keras.Model, settings: dict) -> dict:
    """Arguments of `compile` as several replicas take them; warns of those that they do not.

    Args:
        model: keras.Model. Its `distribute_strategy` counts.
        settings: dict. Arguments of `keras.Model.compile`.
    """
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return settings
    refused = [name for name in ("steps_per_execution", "jit_compile") if settings.get(name)]
    if settings.get("steps_per_execution") == 1:
        refused.remove("steps_per_execution")
    if refused:
        warnings.warn(
            f"{' and '.join(refused)} cannot be used on several replicas, so each call makes one "
            "step without XLA; the numbers are the same.",
            stacklevel=3,
        )
    return settings | {"steps_per_execution": 1, "jit_compile": False}


def check_scope(model: keras.Model):
    """Raises ValueError where model, networks and optimizers are not of one strategy's scope."""
    own = model.distribute_strategy if model.distribute_strategy.num_replicas_in_sync > 1 else None
    optimizers = [getattr(model, player.optimizer_name) for player in model.players()]
    counters = [getattr(each, "inner_optimizer", each).iterations for each in optimizers]
    for variables, what in ((model.weights, "The networks"), (counters, "The optimizers")):
        if any(_strategy(variable) is not own for variable in variables):
            name = type(model).__name__
            raise ValueError(
                f"{what} and the {name} were not made in the scope of one strategy. Make networks, "
                f"model and optimizers within one `with strategy.scope():`, or all without."
            )
    if own is not None:
        _check_layers(model)


def _strategy(variable: keras.Variable) -> tf.distribute.Strategy | None:
    """The strategy of several replicas that a variable was made for."""
    strategy = getattr(variable.value, "distribute_strategy", None)
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


def _check_layers(model: keras.Model):
    """Refuses batch normalization by replica, and warns of noise that the replicas share."""
    for layer in model._flatten_layers():
        plain = isinstance(layer, keras.layers.BatchNormalization)
        if plain and not (isinstance(layer, BatchNormalization) or layer.synchronized):
            raise ValueError(
                f"The layer {layer.name!r} would normalize by the part of the batch that one "
                "replica has; make it with BatchNormalization(synchronized=True)."
            )
        if getattr(layer, "seed_generator", None) is not None:
            warnings.warn(
                f"The layer {layer.name!r} draws the same numbers on every replica, so this "
                "training is not that of one device.",
                stacklevel=4,
            )


def check_one_replica(model: keras.Model, method: str, instead: str):
    """Raises ValueError on several replicas, each of which Keras would give the whole batch."""
    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"{method} gives every replica the whole batch; call {instead}, which splits it."
        )


def distributed(strategy: tf.distribute.Strategy, data):
    """Data for `fit` and `evaluate`, of which each replica reads consecutive rows of a batch.

    Args:
        strategy: tf.distribute.Strategy.
        data: as `fit` takes it. Other data than a `tf.data.Dataset` are split by Keras.
    """
    if strategy.num_replicas_in_sync == 1 or not isinstance(data, tf.data.Dataset):
        return data
    options = tf.data.Options()
    # Every worker reads all files, and takes its rows of each batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)
