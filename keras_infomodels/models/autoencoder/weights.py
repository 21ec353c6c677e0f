"""Weights of prior-matching terms, scaled to the number of pixels."""

import math

import keras

from keras_infomodels.distributions import Bernoulli, ContinuousBernoulli, Likelihood
from keras_infomodels.models.checks import input_shape

__all__ = ["scaled_weight"]

_PIXELS = 28 * 28


def scaled_weight(
    weight,
    usual: float,
    encoder: keras.Model,
    likelihood: Likelihood,
    narrow: float | None = None,
) -> float:
    """Returns a weight; the value "auto" becomes a weight that fits images and likelihood.

    The reconstruction loss is a sum over pixels, so "auto" is proportional to their number. Its
    gradients are larger if the density of a pixel can become narrow. docs/notebook.md has sweeps at
    three sizes (benchmarks/mmd_vae_lambda.py).

    Args:
        weight: float or "auto".
        usual: float. "auto" for 28x28x1 images with Bernoulli pixels.
        encoder: keras.Model. Its input has the shape of an image.
        likelihood: a likelihood of `keras_infomodels.distributions`.
        narrow: float. "auto" for all likelihoods but Bernoulli and continuous Bernoulli. `None` is
            four times as much as for these.
    """
    if weight != "auto":
        return weight
    usual *= math.prod(input_shape(encoder, "encoder")) / _PIXELS
    if isinstance(likelihood, Bernoulli | ContinuousBernoulli):
        return usual
    return 4 * usual if narrow is None else narrow
