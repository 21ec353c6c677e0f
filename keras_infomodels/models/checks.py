"""Shapes of networks, which every model checks at construction."""

import keras

__all__ = ["input_shape", "output_names", "output_shapes", "shapes_of"]


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
