"""Checks that a network is a classifier's."""

import keras

from keras_infomodels.models.checks import input_shape, output_shapes

__all__ = ["check_classifier"]


def check_classifier(network: keras.Model) -> tuple[tuple[int, ...], int]:
    """That a network is a classifier's; the shape of one example and the number of classes."""
    data_shape = input_shape(network, "network")
    outputs = output_shapes(network, (1, *data_shape))
    fits = isinstance(outputs, dict) and {"logits", "features"} <= set(outputs)
    if not fits or len(outputs["logits"]) != 2:
        raise ValueError(
            'A classifier\'s network returns a dict with "logits" of shape (batch, classes) and '
            f'"features"; this one returns {outputs}.'
        )
    return data_shape, outputs["logits"][-1]
