"""Loss terms of an autoencoder; the function is the method `terms` of `InfoVAE`."""

import math

import tensorflow as tf

from keras_infomodels import distributions
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
    z = q.sample(seed=posterior_seed)
    observation = model.observation(z, x, training)
    if model._keeping:
        keep_encodings(model, parameters, q, z)

    terms = {"reconstruction": -tf.reduce_mean(observation.log_prob(x))}
    # `losses` holds what the networks' regularizers add.
    loss = tf.add_n([terms["reconstruction"], *model.encoder.losses, *model.decoder.losses])
    if model.has_density:
        terms["rate"] = tf.reduce_mean(distributions.rate(q, prior, z))
        if model.counts_bits:
            bound = terms["reconstruction"] + terms["rate"]
            terms["bits_per_dim"] = bound / (math.prod(model.data_shape) * math.log(2))
        # With weight 0 the rate must stay out of the loss: 0 times an infinite rate is NaN.
        if model.rate_weight:
            loss += model.current_rate_weight(training) * terms["rate"]
    if model.divergence is not None:
        # An adversarial divergence returns the encoder's loss here, and the discriminator's below.
        terms |= model.divergence.terms(z, q, prior, prior_seed, training)
        loss += model.divergence_weight * terms["divergence"]
    if adversaries := model._discriminators().values():
        own = model.divergence.discriminator_loss(z, prior, prior_seed, training)
        penalties = [penalty for network in adversaries for penalty in network.losses]
        terms["discriminator_loss"] = tf.add_n([own, *penalties])
    more, more_terms = model.encoder_terms(parameters, x, labels, seed, training)
    return {"loss": loss + more, **terms, **more_terms}
