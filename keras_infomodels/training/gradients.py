"""Gradients that round in one order."""

from contextlib import contextmanager

import keras
import tensorflow as tf

from keras_infomodels import replicas


@contextmanager
def sums_kept():
    """Keeps the graph optimizer from merging the pairs of `gradient` into one sum again."""
    options, name = tf.config.optimizer, "arithmetic_optimization"
    earlier = options.get_experimental_options().get(name, True)
    options.set_experimental_options({name: False})
    try:
        yield
    finally:
        options.set_experimental_options({name: earlier})


def gradient(tape: tf.GradientTape, target: tf.Tensor, sources):
    """As `tape.gradient`, with the same bits each time that a traced step runs.

    Where three or more gradients meet, a tape sums them by one operation that begins with whichever
    buffer is free, which depends on what ran first: the rounding of a step would then change with
    measured times, within a run and after a resume. Here they are summed in pairs, which
    `sums_kept` around the call of the step keeps.

    Args:
        tape: tape that recorded `target`.
        target: what to differentiate, a tensor of any shape (its sum).
        sources: a tensor or Keras variable, or a list of them, as the tape's.

    Returns:
        As `tape.gradient`: the gradient of each source, None where there is none.
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
    """A boolean scalar: terms and gradients are finite, or an optimizer handles overflow itself.

    Args:
        terms: a list of scalars.
        gradients: a list for each optimizer, of tensors and None.
        optimizers: one for each list.
    """
    checked, scaled = list(terms), []
    for own, optimizer in zip(gradients, optimizers, strict=True):
        # A sum is finite where all of it is, and takes one pass.
        sums = [tf.cast(tf.reduce_sum(g), tf.float32) for g in own if g is not None]
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # Scaled gradients overflow now and then, and this optimizer then lowers its scale.
            scaled.append(_all_finite(sums) | (optimizer.dynamic_scale > 1.0))
        else:
            checked += sums
    return tf.reduce_all([_all_finite(checked), *scaled])


def _all_finite(scalars) -> tf.Tensor:
    return tf.reduce_all(tf.math.is_finite(tf.stack(scalars))) if scalars else tf.constant(True)
