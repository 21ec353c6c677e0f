"""Weights of prior-matching terms, scaled to the number of pixels."""

import math

import keras

from keras_infomodels.distributions import Bernoulli, ContinuousBernoulli, Likelihood
from keras_infomodels.models.checks import input_shape

__all__ = ["scaled_weight"]

_PIXELS = 28 * 28
_OF_A_PIXEL = {Bernoulli: 1.0, ContinuousBernoulli: 1.0}
"""Factor of each likelihood; other likelihoods have larger gradients per pixel."""

_OTHERS = 4.0


def scaled_weight(weight, usual: float, encoder: keras.Model, likelihood: Likelihood) -> float:
    """Returns a weight; the value "auto" becomes a weight that fits the number of pixels.

    The reconstruction loss is a sum over pixels. Its gradients grow with the number of pixels. They
    also grow if the density of a pixel can become narrow. A constant weight would then have less
    effect. "auto" is

        usual * (pixels / 784) * c,   c = 1 for a Bernoulli or continuous Bernoulli, 4 for others.

    docs/notebook.md has sweeps at two sizes (benchmarks/mmd_vae_lambda.py).

    Args:
        weight: float or "auto".
        usual: float. Weight for 28x28x1 images with Bernoulli pixels.
        encoder: keras.Model. Its input has the shape of an image.
        likelihood: a likelihood of `keras_infomodels.distributions`.
    """
    if weight != "auto":
        return weight
    pixels = math.prod(input_shape(encoder, "encoder"))
    return usual * pixels / _PIXELS * _OF_A_PIXEL.get(type(likelihood), _OTHERS)
