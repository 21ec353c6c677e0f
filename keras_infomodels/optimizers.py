"""Adam with one kernel per variable."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

__all__ = ["FusedAdam"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class FusedAdam(keras.optimizers.Adam):
    """Adam optimizer with TensorFlow's fused kernel, which makes updates faster.

    The fused kernel updates a variable by one operation instead of a dozen.

    The update equals that of `keras.optimizers.Adam` up to rounding. The arguments and the saved
    state are the same, but `amsgrad` is not supported. `fit` of the models of this library already
    uses the same kernel for a plain `Adam`. Source: Kingma and Ba,
    "Adam", 2015.

    Args:
        *args: positional arguments of `keras.optimizers.Adam`.
        **kwargs: keyword arguments of `keras.optimizers.Adam`, except `amsgrad`.

    Raises:
        ValueError: If `amsgrad` is true.

    Example:
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(ki.optimizers.FusedAdam(1e-3), loss="mse")
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError("FusedAdam has no amsgrad; take keras.optimizers.Adam.")

    def update_step(self, gradient, variable, learning_rate):
        if self._distribution_strategy.num_replicas_in_sync > 1:
            super().update_step(gradient, variable, learning_rate)
        else:
            _update(self, gradient, variable, learning_rate, _powers(self))


@contextlib.contextmanager
def one_pass(optimizer: keras.Optimizer) -> Iterator[None]:
    """Context manager in which an Adam optimizer updates each variable by one kernel.

    Keras' own `apply` still does clipping, weight decay, schedules, moving averages and loss
    scales, and the state is that of Adam. Other optimizers, subclasses, `amsgrad` and variables
    that are not float32 are not changed.

    Args:
        optimizer: built Keras optimizer, which may be inside a `LossScaleOptimizer`.
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


@contextlib.contextmanager
def summed_already(optimizer: keras.Optimizer) -> Iterator[None]:
    """Context manager in which an optimizer takes gradients as summed over all replicas.

    Keras clips gradients before it sums them, which depends on the number of replicas.

    Args:
        optimizer: built Keras optimizer, which may be inside a `LossScaleOptimizer`.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    vars(inner)["_all_reduce_sum_gradients"] = list
    try:
        yield
    finally:
        vars(inner).pop("_all_reduce_sum_gradients", None)  # replicas are threads


def _powers(adam: keras.optimizers.Adam) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes beta_1 and beta_2 to the power of the next step, in float32."""
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
