"""Gradients with a fixed order of summation."""

from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def sums_kept():
    """Context manager that keeps the graph optimizer from merging the sums of `gradient`."""
    options, name = tf.config.optimizer, "arithmetic_optimization"
    earlier = options.get_experimental_options().get(name, True)
    options.set_experimental_options({name: False})
    try:
        yield
    finally:
        options.set_experimental_options({name: earlier})


def gradient(tape: tf.GradientTape, target: tf.Tensor, sources):
    """Computes gradients as `tape.gradient`, with the same bits in every run of a traced step.

    If three or more gradients meet, a tape sums them by one operation. Its order depends on which
    buffer is free first, so that the rounding would change with measured times, within a run and
    after a resume. Here they are summed in pairs. `sums_kept` around the call of the step keeps the
    pairs.

    Args:
        tape: `tf.GradientTape`. Tape that recorded `target`.
        target: tensor of any shape. Its sum is differentiated.
        sources: tensor or Keras variable, or a list of these.

    Returns:
        The gradient of each source, in the structure of `sources`; None for no dependence.
    """
    if tf.executing_eagerly():
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
    """Checks that terms and gradients are finite; a loss scale may handle overflow itself.

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
