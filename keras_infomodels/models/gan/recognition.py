"""The recognition head Q: networks made after the discriminator, and its read-out on images."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import Code
from keras_infomodels.information import category_information
from keras_infomodels.networks import ConvDiscriminator, RecognitionHead

__all__ = ["count_features", "head_like", "read_out", "trunk_like"]


def head_like(discriminator: keras.Model, features: int, codes: Sequence[Code]) -> RecognitionHead:
    """Q's head for so many features, with what it takes over from a `ConvDiscriminator`."""
    config = discriminator.get_config() if isinstance(discriminator, ConvDiscriminator) else {}
    batch = config.get("normalization", "batch") == "batch"
    return RecognitionHead(
        features,
        {code.name: code.parameters for code in codes},
        dtype=config.get("dtype"),
        normalization="batch" if batch else None,
        name="recognition",
    )


def trunk_like(discriminator: keras.Model) -> keras.Model:
    """A trunk of the discriminator's kind, with weights of its own."""
    if not isinstance(discriminator, ConvDiscriminator):
        raise ValueError(
            'posterior="separate" needs a recognition_trunk: a Keras model from images to '
            '{"features"}; only beside a ConvDiscriminator it is made by itself.'
        )
    own = {"name": "recognition_trunk", "return_logits": False, "trainable": True, "frozen": ()}
    return ConvDiscriminator(**discriminator.get_config() | own)


def count_features(trunk: keras.Model, data_shape: tuple[int, ...]) -> int:
    """The number of features that Q reads of a discriminator or of a trunk of its own."""
    outputs = trunk.compute_output_spec(keras.KerasTensor((2, *data_shape)))
    features = outputs.get("features") if isinstance(outputs, dict) else None
    if features is None or len(features.shape) != 2:
        raise ValueError(
            'With codes the discriminator returns {"logits", "features"}, the features being '
            "what Q reads, of shape (batch, f), and so does a trunk of Q's own; this one "
            f"returns {outputs}."
        )
    return features.shape[-1]


def read_out(model, x, batch_size: int | None, steps: int | None, show: bool) -> dict[str, float]:
    """`information_real_<code>` of up to 10,000 real images."""
    if not model.categories:
        return {}
    tables = {code.name: [] for code in model.categories}
    with order_of_epoch_0(x):
        for batch in iterate_images(x, batch_size or 32, steps, model.pixels.check, EXAMPLES):
            numbers = model.traced(model._inferred, batch)
            for name, table in tables.items():
                table.append(tf.nn.softmax(numbers[name]).numpy())
    return {
        f"information_real_{name}": category_information(np.concatenate(table)).nats
        for name, table in tables.items()
    }
