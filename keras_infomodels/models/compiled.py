"""Inference as traced functions, which a model keeps and its files and copies do not."""

from collections.abc import Callable

import keras
import tensorflow as tf

__all__ = ["Compiled"]


class Compiled:
    """Functions of one model that are traced once, whatever the batch size, and then called.

    They read the weights that the model has when they are called. Where a network or another part
    was exchanged they are traced anew. Within a graph, such as a user's own `tf.function`, and
    under `run_eagerly` the plain function is called.
    """

    def __init__(self):
        self._parts: tuple = ()
        self._traced: dict[tuple, Callable] = {}

    def __call__(self, model: keras.Model, function: Callable, parts: tuple, *arguments):
        """What a function of tensors returns.

        Args:
            model: keras.Model. Whose `run_eagerly` counts.
            function: function of tensors and dicts of them, known by its name.
            parts: tuple of objects that the function reads beside its arguments.
            *arguments: its arguments.
        """
        if not tf.executing_eagerly() or model.run_eagerly:
            return function(*arguments)
        if list(map(id, parts)) != list(map(id, self._parts)):
            self._parts, self._traced = parts, {}  # which keeps the parts, and so their ids
        signature = tf.nest.map_structure(_any_batch, arguments)
        key = function.__name__, repr(signature)
        if key not in self._traced:
            self._traced[key] = tf.function(function, signature, autograph=False)
        return self._traced[key](*arguments)


def _any_batch(tensor: tf.Tensor) -> tf.TensorSpec:
    """What a tensor is but for its batch; scalars and seeds have none."""
    shape = tensor.shape
    return tf.TensorSpec((None, *shape[1:]) if shape.rank > 1 else shape, tensor.dtype)
