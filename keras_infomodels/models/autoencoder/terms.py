"""Loss terms of an autoencoder; the function is the method `terms` of `InfoVAE`."""

import math
from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from keras_infomodels import distributions, replicas
from keras_infomodels.distributions import code_distribution, prior_distribution
from keras_infomodels.models.autoencoder.encodings import keep_encodings

__all__ = ["terms"]


def terms(
    model, x: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor, training: bool
) -> dict[str, tf.Tensor]:
    """Computes the loss terms of one batch; see `InfoVAE` for their formulas and units.

    Args:
        model: `InfoVAE`.
        x: float32 tensor (batch, *data_shape). Images.
        labels: int tensor (batch,), or None. Passed to `encoder_terms`.
        seed: int32 tensor (2,). Seed of the step.
        training: bool. `True` in training and `False` in evaluation.

    Returns:
        dict of scalars, "loss" first.
    """
    split = tf.random.experimental.stateless_split(seed, num=3)
    data_seed, posterior_seed, prior_seed = tf.unstack(split)
    x = model.likelihood.observe(x, data_seed)
    prior = prior_distribution(model.prior)

    # q(z|x), z ~ q(z|x) of shape (batch, latent_dim), p(x|z)
    parameters = model.encoder(x, training=training)
    q = code_distribution(parameters)
    if replicas.several():
        z = replicas.at_own_rows(partial(_sample, seed=posterior_seed), parameters)
    else:
        z = q.sample(seed=posterior_seed)  # the graph, and so the bits, of one device
    observation = model.observation(z, x, training)
    if model._keeping:
        keep_encodings(model, parameters, q, z)

    terms = {"reconstruction": -replicas.mean(observation.log_prob(x))}
    # `losses` holds what the networks' regularizers add.
    penalties = [replicas.shared(p) for p in (*model.encoder.losses, *model.decoder.losses)]
    loss = tf.add_n([terms["reconstruction"], *penalties])
    if model.has_density:
        terms["rate"] = replicas.mean(distributions.rate(q, prior, z))
        if model.counts_bits:
            bound = terms["reconstruction"] + terms["rate"]
            terms["bits_per_dim"] = bound / (math.prod(model.data_shape) * math.log(2))
        # With weight 0 the rate must stay out of the loss: 0 times an infinite rate is NaN.
        if model.rate_weight:
            loss += model.current_rate_weight(training) * terms["rate"]
    if model.divergence is not None:
        # An adversarial divergence returns the encoder's loss here, and the discriminator's below.
        terms |= _divergence_terms(model, z, q, parameters, prior_seed, training)
        loss += model.divergence_weight * terms["divergence"]
    if adversaries := model._discriminators().values():
        own = model.divergence.discriminator_loss(z, prior, prior_seed, training)
        penalties = [replicas.shared(p) for network in adversaries for p in network.losses]
        terms["discriminator_loss"] = tf.add_n([own, *penalties])
    more, more_terms = model.encoder_terms(parameters, x, labels, seed, training)
    return {"loss": loss + more, **terms, **more_terms}


def _divergence_terms(model, z, q, parameters, seed, training) -> dict[str, tf.Tensor]:
    """Terms of the divergence, which compares the z of all replicas."""
    prior = prior_distribution(model.prior)
    # A divergence with a discriminator takes its means over replicas itself.
    if model._discriminators() or not replicas.several():
        return model.divergence.terms(z, q, prior, seed, training)
    if model.local_divergence:
        own = tf.random.experimental.stateless_fold_in(seed, replicas.index())
        terms = model.divergence.terms(z, q, prior, own, training)
        return {name: replicas.shared(term) for name, term in terms.items()}
    parts = dict(replicas.gather({"z": z, **parameters}))
    z = parts.pop("z")
    return model.divergence.terms(z, code_distribution(parts), prior, seed, training)


def _sample(parameters: Mapping[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """Draws z, (batch, d), from q(z|x) of an encoder's outputs."""
    return code_distribution(parameters).sample(seed=seed)
