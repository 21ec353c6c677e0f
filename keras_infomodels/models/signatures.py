"""What an exported model offers: named functions of named tensors."""

import tensorflow as tf

from keras_infomodels.distributions import StandardNormal

__all__ = ["vae_signatures"]


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
