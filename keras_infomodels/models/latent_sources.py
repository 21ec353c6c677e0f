"""Functions for label-free selection: latents to draw, images of them, codes of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import prior_distribution
from keras_infomodels.models.code_tables import code_table

__all__ = ["LatentSource", "latent_source"]

_BATCH = 512


@dataclass(frozen=True)
class LatentSource:
    """Trained model as functions, for `evaluation.model_centrality`.

    Attributes:
        sample: function from (n, seed) to latents. Draws n latents from the prior, array (n, d).
        generate: function from latents (n, d) to images (n, height, width, channels).
        encode: function from images to inferred latents, array (n, c).
        factors: sequence of sequences of int. For each factor, its columns in the latents. A
            one-hot category is one factor with several columns. Columns of noise belong to no
            factor.

    Example:
        identity = ki.evaluation.LatentSource(
            lambda n, seed: np.random.default_rng(seed).normal(size=(n, 2)),
            lambda z: z,
            lambda x: x,
            [[0], [1]],
        )
    """

    sample: Callable[[int, int], np.ndarray]
    generate: Callable[[np.ndarray], np.ndarray]
    encode: Callable[[np.ndarray], np.ndarray]
    factors: Sequence[Sequence[int]]


def latent_source(model, active: Sequence[int] | None = None) -> LatentSource:
    """Creates the `LatentSource` of an autoencoder or InfoGAN.

    Its factors are the latent variables of the autoencoder, or the codes of the InfoGAN.

    Args:
        model: autoencoder without a category, or `InfoGAN`.
        active: sequence of int. Indices of the autoencoder's latent variables that are factors,
            such as those with a rate above 0.01 nats. `None` means all. Ignored for an InfoGAN.

    Raises:
        ValueError: If the model has a category beside its latents, or infers no latents.
    """
    if getattr(model, "infer_codes", None) is not None:
        return _of_codes(model)
    if getattr(model, "encode", None) is None or model.categorical:
        raise ValueError(
            f"This {type(model).__name__} has no latent variables of one kind to compare; use "
            "an autoencoder without a category, or an InfoGAN."
        )

    def sample(n, seed):
        return prior_distribution(model.prior).sample(n, seed=[seed, 0]).numpy()

    def generate(z):
        return _in_parts(lambda part: model.decode(part).mean(), z)

    numbers = range(model.latent_dim) if active is None else active
    return LatentSource(sample, generate, _encoder(model), [[int(j)] for j in numbers])


def _of_codes(model) -> LatentSource:
    def sample(n, seed):
        return model.latents.join(model.latents.sample(n, tf.constant([seed, 0]))).numpy()

    columns, start = [], model.latents.noise_dim
    for code in model.codes.values():
        columns.append(list(range(start, start + code.prior.dimension)))
        start += code.prior.dimension
    return LatentSource(sample, lambda z: _in_parts(model, z), _encoder(model), columns)


def _encoder(model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: code_table(model, images)[0]


def _in_parts(function: Callable, rows: np.ndarray) -> np.ndarray:
    parts = np.split(rows.astype(np.float32), range(_BATCH, len(rows), _BATCH))
    return np.concatenate([np.asarray(function(tf.constant(part))) for part in parts])
