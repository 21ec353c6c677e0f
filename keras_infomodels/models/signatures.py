"""What an exported model offers: named functions of named tensors."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from keras_infomodels.distributions import (
    Categorical,
    CategoricalNormal,
    ContinuousBernoulli,
    GaussianMixture,
    StandardNormal,
    SwissRoll,
    Uniform,
    code_distribution,
    prior_distribution,
    rate,
)

__all__ = ["Input", "Signature", "gan_signatures", "vae_signatures"]

RANDOM = "it draws random numbers, for which TFLite has no operator that takes a seed"
ATANH = "the normalizer of the continuous Bernoulli needs atanh, which TFLite lacks"


@dataclass(frozen=True)
class Input:
    """A named tensor that a signature takes.

    Attributes:
        name: of the tensor.
        shape: of one example, without the batch.
        kind: what belongs there: "image"; "latent" (what the decoder takes); draws of "normal",
            "uniform" (-1 to 1) or "category" (one of K, all equally likely); "count" (one int32);
            "seed" (int32 of shape (2,)).
    """

    name: str
    shape: tuple[int, ...]
    kind: str

    def spec(self, batch_size: int | None = None) -> tf.TensorSpec:
        """The tensor's specification; None is a free batch size."""
        if self.kind in ("count", "seed"):
            return tf.TensorSpec(self.shape, tf.int32, name=self.name)
        return tf.TensorSpec((batch_size, *self.shape), tf.float32, name=self.name)


@dataclass(frozen=True)
class Signature:
    """A function that an export offers.

    Attributes:
        function: of tensors by keyword, to a dict of tensors.
        inputs: what it takes.
        saved_model_only: why a `.tflite` cannot hold it; empty if it can.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[Input, ...]
    saved_model_only: str = ""


def gan_signatures(model) -> dict[str, Signature]:
    """The signatures of a `GAN`, by name.

    `generate` takes "noise" and each code by its name (a category as one of K);
    `generate_seeded` draws them from a count and a seed; `discriminate` gives the logit of an
    image, before any sigmoid; `infer_codes` is that of an InfoGAN: NAME_probabilities of a
    category, NAME_mean and NAME_stddev of a continuous code.

    Args:
        model: a `GAN`.
    """
    latents = model.latents
    kinds = {Categorical: "category", Uniform: "uniform"}
    inputs = [Input("noise", (latents.noise_dim,), "normal")] if latents.noise_dim else []
    inputs += [
        Input(name, (code.prior.dimension,), kinds.get(type(code.prior), "normal"))
        for name, code in latents.codes.items()
    ]

    def generate(**parts):
        return {"image": model(latents.join(parts))}

    def generate_seeded(count, seed):
        return generate(**latents.sample(count, seed))

    def infer_codes(image):
        numbers = model.numbers(image, model.judge(image, False), training=False)
        outputs = {}
        for name, code in latents.codes.items():
            if isinstance(code.prior, Categorical):
                outputs[f"{name}_probabilities"] = tf.nn.softmax(code.infer(numbers[name]).logits)
            else:
                mean, stddev = code.mean_and_stddev(numbers[name])
                outputs |= {f"{name}_mean": mean, f"{name}_stddev": stddev}
        return outputs

    def discriminate(image):
        return {"logits": model.judge(image, False)["logits"]}

    image = Input("image", model.data_shape, "image")
    signatures = {"generate": Signature(generate, tuple(inputs))}
    if hasattr(model, "infer_codes") and latents.codes:
        signatures["infer_codes"] = Signature(infer_codes, (image,))
    return signatures | {
        "discriminate": Signature(discriminate, (image,)),
        "generate_seeded": _seeded(generate_seeded),
    }


def vae_signatures(model) -> dict[str, Signature]:
    """The signatures of an `InfoVAE`, by name.

        encode           loc and scale of q(z|x), probabilities of a category
        decode           E[x|z], and what else p(x|z) is made of: logits, or the scale of each pixel
        reconstruct      E[x|z] at the mean of q(z|x)
        generate         E[x|z] of noise; of a category, or of one component of a mixture, and noise
        encode_sample    z = loc + scale * noise
        score            -log p(x|z) and KL(q(z|x) || p(z)) of each example, in nats, at that z
        generate_seeded  E[x|z] of prior draws, from a count and a seed

    `encode_sample` and the rate are left out where q(z|x) has no density, `generate` where the
    prior is a raw TFP distribution. `score` takes grey images of a Bernoulli likelihood as they
    are, and gives the mean over all their binarizations: the log-likelihood is linear in x.

    Args:
        model: an `InfoVAE`.
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
        others = {n: parameters[n] for n in model.likelihood.parameters if n != "loc"}
        return {"image": model.likelihood.mean(parameters), **others}

    signatures = {
        "encode": Signature(encode, (image,)),
        "decode": Signature(decode, (z,)),
        "reconstruct": Signature(lambda image: {"image": model(image, training=False)}, (image,)),
    }
    if drawn := _prior_inputs(model):
        inputs, join = drawn
        signatures["generate"] = Signature(
            lambda **parts: {"image": model.mean_image(join(**parts))}, inputs
        )
    return signatures | _sampled(model, image, parameters_of)


def _sampled(model, image: Input, parameters_of: Callable) -> dict[str, Signature]:
    """The signatures that take a sample of q(z|x) or draw from the prior."""

    def sample(parameters, noise):
        z = parameters["loc"]
        z = z if noise is None else z + parameters["scale"] * noise
        if model.categorical:
            z = tf.concat([tf.nn.softmax(parameters["logits"]), z], axis=1)
        return z

    def encode_sample(image, noise):
        return {"z": sample(parameters_of(image), noise)}

    def score(image, noise=None):
        parameters = parameters_of(image)
        z, x = sample(parameters, noise), model.likelihood.observe(image, None)
        terms = {"reconstruction": -model.observation(z, x, False).log_prob(x)}
        if model.has_density:
            q = code_distribution(parameters)
            terms["rate"] = rate(q, prior_distribution(model.prior), z)
        return terms

    def generate_seeded(count, seed):
        prior = prior_distribution(model.prior)
        return {"image": model.mean_image(prior.sample(count, seed=seed))}

    signatures, inputs = {}, (image,)
    if not model.deterministic:
        categories = model.prior.categories if model.categorical else 0
        inputs = (image, Input("noise", (model.latent_dim - categories,), "normal"))
        signatures["encode_sample"] = Signature(encode_sample, inputs)
    reason = ATANH if isinstance(model.likelihood, ContinuousBernoulli) else ""
    return signatures | {
        "score": Signature(score, inputs, reason),
        "generate_seeded": _seeded(generate_seeded),
    }


def _prior_inputs(model) -> tuple[tuple[Input, ...], Callable] | None:
    """What is drawn to draw from the prior, and how z is made of it."""
    prior = model.prior
    if isinstance(prior, StandardNormal):
        return (Input("noise", (prior.dimension,), "normal"),), lambda noise: noise
    if isinstance(prior, CategoricalNormal):
        inputs = (
            Input("category", (prior.categories,), "category"),
            Input("noise", (prior.dimension,), "normal"),
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


def _seeded(function: Callable) -> Signature:
    return Signature(function, (Input("count", (), "count"), Input("seed", (2,), "seed")), RANDOM)
