"""Functions of an exported GAN or InfoGAN."""

from collections.abc import Mapping

import tensorflow as tf

from keras_infomodels.distributions import Categorical, Uniform
from keras_infomodels.models.signatures import Input, Signature, seeded

__all__ = ["gan_signatures", "infogan_signatures"]


def gan_signatures(
    model, recognition: Mapping[str, Signature] | None = None
) -> dict[str, Signature]:
    """Returns the functions of an exported `GAN`, by name.

        generate         images of "noise" and of each code by its name (a category is one-hot)
        discriminate     the logit of an image, before any sigmoid
        generate_seeded  images of prior draws, from a count and a seed

    Args:
        model: `GAN`.
        recognition: dict of Signature. Signatures of a recognition head, inserted after `generate`.
            `None` means none.
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

    def discriminate(image):
        return {"logits": model.discriminate(image, False)["logits"]}

    return {
        "generate": Signature(generate, tuple(inputs)),
        **(recognition or {}),
        "discriminate": Signature(discriminate, (_image(model),)),
        "generate_seeded": seeded(generate_seeded),
    }


def infogan_signatures(model) -> dict[str, Signature]:
    """Returns the functions of an exported `InfoGAN`: those of a `GAN`, and `infer_codes`.

    `infer_codes` is absent without codes. For a categorical code NAME it returns
    NAME_probabilities; for a continuous code, NAME_mean and NAME_stddev.

    Args:
        model: `InfoGAN`.
    """
    if not model.latents.codes:
        return gan_signatures(model)

    def infer_codes(image):
        params = model.posterior_params(image, model.discriminate(image, False), training=False)
        outputs = {}
        for name, code in model.latents.codes.items():
            if isinstance(code.prior, Categorical):
                outputs[f"{name}_probabilities"] = tf.nn.softmax(code.infer(params[name]).logits)
            else:
                mean, stddev = code.mean_and_stddev(params[name])
                outputs |= {f"{name}_mean": mean, f"{name}_stddev": stddev}
        return outputs

    return gan_signatures(model, {"infer_codes": Signature(infer_codes, (_image(model),))})


def _image(model) -> Input:
    return Input("image", model.data_shape, "image")
