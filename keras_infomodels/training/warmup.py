"""Linear warm-up of a weight."""

import keras
import tensorflow as tf

from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_int

__all__ = ["Warmup", "warmup_of"]


@built_in
class Warmup(Spec):
    """Factor for a loss weight: rises linearly from 0 to 1 in training, and is 1 in evaluation.

    Args:
        steps: int, at least 0. Number of training steps until the factor is 1. 0 means no warm-up.

    Raises:
        ValueError: If `steps` is negative.

    Example:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.BetaVAE(encoder, decoder, beta=4.0, warmup=ki.Warmup(1000))
    """

    def __init__(self, steps: int):
        self.steps = check_int("steps", steps, 0)

    def __call__(self, model: keras.Model, training: bool) -> tf.Tensor | float:
        """Returns the factor at the model's current step.

        Args:
            model: keras.Model. Its `optimizer` counts the steps.
            training: bool. `False` returns 1.
        """
        if not (training and self.steps):
            return 1.0
        return tf.minimum(tf.cast(model.optimizer.iterations, tf.float32) / self.steps, 1.0)

    def get_config(self) -> dict:
        return {"steps": self.steps}


def warmup_of(value: Warmup | int | None) -> Warmup:
    """Returns a `Warmup`; an integer is the number of steps, None is 0 steps."""
    return value if isinstance(value, Warmup) else Warmup(value or 0)
