"""Checks of what a model is compiled and trained with."""

import keras

from keras_infomodels.training.averages import WeightAverage

__all__ = ["check_callbacks", "check_compile"]


def check_compile(model: keras.Model, kwargs: dict):
    """Refuses a loss, metrics and several replicas: the loss is the sum of the model's terms."""
    name = type(model).__name__
    if kwargs.get("loss") is not None:
        raise ValueError(f"{name} has its own loss; call compile(optimizer) without loss.")
    if kwargs.get("metrics") or kwargs.get("weighted_metrics"):
        raise ValueError(
            f"{name}'s metrics are the terms of its loss; call compile(optimizer) without "
            "metrics, and measure others in a callback."
        )
    strategy = model.distribute_strategy
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        raise NotImplementedError(
            "Training on several replicas is not supported yet: each would draw the same "
            "noise. Build the model outside of the strategy's scope."
        )


def check_callbacks(callbacks: list[keras.callbacks.Callback]):
    """That the weights a training ends with are those that its figures chose."""
    averages = any(isinstance(each, WeightAverage) for each in callbacks)
    if averages and any(getattr(each, "restore_best_weights", False) for each in callbacks):
        raise ValueError(
            "EarlyStopping(restore_best_weights=True) would put back an epoch's own weights, which "
            "WeightAverage has not averaged; leave one of the two out."
        )
