"""Images along one code of a generator."""

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import Categorical

__all__ = ["traverse"]


def traverse(model, name: str, rows: int = 10, columns: int = 10, seed: int = 0) -> tf.Tensor:
    """Generates images along one code; the other latents of a row are fixed.

    Args:
        model: `InfoGAN`.
        name: str. Name of the code. A category has a column for each of its values, a uniform
            code columns from -1 to 1, a normal code columns from -2 to 2.
        rows: int. Number of draws of the other latents.
        columns: int. Number of values of a continuous code.
        seed: int. Seed of the rows.

    Returns:
        Tensor (rows, columns, *data_shape).

    Raises:
        ValueError: The model has no code of this name.

    Example:
        model = ki.from_preset("infogan_mnist")
        images = model.traverse("digit", rows=3)  # shape (3, 10, 28, 28, 1)
    """
    if name not in model.latents.codes:
        raise ValueError(f"The codes are {', '.join(model.latents.codes)}; got {name!r}.")
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
