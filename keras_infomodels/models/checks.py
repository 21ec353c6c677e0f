"""Shapes of networks, which every model checks at construction, and of images."""

import keras
import tensorflow as tf

__all__ = ["float_images", "input_shape", "output_names", "output_shapes", "shapes_of"]


def input_shape(network: keras.Model, role: str) -> tuple[int, ...]:
    """Shape of one example that a network takes; `role` names the network in the error."""
    try:
        return tuple(network.input_shape[1:])
    except (AttributeError, ValueError):
        raise ValueError(
            f"The {role} does not say its input's shape: make it a functional or Sequential model "
            "that begins with keras.Input(shape)."
        ) from None


def output_shapes(network: keras.Model, shape: tuple[int, ...]) -> dict[str, tuple] | tuple:
    """Shapes of a network's outputs for inputs of a shape, batch included."""
    return shapes_of(network.compute_output_spec(keras.KerasTensor(shape)))


def shapes_of(outputs) -> dict[str, tuple] | tuple:
    """Shapes of Keras' output specifications, in the same structure."""
    return keras.tree.map_structure(lambda spec: tuple(spec.shape), outputs)


def output_names(outputs) -> str:
    """Names of a network's outputs, for an error."""
    return str(sorted(outputs)) if isinstance(outputs, dict) else "no dict"


def float_images(model, x) -> tf.Tensor:
    """Images (batch, *data_shape) of a model as float32.

    Raises:
        ValueError: another shape; outside a graph also pixels that the model does not take.
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
