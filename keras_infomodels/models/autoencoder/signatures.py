"""Functions of an exported autoencoder."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import (
    CategoricalNormal,
    ContinuousBernoulli,
    DiscretizedGaussian,
    GaussianMixture,
    MultivariateNormal,
    StandardNormal,
    SwissRoll,
    code_distribution,
    portable_log_prob,
    prior_distribution,
    rate,
)
from keras_infomodels.models.signatures import Input, Signature, seeded

__all__ = ["vae_signatures"]

_NOT_IN_TFLITE = {
    ContinuousBernoulli: "the continuous Bernoulli's normalizer needs atanh, which TFLite lacks",
    DiscretizedGaussian: "the normal distribution function needs erfc, which TFLite lacks",
}
"""Likelihoods that TFLite cannot compute, with the reason."""


def vae_signatures(model) -> dict[str, Signature]:
    """Returns the functions of an exported `InfoVAE`, by name.

        encode           loc and scale of q(z|x), probabilities of a category
        decode           E[x|z] and other parameters of p(x|z): logits, or the scale of each pixel
        reconstruct      E[x|z] at the mean of q(z|x)
        generate         E[x|z] of noise, with a one-hot category or component of a mixture
        encode_sample    z = loc + scale * noise
        score            -log p(x|z) and KL(q(z|x) || p(z)) of each example, in nats, at that z
        generate_seeded  E[x|z] of prior draws, from a count and a seed

    x is an image, z its latent variables, q(z|x) the encoder's distribution, p(x|z) the decoder's
    and p(z) the prior. `encode_sample` and the KL term of `score` are absent if q(z|x) has no
    density, as for a deterministic encoder. `generate` is absent if the prior is a TFP
    distribution. With a Bernoulli likelihood, `score` does not binarize gray images. Because log
    p(x|z) is linear in x, the result is the mean over all binarizations.

    Args:
        model: `InfoVAE`.
    """
    image, z = Input("image", model.data_shape, "image"), Input("z", (model.latent_dim,), "latent")

    def parameters_of(image):
        return model.encoder(model.likelihood.observe(image, None), training=False)

    def encode(image):
        parameters = parameters_of(image)
        outputs = {name: parameters[name] for name in ("loc", "scale") if name in parameters}
        if model.categorical:
            outputs["probabilities"] = tf.nn.softmax(parameters["logits"])
        return outputs

    def decode(z):
        parameters = model.decoder(z, training=False)
        # The mean of a continuous distribution is its location; that of a discretized one is not.
        same = () if getattr(model.likelihood, "support", None) == "bytes" else ("loc",)
        others = {n: parameters[n] for n in model.likelihood.parameters if n not in same}
        return {"image": model.likelihood.mean(parameters), **others}

    def reconstruct(image):
        return {"image": model.mean_image(_latents(model, parameters_of(image), None))}

    signatures = {
        "encode": Signature(encode, (image,)),
        "decode": Signature(decode, (z,)),
        "reconstruct": Signature(reconstruct, (image,)),
    }
    if drawn := _prior_inputs(model):
        inputs, join = drawn
        signatures["generate"] = Signature(
            lambda **parts: {"image": model.mean_image(join(**parts))}, inputs
        )
    return signatures | _sampled(model, image, parameters_of)


def _latents(model, parameters, noise) -> tf.Tensor:
    """Input of the decoder: a sample of q(z|x), or its mean if noise is None."""
    z = parameters["loc"]
    z = z if noise is None else z + parameters["scale"] * noise
    if model.categorical:
        z = tf.concat([tf.nn.softmax(parameters["logits"]), z], axis=1)
    return z


def _rate(model, parameters, z) -> tf.Tensor:
    """KL(q(z|x) || p(z)) of each example, in nats.

    For a normal prior it is written out, because TFP's uses `BroadcastArgs`, which ONNX lacks, and
    triangular solvers, which TFLite lacks.
    """
    if isinstance(model.prior, StandardNormal):
        loc, scale = parameters["loc"], parameters["scale"]
        return tf.reduce_sum((scale**2 + loc**2 - 1) / 2 - tf.math.log(scale), axis=1)
    if isinstance(model.prior, MultivariateNormal):
        loc, scale = parameters["loc"] - model.prior.loc, parameters["scale"]
        inverse = np.linalg.inv(model.prior.scale_tril.astype(np.float64))
        whitened = tf.matmul(loc, inverse.T.astype(np.float32)) ** 2
        spread = scale**2 @ (inverse**2).sum(axis=0, keepdims=True).T.astype(np.float32)
        log_det = 2 * np.log(inverse.diagonal()).sum() + model.latent_dim
        logs = tf.reduce_sum(tf.math.log(scale), axis=1)
        return (tf.reduce_sum(whitened, axis=1) + spread[:, 0] - log_det) / 2 - logs
    return rate(code_distribution(parameters), prior_distribution(model.prior), z)


def _sampled(model, image: Input, parameters_of: Callable) -> dict[str, Signature]:
    """Signatures that take a sample of q(z|x) or draw from the prior."""

    def encode_sample(image, noise):
        return {"z": _latents(model, parameters_of(image), noise)}

    def score(image, noise=None):
        parameters = parameters_of(image)
        z, x = _latents(model, parameters, noise), model.likelihood.observe(image, None)
        terms = {"reconstruction": -portable_log_prob(model.observation(z, x, False), x)}
        if model.has_density:
            terms["rate"] = _rate(model, parameters, z)
        return terms

    def generate_seeded(count, seed):
        prior = prior_distribution(model.prior)
        return {"image": model.mean_image(prior.sample(count, seed=seed))}

    signatures, inputs = {}, (image,)
    if not model.deterministic:
        categories = model.prior.num_categories if model.categorical else 0
        inputs = (image, Input("noise", (model.latent_dim - categories,), "normal"))
        signatures["encode_sample"] = Signature(encode_sample, inputs)
    reason = _NOT_IN_TFLITE.get(type(model.likelihood), "")
    is_density = getattr(model.likelihood, "is_density", False)
    scales = {"reconstruction": float(math.prod(model.data_shape))} if is_density else {}
    return signatures | {
        "score": Signature(score, inputs, reason, scales),
        "generate_seeded": seeded(generate_seeded),
    }


def _prior_inputs(model) -> tuple[tuple[Input, ...], Callable] | None:
    """Inputs from which a draw of the prior is made, and the function that makes it."""
    prior = model.prior
    if isinstance(prior, StandardNormal):
        return (Input("noise", (prior.dimension,), "normal"),), lambda noise: noise
    if isinstance(prior, MultivariateNormal):
        inputs = (Input("noise", prior.loc.shape, "normal"),)
        return inputs, lambda noise: prior.loc + tf.matmul(noise, prior.scale_tril.T)
    if isinstance(prior, CategoricalNormal):
        inputs = (
            Input("category", (prior.num_categories,), "category"),
            Input("noise", (prior.continuous_dim,), "normal"),
        )
        return inputs, lambda category, noise: tf.concat([category, noise], axis=1)
    if isinstance(prior, GaussianMixture | SwissRoll):
        components = prior.distribution().components_distribution
        means, stddevs = components.mean().numpy(), components.stddev().numpy()
        inputs = (
            Input("component", (len(means),), "category"),
            Input("noise", (model.latent_dim,), "normal"),
        )
        return inputs, lambda component, noise: component @ means + (component @ stddevs) * noise
    return None
