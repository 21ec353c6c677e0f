"""Settings that make no sense, refused at construction."""

import math
import sys
import warnings
from collections.abc import Mapping, Sequence

import keras
import tensorflow_probability as tfp

from keras_infomodels.callbacks import WeightAverage
from keras_infomodels.datasets.batches import check_images
from keras_infomodels.distributions import (
    CategoricalNormal,
    Code,
    check_finite,
    check_range,
    prior_distribution,
)
from keras_infomodels.divergences import Partwise
from keras_infomodels.models.objectives import OBJECTIVES
from keras_infomodels.networks import Network
from keras_infomodels.spec import check_not_negative

tfd = tfp.distributions

__all__ = [
    "check_classifier",
    "check_gan",
    "check_networks",
    "check_objective",
    "check_pixels",
    "check_recognition",
    "check_weights",
    "divergence_weight",
]


def check_recognition(network: keras.Model, shape: tuple[int, ...], codes: Sequence[Code]):
    """That Q's network, of inputs (batch, *shape), gives each code as many numbers as it needs."""
    outputs = network.compute_output_spec(keras.KerasTensor((2, *shape)))
    outputs = outputs if isinstance(outputs, Mapping) else {}
    for code in codes:
        found = tuple(outputs[code.name].shape) if code.name in outputs else None
        if found != (2, code.parameters):
            got = "none" if found is None else f"{found[1:]} an example"
            raise ValueError(
                f"Q's network returns a dict with {code.parameters} numbers {code.name!r} an "
                f"example (Code.parameters); got {got}."
            )


def divergence_weight(alpha: float, lambda_: float) -> float:
    """alpha + lambda - 1; 0 where that differs from 0 by rounding alone."""
    weight = alpha + lambda_ - 1
    rounding = 4 * sys.float_info.epsilon * max(1, abs(alpha), lambda_)
    return 0.0 if abs(weight) <= rounding else weight


def check_weights(alpha: float, lambda_: float):
    """lambda > 0 and alpha + lambda - 1 >= 0; a warning where the loss is unbounded below."""
    if not (math.isfinite(alpha) and math.isfinite(lambda_)):
        raise ValueError(f"alpha and lambda_ are finite, got {alpha!r} and {lambda_!r}.")
    if lambda_ <= 0:
        raise ValueError(
            f"lambda_, the weight of KL(q(z) || p(z)), is above 0; got {lambda_!r}. For an "
            "autoencoder that is almost free of its prior use a small one, such as 1e-3."
        )
    weight = divergence_weight(alpha, lambda_)
    if weight < 0:
        raise ValueError(
            f"alpha + lambda_ - 1 = {weight:g} would reward a divergence from the "
            f"prior; with alpha={alpha:g} choose lambda_ of at least {1 - alpha:g}."
        )
    if alpha > 1:
        warnings.warn(
            f"alpha={alpha:g} rewards mutual information, which has no upper limit for continuous "
            "z: the encoder's min_stddev is then what bounds the loss.",
            stacklevel=3,
        )


def check_pixels(data, shape: tuple[int, ...], network: keras.Model, words: str):
    """Images of a shape, in [0, 1] where the network is this library's, else of finite numbers.

    `words` name such a network in the error.
    """

    def check(images):
        if isinstance(network, Network):
            check_range(images, words)
        else:
            check_finite(images)

    check_images(data, shape, check)


def check_objective(model):
    """That prior, posterior and divergence fit together."""
    if not (isinstance(model.prior, tfd.Distribution) or hasattr(model.prior, "distribution")):
        raise ValueError(
            "prior is a spec of keras_infomodels.distributions, such as StandardNormal"
            f"({model.latent_dim}), a TFP distribution, or None; got {model.prior!r}."
        )
    prior = prior_distribution(model.prior)
    if prior.trainable_variables:
        raise ValueError(
            f"The prior {prior.name!r} holds variables, which Keras would not train; give it "
            "constants."
        )
    if tuple(prior.batch_shape) or prior.dtype != "float32":
        raise ValueError(
            f"The prior is one float32 distribution, got batch shape {tuple(prior.batch_shape)} "
            f"and {prior.dtype.name}."
        )
    if tuple(prior.event_shape) != (model.latent_dim,):
        raise ValueError(
            f"The prior has event shape {tuple(prior.event_shape)}, but the encoder's z has "
            f"{model.latent_dim} dimensions; make them agree."
        )
    if model.categorical != isinstance(model.prior, CategoricalNormal):
        raise ValueError(
            'An encoder that returns "logits" and the prior CategoricalNormal belong together; got '
            f"{'logits' if model.categorical else 'no logits'} and {model.prior!r}."
        )
    if model.categorical and (model.rate_weight or not isinstance(model.divergence, Partwise)):
        raise ValueError(
            "With the prior CategoricalNormal the model is an adversarial autoencoder: "
            'AdversarialAutoencoder with discriminator={"category": ..., "z": ...} (or None), or '
            'InfoVAE with alpha=1 and divergence={"category": Adversarial(...), "z": ...}.'
        )
    if model.deterministic and model.rate_weight:
        raise ValueError(
            "A deterministic encoder has no rate, so its weight 1 - alpha must be 0: take alpha=1, "
            'or an encoder that returns "scale" too.'
        )
    if model.divergence is not None:
        if model.deterministic and model.divergence.needs_density:
            raise ValueError(
                f"{type(model.divergence).__name__} needs the density of q(z|x), which a "
                'deterministic encoder lacks; take the MMD, or return "scale" too.'
            )
        model.divergence.check(prior, model.latent_dim)


