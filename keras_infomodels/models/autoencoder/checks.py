"""Checks that an autoencoder's networks, prior, likelihood and weights fit together."""

import math
import sys
import warnings
from collections.abc import Mapping

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.distributions import CategoricalNormal, prior_distribution
from keras_infomodels.divergences import Partwise
from keras_infomodels.models.checks import input_shape, output_names, output_shapes, shapes_of
from keras_infomodels.networks import Network

tfd = tfp.distributions

__all__ = [
    "autoencoder_pixels",
    "check_networks",
    "check_objective",
    "check_saves",
    "check_scale",
    "check_weights",
    "divergence_weight",
]


def check_networks(encoder, decoder, likelihood) -> tuple[tuple[int, ...], int, set[str]]:
    """Checks that encoder, decoder and likelihood fit together.

    Args:
        encoder: Keras model from images to a dict of parameters.
        decoder: Keras model from z to a dict of parameters.
        likelihood: a likelihood of `keras_infomodels.distributions`.

    Returns:
        The shape of one example, `latent_dim` and the names of the encoder's outputs.

    Raises:
        ValueError: If outputs are missing or shapes differ.
    """
    data_shape = input_shape(encoder, "encoder")
    specs = encoder.compute_output_spec(keras.KerasTensor((1, *data_shape)))
    posterior = shapes_of(specs)
    if not isinstance(posterior, dict) or "loc" not in posterior:
        raise ValueError(
            'The encoder returns a dict with "loc" and "scale", or with "loc" alone if it is '
            f"deterministic; this one returns {output_names(posterior)}."
        )
    used = {"loc", "scale", "logits"} & set(specs)
    if any(specs[name].dtype == "float64" for name in used):
        raise ValueError("The encoder's outputs are float64; make them float32, as the prior.")
    shapes = {posterior[name] for name in ("loc", "scale") if name in posterior}
    categories = posterior["logits"][-1] if "logits" in posterior else 0
    if len(shapes) != 1 or len(posterior["loc"]) != 2:
        raise ValueError(
            f'The encoder\'s "loc" and "scale" have one shape (batch, d), got {shapes}.'
        )
    latent_dim = posterior["loc"][-1] + categories
    z_shape = input_shape(decoder, "decoder")
    if z_shape != (latent_dim,):
        raise ValueError(
            f"The decoder takes z of shape {z_shape}, but the encoder returns ({latent_dim},); "
            "give both the same latent_dim."
        )
    outputs = output_shapes(decoder, (1, latent_dim))
    name = type(likelihood).__name__
    if missing := set(likelihood.parameters) - set(outputs):
        raise ValueError(
            f"The likelihood {name} needs {sorted(missing)} of the decoder, which returns "
            f"{output_names(outputs)}; build it with parameters={likelihood.parameters!r}."
        )
    for parameter in likelihood.parameters:
        if outputs[parameter][1:] != data_shape:
            raise ValueError(
                f"The decoder's {parameter!r} has shape {outputs[parameter][1:]}, but the "
                f"encoder's images have {data_shape}; give both the same image_shape."
            )
    return data_shape, latent_dim, set(posterior)


def check_scale(parameters: Mapping[str, tf.Tensor]):
    """Raises ValueError for a negative standard deviation among the encoder's outputs."""
    scale = parameters.get("scale")
    if scale is not None and float(tf.reduce_min(scale)) < 0:
        raise ValueError(
            'The encoder returns a negative "scale"; end it in a positive activation such as '
            "softplus."
        )


def check_saves(prior):
    """Raises ValueError for a prior that has no config."""
    if isinstance(prior, tfd.Distribution):
        raise ValueError(
            f"A model with the TFP prior {prior.name!r} cannot be saved: use a prior of "
            "keras_infomodels.distributions to save it."
        )


def autoencoder_pixels(model) -> Pixels:
    """Returns the allowed pixel values of an autoencoder, from its likelihood and its decoder."""
    # A user's own likelihood may lack the attribute `support`.
    support = getattr(model.likelihood, "support", "real")
    if support == "real" and isinstance(model.decoder, Network):
        return Pixels("unit", "a network of this library")
    return Pixels(support, f"the likelihood {type(model.likelihood).__name__}")


def check_objective(model):
    """Raises ValueError unless prior, posterior and divergence fit together."""
    if not (isinstance(model.prior, tfd.Distribution) or hasattr(model.prior, "distribution")):
        raise ValueError(
            "prior is a prior of keras_infomodels.distributions, such as StandardNormal"
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


def check_weights(alpha: float, lambda_: float):
    """Raises ValueError unless lambda > 0 and alpha + lambda >= 1; warns of an unbounded loss."""
    if not (math.isfinite(alpha) and math.isfinite(lambda_)):
        raise ValueError(f"alpha and lambda_ are finite, got {alpha!r} and {lambda_!r}.")
    if lambda_ <= 0:
        raise ValueError(
            f"lambda_, the weight of KL(q(z) || p(z)), is above 0; got {lambda_!r}. For almost no "
            "influence of the prior use a small value, such as 1e-3."
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
            "z: only the encoder's min_stddev bounds the loss.",
            stacklevel=3,
        )


def divergence_weight(alpha: float, lambda_: float) -> float:
    """Returns alpha + lambda - 1; 0 if it differs from 0 only by rounding."""
    weight = alpha + lambda_ - 1
    rounding = 4 * sys.float_info.epsilon * max(1, abs(alpha), lambda_)
    return 0.0 if abs(weight) <= rounding else weight
