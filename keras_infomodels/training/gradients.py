"""Gradients with a fixed order of summation."""

from contextlib import contextmanager

import keras
import tensorflow as tf

from keras_infomodels import replicas


@contextmanager
def sums_kept():
    """Context manager that keeps the graph optimizer from merging the sums made by `gradient`."""
    options, name = tf.config.optimizer, "arithmetic_optimization"
    earlier = options.get_experimental_options().get(name, True)
    options.set_experimental_options({name: False})
    try:
        yield
    finally:
        options.set_experimental_options({name: earlier})


def gradient(tape: tf.GradientTape, target: tf.Tensor, sources):
    """Computes gradients like `tape.gradient`, but bit-identical in every run of a traced step.

    If a tensor is used three or more times, `tf.GradientTape` sums its gradients by one operation.
    The order of summation then depends on timing, so rounding errors would differ between runs.
    This function sums the gradients in pairs instead. Call the step within `sums_kept`, so that the
    pairs are not merged.

    Args:
        tape: `tf.GradientTape`. Tape that recorded `target`.
        target: tensor of any shape. Its sum is differentiated.
        sources: tensor or Keras variable, or a list of these.

    Returns:
        Gradient of each source, in the structure of `sources`. None for a source that `target` does
        not depend on.
    """
    # Replicas trace one graph, in which `tf.gradients` would walk through all of them, in an order
    # that may differ between them. What they exchange has to come in one order.
    if tf.executing_eagerly() or replicas.several():
        return tape.gradient(target, sources)
    several = isinstance(sources, (list, tuple))
    found = tf.gradients(
        target,
        [
            s.value if isinstance(s, keras.Variable) else s
            for s in (sources if several else [sources])
        ],
        aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
    )
    return found if several else found[0]


def are_finite(terms, gradients, optimizers) -> tf.Tensor:
    """Checks that terms and gradients are finite.

    Gradients of an optimizer with a loss scale may overflow while the scale is above 1, because the
    optimizer then lowers the scale.

    Args:
        terms: list of scalars.
        gradients: list of lists of tensors or None, one list for each optimizer.
        optimizers: list of Keras optimizers.

    Returns:
        A boolean scalar.
    """
    checked, scaled = list(terms), []
    for own, optimizer in zip(gradients, optimizers, strict=True):
        # A sum is finite only if all its terms are, and needs one pass over the gradient.
        sums = [tf.cast(tf.reduce_sum(g), tf.float32) for g in own if g is not None]
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # Scaled gradients may overflow; this optimizer then lowers its scale.
            scaled.append(_all_finite(sums) | (optimizer.dynamic_scale > 1.0))
        else:
            checked += sums
    return tf.reduce_all([_all_finite(checked), *scaled])


def _all_finite(scalars) -> tf.Tensor:
    return tf.reduce_all(tf.math.is_finite(tf.stack(scalars))) if scalars else tf.constant(True)
