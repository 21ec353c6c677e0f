"""Checks that a GAN's networks, codes and settings fit together."""

from collections.abc import Mapping, Sequence

import keras

from keras_infomodels.distributions import Code
from keras_infomodels.models.checks import input_shape, output_names, output_shapes
from keras_infomodels.models.gan.objectives import OBJECTIVES
from keras_infomodels.spec import check_nonnegative

__all__ = ["check_gan", "check_infogan", "check_recognition"]


def check_gan(model):
    """Raises ValueError unless a GAN's networks fit together and its settings are allowed."""
    if model.objective not in OBJECTIVES:
        raise ValueError(f"objective is one of {', '.join(OBJECTIVES)}; got {model.objective!r}.")
    if model.update not in ("simultaneous", "alternating"):
        raise ValueError(f'update is "simultaneous" or "alternating", got {model.update!r}.')
    if model.discriminator_steps > 1 and model.update != "alternating":
        raise ValueError(
            "discriminator_steps is 1, or above with update='alternating'; got "
            f"{model.discriminator_steps!r} with {model.update!r}."
        )
    for name in ("gradient_penalty", "r1"):
        check_nonnegative(name, getattr(model, name))
    smoothing = model.label_smoothing
    if not 0 <= smoothing < 0.5 or (smoothing and model.objective != "non_saturating"):
        raise ValueError(
            f'label_smoothing is in [0, 0.5), and 0 unless "non_saturating"; got {smoothing!r} '
            f"with {model.objective!r}."
        )
    latents = input_shape(model.generator, "generator")
    if latents != (model.latents.dimension,):
        raise ValueError(
            f"The generator takes latents of shape {latents}, but noise_dim and the codes make "
            f"({model.latents.dimension},): {model.latents.noise_dim} of noise"
            + "".join(f", {c.prior.dimension} of {n}" for n, c in model.latents.codes.items())
            + "."
        )
    images = output_shapes(model.generator, (2, *latents))
    wanted = input_shape(model.discriminator, "discriminator")
    if isinstance(images, dict) or images[1:] != wanted:
        made = output_names(images) if isinstance(images, dict) else images[1:]
        raise ValueError(
            f"The generator makes {made}, but the discriminator takes data of shape {wanted}."
        )
    outputs = output_shapes(model.discriminator, (2, *wanted))
    logits = outputs.get("logits") if isinstance(outputs, dict) else outputs
    if logits != (2, 1):
        raise ValueError(
            'The discriminator returns one logit for each image, "logits" of shape (batch, 1) or '
            f"this alone; got {outputs}."
        )


def check_infogan(model):
    """Raises ValueError unless an InfoGAN's settings are allowed and have the codes they need."""
    if model.posterior not in ("shared", "stop_gradient", "separate"):
        raise ValueError(
            f'posterior is "shared", "stop_gradient" or "separate", got {model.posterior!r}.'
        )
    adversarial = model.consistency is not None and model.consistency.augmentations != "affine"
    if adversarial and model.posterior == "stop_gradient":
        raise ValueError(
            'With posterior="stop_gradient" the augmentations of consistency are "affine".'
        )
    for name in ("information_weight", "fake_consistency_weight"):
        check_nonnegative(name, getattr(model, name))
    of_a_category = ("fake_consistency_weight", "consistency", "classification")
    if model.uses_affine and len(model.data_shape) != 3:
        raise ValueError(
            f"Affine augmentations need images, and the data have shape {model.data_shape}: leave "
            'fake_consistency_weight out and take Consistency(augmentations="adversarial").'
        )
    wanted = [name for name in of_a_category if getattr(model, name)]
    if wanted and not model.categorical_codes:
        raise ValueError(f"{', '.join(wanted)} needs a categorical code; there is none.")


def check_recognition(network: keras.Model, shape: tuple[int, ...], codes: Sequence[Code]):
    """Raises ValueError unless Q's network has an output of the right length for each code.

    Args:
        network: Keras model of inputs (batch, *shape).
        shape: tuple of int. Shape of one input.
        codes: sequence of Code.
    """
    outputs = network.compute_output_spec(keras.KerasTensor((2, *shape)))
    outputs = outputs if isinstance(outputs, Mapping) else {}
    for code in codes:
        found = tuple(outputs[code.name].shape) if code.name in outputs else None
        if found != (2, code.parameters):
            got = "none" if found is None else f"an output of shape (batch, {found[-1]})"
            raise ValueError(
                f"Q's network returns a dict whose {code.name!r} has the shape "
                f"(batch, {code.parameters}), see Code.parameters; got {got}."
            )
