"""Groups of networks that one optimizer trains."""

from dataclasses import dataclass

import keras

__all__ = ["Player", "build_optimizers", "second_optimizer"]


@dataclass(frozen=True)
class Player:
    """An optimizer, the term that it lowers, and the networks that it moves.

    Attributes:
        optimizer_name: the model's attribute that holds the optimizer.
        term: its key in the ledger.
        networks: whose trainable variables it owns.
    """

    optimizer_name: str
    term: str
    networks: tuple[keras.Model, ...]

    def variables(self) -> list[keras.Variable]:
        return [v for network in self.networks for v in network.trainable_variables]


def second_optimizer(model: keras.Model, chosen) -> keras.Optimizer:
    """The discriminator's optimizer, with a loss scale under the policy "mixed_float16".

    Args:
        model: keras.Model. Has its own `optimizer`.
        chosen: optimizer or its name; None is Adam with a learning rate of 1e-3 and beta_1 of 0.5.

    Raises:
        ValueError: the model's own optimizer.
    """
    optimizer = keras.optimizers.get(chosen or keras.optimizers.Adam(1e-3, beta_1=0.5))
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # Keras does this for its own `optimizer` alone.
    if model.dtype_policy.name == "mixed_float16" and not wrapped:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if optimizer is model.optimizer:
        raise ValueError("Each player has an optimizer of its own; give two instances.")
    return optimizer


def build_optimizers(model: keras.Model):
    """Builds the optimizers of a model's players; else loading weights drops their state."""
    for player in model.players():
        optimizer = getattr(model, player.optimizer_name)
        if not optimizer.built:
            optimizer.build(player.variables())
