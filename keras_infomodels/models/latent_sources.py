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
    """A run whose latents stand for factors: what `evaluation.model_centrality` compares.

    Attributes:
        sample: function (n, seed) -> float (n, d). Draws of the prior of all latents.
        generate: function float (n, d) -> images (n, ...).
        encode: function images -> codes, float (n, c).
        factors: sequence of sequences of int. Columns of the latents of each factor. A category is
            one factor with several columns; noise is none.

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
    """The latents of an autoencoder without a category, or the codes of an InfoGAN.

    Args:
        model: an autoencoder or an InfoGAN.
        active: numbers of the latent variables that count as factors, such as those whose rate is
            above .01 nats. None is all. Of an InfoGAN all codes count.

    Raises:
        ValueError: a model with a category beside its latents, or without latents to infer.
    """
    if getattr(model, "infer_codes", None) is not None:
        return _of_codes(model)
    if getattr(model, "encode", None) is None or model.categorical:
        raise ValueError(
            f"This {type(model).__name__} has no latent variables alike to compare runs by; take "
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
