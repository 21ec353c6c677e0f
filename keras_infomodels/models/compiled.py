"""Traced functions for inference, which a model keeps but does not save."""

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf

__all__ = ["Compiled"]


class Compiled:
    """Functions of one model that are traced once for all batch sizes.

    A traced function uses the model's current weights. It is traced again if a network or another
    part of the model was replaced. The Python function is called directly inside a graph, such as
    your own `tf.function`, and with `run_eagerly`.
    """

    def __init__(self):
        self._parts: tuple = ()
        self._traced: dict[tuple, Callable] = {}

    def __call__(self, model: keras.Model, function: Callable, parts: tuple, *arguments):
        """Calls a function of tensors as a traced graph.

        Args:
            model: keras.Model. With its `run_eagerly` the function is not traced.
            function: function of tensors or dicts of tensors. Its name identifies it.
            parts: tuple of objects. Everything that the function reads beside its arguments.
            *arguments: tensors or dicts of tensors.

        Returns:
            The result of the function.
        """
        if not tf.executing_eagerly() or model.run_eagerly:
            return function(*arguments)
        if list(map(id, parts)) != list(map(id, self._parts)):
            # Keeping the parts alive keeps their ids from being reused.
            self._parts, self._traced = parts, {}
        key = function.__name__, *map(_key, arguments)
        if key not in self._traced:
            signature = tf.nest.map_structure(_any_batch, arguments)
            # TensorFlow counts traces by function, and a method is one for all models.
            own = partial(function)
            self._traced[key] = tf.function(own, signature, autograph=False)
        return self._traced[key](*arguments)


def _key(argument) -> tuple:
    """Returns what `_any_batch` keeps of a tensor or dict of tensors, to compare it fast."""
    if isinstance(argument, dict):
        return tuple((name, _key(value)) for name, value in argument.items())
    shape = argument.shape
    return argument.dtype, shape.rank, tuple(shape[1:] if shape.rank > 1 else shape)


def _any_batch(tensor: tf.Tensor) -> tf.TensorSpec:
    """Specification of a tensor with a free batch size; scalars and seeds have no batch."""
    shape = tensor.shape
    return tf.TensorSpec((None, *shape[1:]) if shape.rank > 1 else shape, tensor.dtype)
