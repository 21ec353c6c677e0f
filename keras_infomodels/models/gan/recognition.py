"""The recognition head Q: default networks, and the information that it finds in images."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import Code
from keras_infomodels.information import category_information
from keras_infomodels.networks import ConvDiscriminator, RecognitionHead

__all__ = ["count_features", "evaluate_information", "head_like", "trunk_like"]


def head_like(discriminator: keras.Model, features: int, codes: Sequence[Code]) -> RecognitionHead:
    """Creates Q's head for a number of features, with a `ConvDiscriminator`'s settings."""
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
    """Creates a trunk like the discriminator's, with weights of its own."""
    if not isinstance(discriminator, ConvDiscriminator):
        raise ValueError(
            'posterior="separate" needs a recognition_trunk: a Keras model from images to '
            '{"features"}. There is a default only for a ConvDiscriminator.'
        )
    own = {"name": "recognition_trunk", "return_logits": False, "trainable": True, "frozen": ()}
    return ConvDiscriminator(**discriminator.get_config() | own)


def count_features(trunk: keras.Model, data_shape: tuple[int, ...]) -> int:
    """Returns the number of features that a discriminator, or a trunk of Q's own, gives to Q."""
    outputs = trunk.compute_output_spec(keras.KerasTensor((2, *data_shape)))
    features = outputs.get("features") if isinstance(outputs, dict) else None
    if features is None or len(features.shape) != 2:
        raise ValueError(
            'With codes the discriminator returns {"logits", "features"} with features of shape '
            "(batch, f), the input of Q. A trunk of Q's own returns the features, too. This one "
            f"returns {outputs}."
        )
    return features.shape[-1]


def evaluate_information(
    model, x, batch_size: int | None, steps: int | None, show: bool
) -> dict[str, float]:
    """Measures `information_real_<code>` on up to 10,000 real images, in nats.

    Args:
        model: `InfoGAN`.
        x: array, dataset or `PyDataset` of images.
        batch_size: int. Batch size for arrays. `None` is 32.
        steps: int. Largest number of batches. `None` reads all.
        show: bool. `True` allows log messages; this model has none.
    """
    if not model.categorical_codes:
        return {}
    tables = {code.name: [] for code in model.categorical_codes}
    with order_of_epoch_0(x):
        for batch in iterate_images(x, batch_size or 32, steps, model.pixels.check, EXAMPLES):
            params = model.traced(model._inferred, batch)
            for name, table in tables.items():
                table.append(tf.nn.softmax(params[name]).numpy())
    return {
        f"information_real_{name}": category_information(np.concatenate(table)).nats
        for name, table in tables.items()
    }
