"""What an exported model offers: named functions of named tensors."""

import inspect

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions import StandardNormal

tfd = tfp.distributions

__all__ = ["gan_signatures", "vae_signatures"]


def gan_signatures(model) -> dict:
    """name -> (function of named tensors to a dict of tensors, its `tf.TensorSpec`s).

    `generate` takes "noise" and each code by its name (a category as one of K); `discriminate`
    gives the logit of an image, before any sigmoid; `infer_codes` is that of an InfoGAN:
    NAME_probabilities of a category, NAME_mean and NAME_stddev of a continuous code.

    Args:
        model: a `GAN`.
    """
    latents = model.latents

    def spec(name, *shape):
        return tf.TensorSpec((None, *shape), tf.float32, name=name)

    def generate(*parts):
        named = {each.name: part for each, part in zip(inputs, parts, strict=True)}
        return {"image": model(latents.join(named))}

    def infer_codes(image):
        outputs = {}
        for name, q in model.infer_codes(image).items():
            if isinstance(q, tfd.OneHotCategorical):
                outputs[f"{name}_probabilities"] = tf.nn.softmax(q.logits)
            else:
                outputs |= {f"{name}_mean": q.mean(), f"{name}_stddev": q.stddev()}
        return outputs

    image = spec("image", *model.data_shape)
    inputs = [spec("noise", latents.noise_dim)] if latents.noise_dim else []
    inputs += [spec(name, code.prior.dimension) for name, code in latents.codes.items()]
    # tf.function wants the names of all arguments.
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    generate.__signature__ = inspect.Signature(
        [inspect.Parameter(each.name, keyword) for each in inputs]
    )
    signatures = {
        "generate": (generate, inputs),
        "discriminate": (lambda image: {"logits": model.judge(image, False)["logits"]}, [image]),
    }
    if hasattr(model, "infer_codes") and latents.codes:
        signatures["infer_codes"] = (infer_codes, [image])
    return signatures


def vae_signatures(model) -> dict:
    """name -> (function of named tensors to a dict of tensors, its `tf.TensorSpec`s).

    Inference only, without TFP and without random numbers: noise is an input. `generate` is there
    for the priors StandardNormal (noise) and CategoricalNormal (a one-hot category, and noise).

    Args:
        model: an `InfoVAE`.
    """

    def spec(name, *shape):
        return tf.TensorSpec((None, *shape), tf.float32, name=name)

    def encode(image):
        parameters = model.encoder(model.likelihood.observe(image, None), training=False)
        outputs = {name: parameters[name] for name in ("loc", "scale") if name in parameters}
        if model.categorical:
            outputs["probabilities"] = tf.nn.softmax(parameters["logits"])
        return outputs

    def generate(category, noise):
        return {"image": model.mean_image(tf.concat([category, noise], axis=1))}

    image, z = spec("image", *model.data_shape), spec("z", model.latent_dim)
    signatures = {
        "reconstruct": (lambda image: {"image": model(image, training=False)}, [image]),
        "encode": (encode, [image]),
        "decode": (lambda z: {"image": model.mean_image(z)}, [z]),
    }
    if isinstance(model.prior, StandardNormal):
        noise = spec("noise", model.latent_dim)
        signatures["generate"] = (lambda noise: {"image": model.mean_image(noise)}, [noise])
    elif model.categorical:
        inputs = [spec("category", model.prior.categories), spec("noise", model.prior.dimension)]
        signatures["generate"] = (generate, inputs)
    return signatures
