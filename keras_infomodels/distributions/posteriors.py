"""Posteriors q(z|x) from the outputs of an encoder."""

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["code_distribution", "posterior", "rate"]


def code_distribution(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """Creates the distribution of the decoder's input: a category's probabilities, then z.

    The decoder's input contains the probabilities of the category instead of a draw, since these
    have a gradient.

    Args:
        parameters: dict from name to tensor. Outputs of an encoder: those of `posterior` and, for a
            category, "logits" of shape (batch, K).

    Returns:
        TFP distribution of batch shape (batch,) and event shape (d,) or (K + d,).

    Example:
        outputs = {name: tf.ones((2, 3)) for name in ("logits", "loc", "scale")}
        ki.distributions.code_distribution(outputs).sample()  # shape (2, 6)
    """
    z = posterior(parameters)
    if "logits" not in parameters:
        return z
    probabilities = tf.nn.softmax(tf.cast(parameters["logits"], z.dtype))
    return tfd.Blockwise([tfd.VectorDeterministic(probabilities), z])


def posterior(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """Creates q(z|x) = N(loc, diag(scale^2)), or a point mass at loc without a scale.

    Args:
        parameters: dict from name to tensor (batch, d). "loc" and, for a stochastic encoder,
            "scale": standard deviations above 0.

    Returns:
        TFP distribution of batch shape (batch,) and event shape (d,), in float32 or wider.

    Example:
        q = ki.distributions.posterior({"loc": tf.zeros((2, 3)), "scale": tf.ones((2, 3))})
    """
    tensors = {name: tf.convert_to_tensor(value) for name, value in parameters.items()}
    if tensors["loc"].dtype.size < 4:
        tensors = {name: tf.cast(value, tf.float32) for name, value in tensors.items()}
    if "scale" not in tensors:
        return tfd.VectorDeterministic(tensors["loc"])
    return tfd.MultivariateNormalDiag(tensors["loc"], tensors["scale"])


def rate(posterior: tfd.Distribution, prior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
    """Computes KL(q(z|x) || p(z)) of each example, in nats.

    It is the closed form if TFP has one. Otherwise it is the one-sample Monte Carlo estimate
    log q(z|x) - log p(z), which is unbiased and may be negative.

    Args:
        posterior: TFP distribution of batch shape (batch,). q(z|x).
        prior: TFP distribution of batch shape (). p(z).
        z: tensor (batch, d). Samples of the posterior; used by the estimate alone.

    Returns:
        Tensor (batch,).

    Example:
        q = ki.distributions.posterior({"loc": tf.zeros((2, 3)), "scale": tf.ones((2, 3))})
        prior = ki.distributions.StandardNormal(3).distribution()
        ki.distributions.rate(q, prior, q.sample())  # 0
    """
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)
