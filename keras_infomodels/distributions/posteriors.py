"""Posteriors q(z|x) from the outputs of an encoder."""

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["code_distribution", "posterior", "rate"]


def code_distribution(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """Creates the distribution of the decoder's input from the outputs of an encoder.

    The input is a vector of the probabilities of a category, if there is one, and the continuous
    latents z. It contains the probabilities instead of a one-hot draw, because probabilities have a
    gradient.

    Args:
        parameters: dict from name to tensor. Outputs of an encoder: "loc" and, for a stochastic
            encoder, "scale", each (batch, d). For a category also "logits" (batch, K).

    Returns:
        TFP distribution with batch shape (batch,) and event shape (d,), or (K + d,) with a
        category.

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
    """Creates q(z|x), an encoder's distribution of the latents z, from the encoder's outputs.

    It is N(loc, diag(scale^2)), or a point mass at loc if there is no "scale".

    Args:
        parameters: dict from name to tensor (batch, d). "loc" holds the means and "scale" the
            standard deviations, above 0. A deterministic encoder has no "scale".

    Returns:
        TFP distribution with batch shape (batch,) and event shape (d,), in float32 or float64.

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
    """Computes the rate KL(q(z|x) || p(z)) of each example x, in nats.

    The closed form is used if TFP has one. Otherwise the result is the one-sample Monte Carlo
    estimate log q(z|x) - log p(z), which is unbiased and may be negative.

    Args:
        posterior: TFP distribution with batch shape (batch,). The encoder's q(z|x).
        prior: TFP distribution with batch shape (). The prior p(z).
        z: tensor (batch, d). One sample of q(z|x) for each example. Not used by the closed form.

    Returns:
        Tensor (batch,), in nats.

    Example:
        q = ki.distributions.posterior({"loc": tf.zeros((2, 3)), "scale": tf.ones((2, 3))})
        prior = ki.distributions.StandardNormal(3).distribution()
        ki.distributions.rate(q, prior, q.sample())  # 0
    """
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)
