"""Groups of networks that one optimizer trains."""

from dataclasses import dataclass

import keras

__all__ = ["Player", "second_optimizer"]


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


def second_optimizer(chosen, policy: str) -> keras.Optimizer:
    """The discriminator's optimizer, with a loss scale under the policy "mixed_float16".

    Args:
        chosen: optimizer or its name; None is Adam with a learning rate of 1e-3 and beta_1 of 0.5.
        policy: name of the model's dtype policy.
    """
    optimizer = keras.optimizers.get(chosen or keras.optimizers.Adam(1e-3, beta_1=0.5))
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # Keras does this for its own `optimizer` alone.
    if policy == "mixed_float16" and not wrapped:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
