"""Checks of a classifier's network."""

import keras

from keras_infomodels.models.checks import input_shape, output_shapes

__all__ = ["check_classifier"]


def check_classifier(network: keras.Model) -> tuple[tuple[int, ...], int]:
    """Checks the outputs of a classifier's network.

    Returns:
        The shape of one example and the number of classes.

    Raises:
        ValueError: If the outputs are others than "logits" and "features".
    """
    data_shape = input_shape(network, "network")
    outputs = output_shapes(network, (1, *data_shape))
    fits = isinstance(outputs, dict) and {"logits", "features"} <= set(outputs)
    if not fits or len(outputs["logits"]) != 2:
        raise ValueError(
            'A classifier\'s network returns a dict with "logits" of shape (batch, classes) and '
            f'"features"; this one returns {outputs}.'
        )
    return data_shape, outputs["logits"][-1]