def check_callbacks(callbacks: list[keras.callbacks.Callback]):
    """That the weights a training ends with are those that its figures chose."""
    averages = any(isinstance(each, WeightAverage) for each in callbacks)
    if averages and any(getattr(each, "restore_best_weights", False) for each in callbacks):
        raise ValueError(
            "EarlyStopping(restore_best_weights=True) would put back an epoch's own weights, which "
            "WeightAverage has not averaged; leave one of the two out."
        )


def check_gan(model):
    """That the networks of a GAN fit together and its settings make sense."""
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
        check_not_negative(name, getattr(model, name))
    smoothing = model.label_smoothing
    if not 0 <= smoothing < 0.5 or (smoothing and model.objective != "non_saturating"):
        raise ValueError(
            f'label_smoothing is in [0, 0.5) and of "non_saturating" alone; got {smoothing!r} '
            f"with {model.objective!r}."
        )
    latents = _input_shape(model.generator, "generator")
    if latents != (model.latents.dimension,):
        raise ValueError(
            f"The generator takes latents of shape {latents}, but noise_dim and the codes make "
            f"({model.latents.dimension},): {model.latents.noise_dim} of noise"
            + "".join(f", {c.prior.dimension} of {n}" for n, c in model.latents.codes.items())
            + "."
        )
    images = _output_shapes(model.generator, (2, *latents))
    wanted = _input_shape(model.discriminator, "discriminator")
    if isinstance(images, dict) or images[1:] != wanted:
        raise ValueError(
            f"The generator makes {_names(images) if isinstance(images, dict) else images[1:]}, "
            f"but the discriminator takes data of shape {wanted}."
        )
    outputs = _output_shapes(model.discriminator, (2, *wanted))
    logits = outputs.get("logits") if isinstance(outputs, dict) else outputs
    if logits != (2, 1):
        raise ValueError(
            'The discriminator returns one logit for each image, "logits" of shape (batch, 1) or '
            f"this alone; got {outputs}."
        )


def check_networks(encoder, decoder, likelihood) -> tuple[tuple[int, ...], int, set[str]]:
    """That encoder, decoder and likelihood fit together.

    Returns:
        The shape of one example, the number of latent variables (a category counts K), the
        encoder's parameters.
    """
    data_shape = _input_shape(encoder, "encoder")
    specs = encoder.compute_output_spec(keras.KerasTensor((1, *data_shape)))
    posterior = _shapes(specs)
    if not isinstance(posterior, dict) or "loc" not in posterior:
        raise ValueError(
            'The encoder returns a dict with "loc" and "scale", or with "loc" alone if it is '
            f"deterministic; this one returns {_names(posterior)}."
        )
    used = {"loc", "scale", "logits"} & set(specs)
    if any(specs[name].dtype == "float64" for name in used):
        raise ValueError("The encoder ends in float64; make it end in float32, as the prior.")
    shapes = {posterior[name] for name in ("loc", "scale") if name in posterior}
    categories = posterior["logits"][-1] if "logits" in posterior else 0
    if len(shapes) != 1 or len(posterior["loc"]) != 2:
        raise ValueError(
            f'The encoder\'s "loc" and "scale" have one shape (batch, latent_dim), got {shapes}.'
        )
    latent_dim = posterior["loc"][-1] + categories
    z_shape = _input_shape(decoder, "decoder")
    if z_shape != (latent_dim,):
        raise ValueError(
            f"The decoder takes z of shape {z_shape}, but the encoder makes ({latent_dim},); give "
            "both the same latent_dim."
        )
    outputs = _output_shapes(decoder, (1, latent_dim))
    name = type(likelihood).__name__
    if missing := set(likelihood.parameters) - set(outputs):
        raise ValueError(
            f"The likelihood {name} needs {sorted(missing)} of the decoder, which returns "
            f"{_names(outputs)}; build it with parameters={likelihood.parameters!r}."
        )
    for parameter in likelihood.parameters:
        if outputs[parameter][1:] != data_shape:
            raise ValueError(
                f"The decoder's {parameter!r} has shape {outputs[parameter][1:]}, but the "
                f"encoder's images have {data_shape}; give both the same image_shape."
            )
    return data_shape, latent_dim, set(posterior)


def check_classifier(network: keras.Model) -> tuple[tuple[int, ...], int]:
    """That a network is a classifier's; the shape of one example and the number of classes."""
    data_shape = _input_shape(network, "network")
    outputs = _output_shapes(network, (1, *data_shape))
    fits = isinstance(outputs, dict) and {"logits", "features"} <= set(outputs)
    if not fits or len(outputs["logits"]) != 2:
        raise ValueError(
            'A classifier\'s network returns a dict with "logits" of shape (batch, classes) and '
            f'"features"; this one returns {outputs}.'
        )
    return data_shape, outputs["logits"][-1]


def _input_shape(network: keras.Model, role: str) -> tuple[int, ...]:
    try:
        return tuple(network.input_shape[1:])
    except (AttributeError, ValueError):
        raise ValueError(
            f"The {role} does not say its input's shape: make it a functional or Sequential model "
            "that begins with keras.Input(shape)."
        ) from None


def _output_shapes(network: keras.Model, shape: tuple[int, ...]) -> dict[str, tuple] | tuple:
    return _shapes(network.compute_output_spec(keras.KerasTensor(shape)))


def _shapes(outputs) -> dict[str, tuple] | tuple:
    return keras.tree.map_structure(lambda spec: tuple(spec.shape), outputs)


def _names(outputs) -> str:
    return str(sorted(outputs)) if isinstance(outputs, dict) else "no dict"
