"""Information of an encoder, with q(z) the mixture of its posteriors over a whole set.

No average over minibatches stands in for q(z): such estimates of I_q(x;z) are wrong by nats.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.information.estimate import Estimate, mean_estimate

__all__ = [
    "aggregated_log_prob",
    "aggregated_mutual_information",
    "dimension_wise_kl",
    "marginal_kl",
    "mixture_log_prob",
    "total_correlation",
]

_CELLS = 2**22
"""Entries of the largest intermediate matrix: 32 MB of float64."""


def mixture_log_prob(z: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """log (1/N) sum_j N(z; loc_j, diag(scale_j^2)), in nats, differentiable.

    Args:
        z: points, shape (m, d).
        loc: means, shape (N, d).
        scale: standard deviations, shape (N, d).

    Returns:
        Shape (m,), float64.
    """
    z, loc, scale = (tf.cast(a, tf.float64) for a in (z, loc, scale))
    return _log_mean_exp(_joint(z, loc, scale))


def _joint(z: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """log N(z_i; loc_j, diag(scale_j^2)), shape (m, N).

    The exponent is quadratic in z, so that it is one matrix product of [z^2, z] with the mixture's
    coefficients, never an (m, N, d) tensor. float64, as these terms cancel where scales are small.
    """
    precision = scale**-2
    weights = tf.concat([-0.5 * precision, loc * precision], axis=-1)
    constants = -0.5 * tf.reduce_sum(
        loc**2 * precision + 2 * tf.math.log(scale) + math.log(2 * math.pi), axis=-1
    )
    return tf.matmul(tf.concat([z**2, z], axis=-1), weights, transpose_b=True) + constants


def _log_mean_exp(joint: tf.Tensor) -> tf.Tensor:
    count = tf.cast(tf.shape(joint)[-1], joint.dtype)
    return tf.reduce_logsumexp(joint, axis=-1) - tf.math.log(count)


@tf.function(reduce_retracing=True)
def _chunk(z, loc, scale, own, start) -> tf.Tensor:
    joint = _joint(z, loc, scale)
    rows = tf.range(tf.shape(z)[0])
    diagonal = tf.stack([rows, rows + start], axis=-1)
    return _log_mean_exp(tf.tensor_scatter_nd_update(joint, diagonal, own))


def aggregated_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log q(z_i) with q(z) = (1/N) sum_j N(z; loc_j, diag(scale_j^2)), in nats, in chunks.

    Args:
        z: one sample of each of the N posteriors, shape (N, d).
        loc: means, shape (N, d).
        scale: standard deviations, shape (N, d); below 1e-12 they count as 1e-12.

    Returns:
        Shape (N,), float64.
    """
    z, loc, scale = _table(z, loc, scale)
    own = _own_log_prob(z, loc, scale)
    rows = max(1, _CELLS // len(loc))
    means, deviations = tf.constant(loc), tf.constant(scale)
    chunks = []
    for start in range(0, len(z), rows):
        part = slice(start, start + rows)
        # The matrix product loses the largest term, each z's own, where scales are tiny.
        chunks.append(_chunk(z[part], means, deviations, own[part], tf.constant(start)))
    return np.concatenate(chunks)


def _table(z, loc, scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    if not (z.shape == loc.shape == scale.shape and z.ndim == 2 and len(z)):
        raise ValueError(
            f"z, loc and scale have one shape (N, d), got {z.shape}, {loc.shape}, {scale.shape}."
        )
    return z, loc, np.maximum(scale, 1e-12)


def _own_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log q(z_i|x_i), shape (N,)."""
    terms = ((z - loc) / scale) ** 2 + 2 * np.log(scale) + math.log(2 * math.pi)
    return -0.5 * terms.sum(axis=-1)


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
    z, loc, scale = _table(z, loc, scale)
    terms = _own_log_prob(z, loc, scale) - aggregated_log_prob(z, loc, scale)
    return mean_estimate(terms, "lower bound", math.log(len(terms)))


def marginal_kl(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, prior: tfp.distributions.Distribution
) -> Estimate:
    """KL(q(z) || p(z)) = E [log q(z) - log p(z)] over a table of N encodings.

    q(z) is the mixture over the same N posteriors; for the population this is an upper bound in
    expectation, off by what `aggregated_mutual_information` lacks: the two sum to the rate.

    Args:
        z: one sample of each posterior, shape (N, d).
        loc, scale: means and standard deviations, shape (N, d).
        prior: p(z), batch shape ().
    """
    log_p = np.asarray(prior.log_prob(tf.cast(z, prior.dtype)), np.float64)
    return mean_estimate(aggregated_log_prob(z, loc, scale) - log_p, "upper bound")


def total_correlation(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> Estimate:
    """TC = KL(q(z) || prod_j q(z_j)) over a table of N encodings, in nats.

    Joint and marginals are mixtures over the same N posteriors. No minibatch stands in for q(z):
    estimates from minibatches are wrong by tens of nats. For the population the joint's share of
    the bias remains, that of `aggregated_mutual_information`.
    Source: Chen et al., "Isolating sources of disentanglement", 2018, equation 2.

    Args:
        z: one sample of each posterior, shape (N, d).
        loc, scale: means and standard deviations, shape (N, d).
    """
    marginals = _marginal_log_probs(z, loc, scale).sum(axis=-1)
    return mean_estimate(aggregated_log_prob(z, loc, scale) - marginals, "estimate")


def dimension_wise_kl(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> list[Estimate]:
    """KL(q(z_j) || N(0, 1)) of each dimension over a table of N encodings, in nats.

    With the prior N(0, I) the rate is mutual information + total correlation + their sum.
    """
    marginals = _marginal_log_probs(z, loc, scale)
    log_p = -0.5 * (np.asarray(z, np.float64) ** 2 + math.log(2 * math.pi))
    return [mean_estimate(terms, "estimate") for terms in (marginals - log_p).T]


def _marginal_log_probs(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    columns = [
        aggregated_log_prob(z[:, j : j + 1], loc[:, j : j + 1], scale[:, j : j + 1])
        for j in range(np.shape(z)[1])
    ]
    return np.stack(columns, axis=-1)
