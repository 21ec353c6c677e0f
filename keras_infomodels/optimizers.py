"""Adam in one pass over each variable."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

__all__ = ["FusedAdam"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` by TensorFlow's own kernel, one a variable where Keras runs a dozen.

    The same update but for rounding, with the same arguments and state; `amsgrad` is not offered.
    `fit` of the models here updates a plain `Adam` in the same way where all is float32.
    Source: Kingma and Ba, "Adam", 2015.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError("FusedAdam has no amsgrad; take keras.optimizers.Adam.")

    def update_step(self, gradient, variable, learning_rate):
        _update(self, gradient, variable, learning_rate, _powers(self))


@contextlib.contextmanager
def one_pass(optimizer: keras.Optimizer) -> Iterator[None]:
    """Within it `optimizer.apply` updates each variable by one kernel, where it is Adam.

    Keras' own `apply` stays in charge, so that clipping, weight decay, schedules, moving averages
    and a loss scale are as ever, and the state is that of Adam. Other optimizers, subclasses and
    `amsgrad` are left alone; so are variables that are not float32.

    Args:
        optimizer: Keras optimizer, which has been built. It may be within a `LossScaleOptimizer`.
    """
    adam = getattr(optimizer, "inner_optimizer", optimizer)
    plain = type(adam) in (keras.optimizers.Adam, FusedAdam) and not adam.amsgrad
    if not plain or any(v.dtype != "float32" for v in adam._momentums):
        yield
        return
    powers = _powers(adam)  # shared by all variables

    def update_step(gradient, variable, learning_rate):
        _update(adam, gradient, variable, learning_rate, powers)

    vars(adam)["update_step"] = update_step  # Keras tracks what is set otherwise
    try:
        yield
    finally:
        del vars(adam)["update_step"]


def _powers(adam: keras.optimizers.Adam) -> tuple[tf.Tensor, tf.Tensor]:
    """beta_1 and beta_2 to the power of the step that is next, in float32."""
    step = tf.cast(adam.iterations + 1, tf.float32)
    return tf.pow(adam.beta_1, step), tf.pow(adam.beta_2, step)


def _update(adam, gradient, variable, learning_rate, powers):
    index, dtype = adam._get_variable_index(variable), variable.dtype
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=adam._momentums[index].handle,
        v=adam._velocities[index].handle,
        beta1_power=tf.cast(powers[0], dtype),
        beta2_power=tf.cast(powers[1], dtype),
        lr=tf.cast(learning_rate, dtype),
        beta1=tf.cast(adam.beta_1, dtype),
        beta2=tf.cast(adam.beta_2, dtype),
        epsilon=tf.cast(adam.epsilon, dtype),
        grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
    )
