"""Posteriors q(z|x) made from an encoder's dict of parameters."""

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["code_distribution", "posterior", "rate"]


def code_distribution(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """What the decoder is given: `posterior`, after a category's probabilities if there is one.

    The probabilities themselves are passed on, not a draw of the category: they have a gradient.

    Args:
        parameters: those of `posterior` and, for a category, "logits" of shape (batch, K).

    Returns:
        A distribution of batch shape (batch,) and event shape (d,) or (K + d,).
    """
    z = posterior(parameters)
    if "logits" not in parameters:
        return z
    probabilities = tf.nn.softmax(tf.cast(parameters["logits"], z.dtype))
    return tfd.Blockwise([tfd.VectorDeterministic(probabilities), z])


def posterior(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """q(z|x) = N(loc, diag(scale^2)), or all its mass at loc where there is no scale.

    Args:
        parameters: "loc" and, for a stochastic encoder, "scale" (standard deviations, positive),
            each of shape (batch, d).

    Returns:
        A distribution of batch shape (batch,) and event shape (d,), in float32 or wider.
    """
    tensors = {name: tf.convert_to_tensor(value) for name, value in parameters.items()}
    if tensors["loc"].dtype.size < 4:
        tensors = {name: tf.cast(value, tf.float32) for name, value in tensors.items()}
    if "scale" not in tensors:
        return tfd.VectorDeterministic(tensors["loc"])
    return tfd.MultivariateNormalDiag(tensors["loc"], tensors["scale"])


def rate(posterior: tfd.Distribution, prior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
    """KL(q(z|x) || p(z)) for each example, in nats.

    The closed form where TFP has one, else the one-sample Monte Carlo estimate
    log q(z|x) - log p(z), which is unbiased and may be negative.

    Args:
        posterior: q(z|x), batch shape (batch,).
        prior: p(z), batch shape ().
        z: samples of the posterior, shape (batch, d); only the estimate reads them.

    Returns:
        A tensor of shape (batch,).
    """
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)
