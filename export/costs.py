"""Costs of quantization: changes of a model's terms, such as its reconstruction."""

import numpy as np
import tensorflow as tf

from keras_infomodels.export.contents import Contents
from keras_infomodels.models.costs import Cost

__all__ = ["measure_costs"]


def measure_costs(contents: Contents, runtime, images: np.ndarray) -> list[Cost]:
    """Measures how much the terms of a model change in an exported file.

    Args:
        contents: `Contents`. The model, with images as the file takes them.
        runtime: `Runtime`. The file.
        images: float32 array. Images as `model.fit` takes them.
    """

    def keras(name, arrays):
        tensors = {key: tf.constant(array) for key, array in arrays.items()}
        outputs = contents.model.export_signatures()[name].function(**tensors)
        return {key: value.numpy() for key, value in outputs.items()}

    def file(name, arrays):
        if contents.uint8 and "image" in arrays:
            arrays = arrays | {"image": np.round(255 * arrays["image"]).astype(np.uint8)}
        outputs = runtime.run(name, **arrays)
        if contents.uint8 and "image" in outputs:
            outputs["image"] = outputs["image"] / np.float32(255)
        return outputs

    return contents.model.quantization_costs(keras, file, images)
