"""Checks of the shapes of networks and images."""

import keras
import tensorflow as tf

__all__ = ["float_images", "input_shape", "output_names", "output_shapes", "shapes_of"]


def input_shape(network: keras.Model, role: str) -> tuple[int, ...]:
    """Returns the shape of one input example; `role` names the network in the error."""
    try:
        return tuple(network.input_shape[1:])
    except (AttributeError, ValueError):
        raise ValueError(
            f"The {role} has no known input shape: make it a functional or Sequential model that "
            "begins with keras.Input(shape)."
        ) from None


def output_shapes(network: keras.Model, shape: tuple[int, ...]) -> dict[str, tuple] | tuple:
    """Returns the shapes of a network's outputs for an input shape, batch included."""
    return shapes_of(network.compute_output_spec(keras.KerasTensor(shape)))


def shapes_of(outputs) -> dict[str, tuple] | tuple:
    """Returns the shapes of Keras' output specifications, in the same structure."""
    return keras.tree.map_structure(lambda spec: tuple(spec.shape), outputs)


def output_names(outputs) -> str:
    """Returns the names of a network's outputs, for an error."""
    return str(sorted(outputs)) if isinstance(outputs, dict) else "no dict"


def float_images(model, x) -> tf.Tensor:
    """Returns images (batch, *data_shape) of a model as float32.

    Args:
        model: a model of this library.
        x: array or tensor of images.

    Raises:
        ValueError: If the shape differs or, outside of a graph, pixels are not allowed.
    """
    x = tf.convert_to_tensor(x)
    if not x.shape[1:].is_compatible_with(model.data_shape):
        raise ValueError(
            f"Expected data of shape (batch, {', '.join(map(str, model.data_shape))}), got "
            f"{tuple(x.shape)}."
        )
    x = tf.cast(x, tf.float32)
    if tf.executing_eagerly() and len(x):
        model.pixels.check(x.numpy())
    return x
