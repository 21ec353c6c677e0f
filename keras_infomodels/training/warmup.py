"""A weight that rises from 0 at the beginning of training."""

import keras
import tensorflow as tf

from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_int

__all__ = ["Warmup", "warmup_of"]


@built_in
class Warmup(Spec):
    """A factor that rises from 0 to 1 in a line, and is 1 in evaluation.

    Args:
        steps: int, at least 0. Training steps until the factor is 1.

    Example:
        model = ki.BetaVAE(encoder, decoder, beta=4.0, warmup=Warmup(1000))
    """

    def __init__(self, steps: int):
        self.steps = check_int("steps", steps, 0)

    def __call__(self, model: keras.Model, training: bool) -> tf.Tensor | float:
        """The factor after as many steps as the model's optimizer has made."""
        if not (training and self.steps):
            return 1.0
        return tf.minimum(tf.cast(model.optimizer.iterations, tf.float32) / self.steps, 1.0)

    def get_config(self) -> dict:
        return {"steps": self.steps}


def warmup_of(value: Warmup | int | None) -> Warmup:
    """A warm-up, of its steps if it is an integer; None is none."""
    return value if isinstance(value, Warmup) else Warmup(value or 0)
