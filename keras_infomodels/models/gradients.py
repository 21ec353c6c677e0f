"""Gradients that round in one order."""

import keras
import tensorflow as tf


def gradient(tape: tf.GradientTape, target: tf.Tensor, sources):
    """As `tape.gradient`, with the same bits each time that a traced step runs.

    Where three or more gradients meet, a tape sums them by one operation that begins with whichever
    buffer is free, which depends on what ran first: the rounding of a step would then change with
    measured times, within a run and after a resume. Here they are summed in pairs.

    Args:
        target: what to differentiate, a tensor of any shape (its sum).
        sources: a tensor or Keras variable, or a list of them, as the tape's.

    Returns:
        As `tape.gradient`: the gradient of each source, None where there is none.
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
