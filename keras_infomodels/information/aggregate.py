"""Information of an encoder, with q(z) the mixture of its posteriors over a whole set.

No average over minibatches stands in for q(z): such estimates of I_q(x;z) are wrong by nats.
"""

import math

import numpy as np
import tensorflow as tf

from keras_infomodels.information.estimate import Estimate

__all__ = ["aggregated_log_prob", "aggregated_mutual_information"]

_CELLS = 2**22
"""Entries of the largest intermediate matrix: 32 MB of float64."""


@tf.function(reduce_retracing=True)
def _mixture_log_prob(z: tf.Tensor, weights: tf.Tensor, constants: tf.Tensor) -> tf.Tensor:
    features = tf.concat([z**2, z], axis=-1)
    joint = tf.matmul(features, weights, transpose_b=True) + constants
    count = tf.cast(tf.shape(weights)[0], z.dtype)
    return tf.reduce_logsumexp(joint, axis=-1) - tf.math.log(count)


def aggregated_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log q(z) with q(z) = (1/N) sum_j N(z; loc_j, diag(scale_j^2)), in nats.

    The exponent is quadratic in z, so that a chunk of rows is one matrix product of [z^2, z] with
    the mixture's coefficients. float64, as these terms cancel where scales are small.

    Args:
        z: points, shape (m, d).
        loc: means, shape (N, d).
        scale: standard deviations, shape (N, d).

    Returns:
        Shape (m,), float64.
    """
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    precision = scale**-2
    weights = np.concatenate([-0.5 * precision, loc * precision], axis=-1)
    constants = -0.5 * np.sum(
        loc**2 * precision + 2 * np.log(scale) + math.log(2 * math.pi), axis=-1
    )
    weights, constants = tf.constant(weights), tf.constant(constants)
    rows = max(1, _CELLS // len(loc))
    chunks = [
        _mixture_log_prob(tf.constant(z[start : start + rows]), weights, constants)
        for start in range(0, len(z), rows)
    ]
    return np.concatenate(chunks)


def aggregated_mutual_information(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> Estimate:
    """I_q(x;z) = E [log q(z|x) - log q(z)] over a table of N encodings.

    With q(z) the mixture over the same N posteriors this is the information about *which of the N
    examples* was encoded, up to the sampling of z; for the population that the examples were drawn
    from it is a lower bound in expectation. It cannot exceed ln N.

    Args:
        z: one sample of each posterior, shape (N, d).
        loc: posterior means, shape (N, d).
        scale: posterior standard deviations, shape (N, d).

    Returns:
        The lower bound in nats, its standard error over examples, and its ceiling ln N.
    """
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    conditional = -0.5 * np.sum(
        ((z - loc) / scale) ** 2 + 2 * np.log(scale) + math.log(2 * math.pi), axis=-1
    )
    terms = conditional - aggregated_log_prob(z, loc, scale)
    count = len(terms)
    error = float(np.std(terms, ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return Estimate(float(np.mean(terms)), error, "lower bound", math.log(count))
