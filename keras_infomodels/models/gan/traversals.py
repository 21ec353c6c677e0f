"""Images along one code of a generator."""

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import Categorical
from keras_infomodels.names import guess

__all__ = ["traverse"]


def traverse(model, name: str, rows: int = 10, columns: int = 10, seed: int = 0) -> tf.Tensor:
    """Generates images that vary one code along each row; a row has fixed other latents.

    Args:
        model: `InfoGAN`.
        name: str. Name of the code. For a category there is one column for each of its values. For
            a uniform code the columns go from -1 to 1, for a normal code from -2 to 2.
        rows: int. Number of rows, each with its own draw of the other latents.
        columns: int. Number of values of a continuous code.
        seed: int. Seed of the other latents.

    Returns:
        Tensor (rows, columns, *data_shape).

    Raises:
        ValueError: The model has no code of this name.

    Example:
        model = ki.from_preset("infogan_mnist")
        images = model.traverse("digit", rows=3)  # shape (3, 10, 28, 28, 1)
    """
    if name not in model.latents.codes:
        known = model.latents.codes
        raise ValueError(f"The codes are {', '.join(known)}; got {name!r}.{guess(name, known)}")
    prior = model.latents.codes[name].prior
    if isinstance(prior, Categorical):
        values = np.arange(prior.num_categories)
    else:
        end = 2.0 if type(prior).__name__ == "Normal" else 1.0
        values = np.linspace(-end, end, columns)
    parts = model.latents.sample(rows, model.drawing_seed(seed))
    # (rows, ...) -> (rows * columns, ...), with equal latents within a row of the grid.
    parts = {key: tf.repeat(part, len(values), axis=0) for key, part in parts.items()}
    parts[name] = model.latents.code_values(name, np.tile(values, rows), rows * len(values))
    images = model(model.latents.join(parts))
    return tf.reshape(images, (rows, len(values), *model.data_shape))
