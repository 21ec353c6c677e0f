"""Groups of networks that share an optimizer."""

from dataclasses import dataclass

import keras

__all__ = ["OptimizerGroup", "build_optimizers", "second_optimizer"]


@dataclass(frozen=True)
class OptimizerGroup:
    """Group of networks that one optimizer trains, and the loss term that it minimizes.

    Attributes:
        optimizer_name: str. Name of the model's attribute with the optimizer, such as "optimizer".
        term: str. Name of the minimized loss term, a key of what `InfoModel.terms` returns.
        networks: tuple of Keras models. Their trainable variables belong to the optimizer.

    Example:
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        group = ki.training.OptimizerGroup("optimizer", "loss", (network,))
        len(group.variables())  # 2: kernel and bias
    """

    optimizer_name: str
    term: str
    networks: tuple[keras.Model, ...]

    def variables(self) -> list[keras.Variable]:
        """Returns the trainable variables of the networks."""
        return [v for network in self.networks for v in network.trainable_variables]


def second_optimizer(model: keras.Model, chosen) -> keras.Optimizer:
    """Returns the discriminator's optimizer, with a loss scale under the policy "mixed_float16".

    Args:
        model: keras.Model. Compiled with its own `optimizer`.
        chosen: str or Keras optimizer. `None` is Adam with a learning rate of 1e-3 and beta_1 of
            0.5.

    Raises:
        ValueError: If `chosen` is the model's own optimizer.
    """
    optimizer = keras.optimizers.get(chosen or keras.optimizers.Adam(1e-3, beta_1=0.5))
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # Keras wraps only its own `optimizer` in a loss scale.
    if model.dtype_policy.name == "mixed_float16" and not wrapped:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if optimizer is model.optimizer:
        raise ValueError("Both optimizers are the same object; create one for each.")
    return optimizer


def build_optimizers(model: keras.Model):
    """Builds the optimizers of a model's groups, because loading weights skips unbuilt ones."""
    for group in model.optimizer_groups():
        optimizer = getattr(model, group.optimizer_name)
        if not optimizer.built:
            optimizer.build(group.variables())
