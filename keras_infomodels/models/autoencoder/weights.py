"""Weights of prior-matching terms beside a reconstruction that is summed over pixels."""

import math

import keras

from keras_infomodels.distributions import Bernoulli, ContinuousBernoulli, Likelihood
from keras_infomodels.models.checks import input_shape

__all__ = ["scaled_weight"]

_PIXELS = 28 * 28
_OF_A_PIXEL = {Bernoulli: 1.0, ContinuousBernoulli: 1.0}
"""How many nats a pixel of other likelihoods has for one of MNIST under these."""

_OTHERS = 4.0


def scaled_weight(weight, usual: float, encoder: keras.Model, likelihood: Likelihood) -> float:
    """A weight in place of "auto"; others as they are.

    The reconstruction of an image with more pixels, or with a density that can become narrow, has
    larger gradients, beside which the same weight does less. "auto" is

        usual * (pixels / 784) * c,   c = 1 for a Bernoulli or continuous Bernoulli, 4 for others,

    a constant of shape and likelihood: the usual weight at 28x28x1.
    docs/notebook.md has sweeps at two sizes (benchmarks/mmd_vae_lambda.py).

    Args:
        weight: float or "auto".
        usual: float. Weight at 28x28x1 with a Bernoulli.
        encoder: keras.Model. Its images count.
        likelihood: a spec of `keras_infomodels.distributions`.
    """
    if weight != "auto":
        return weight
    pixels = math.prod(input_shape(encoder, "encoder"))
    return usual * pixels / _PIXELS * _OF_A_PIXEL.get(type(likelihood), _OTHERS)
