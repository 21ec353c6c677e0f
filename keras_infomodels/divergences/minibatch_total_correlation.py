"""Total correlation of q(z), with q(z) the mixture of the batch's posteriors."""

import math

import tensorflow as tf

from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.registry import built_in

__all__ = ["MinibatchTotalCorrelation"]


@built_in
class MinibatchTotalCorrelation(Divergence):
    """Batch estimate of the total correlation KL(q(z) || prod_k q(z_k)), in nats.

        mean_i [log (1/n) sum_j q(z_i|x_j) - sum_k log (1/n) sum_j q(z_ik|x_jk)]

    n is the batch size, q(z|x_j) the encoder's distribution for the image x_j, z_i a draw from
    q(z|x_i), and z_ik its k-th latent variable. Unlike `TotalCorrelation`, no discriminator is
    trained. The gradient equals that of minibatch-weighted sampling; the values differ by a
    constant. In an `InfoVAE` with alpha = 0 and lambda = beta, the loss is that of the beta-TCVAE.

    The value does not estimate the total correlation of a whole data set. If n is far below
    exp(I_q(x;z)), only q(z|x_i) is large at z_i, and independent latent variables look dependent.
    Use `information.AggregatedPosterior.total_correlation` for a whole data set. The value is 0 for
    a batch of one example, and if all q(z|x_j) are equal. Memory grows as n^2 d, for d latent
    variables.

    Source: Chen et al., "Isolating sources of disentanglement in variational autoencoders", 2018,
    equations 4 and 5.

    Example:
        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            lambda_=6.0,
            divergence=ki.divergences.MinibatchTotalCorrelation(),
        )
    """

    needs_density = True
    smallest_batch = 2

    def __call__(self, z, posterior, prior, seed):
        loc, scale = (tf.cast(each, z.dtype) for each in (posterior.mean(), posterior.stddev()))
        distance = (z[:, None] - loc) / scale  # (n, n, d): of z_i from the j-th posterior
        log_q = -0.5 * (tf.square(distance) + math.log(2 * math.pi)) - tf.math.log(scale)
        log_n = tf.math.log(tf.cast(tf.shape(z)[0], z.dtype))
        joint = tf.reduce_logsumexp(tf.reduce_sum(log_q, axis=2), axis=1) - log_n
        marginals = tf.reduce_logsumexp(log_q, axis=1) - log_n  # (n, d)
        return tf.reduce_mean(joint - tf.reduce_sum(marginals, axis=1))

    def get_config(self) -> dict:
        return {}
