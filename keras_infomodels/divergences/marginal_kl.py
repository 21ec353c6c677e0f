"""KL(q(z) || p(z)) with q(z) the mixture of the batch's posteriors."""

import tensorflow as tf

from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.information.aggregate import mixture_log_prob
from keras_infomodels.registry import built_in

__all__ = ["MarginalKL"]


@built_in
class MarginalKL(Divergence):
    """Batch estimate of KL(q(z) || p(z)), in nats.

        mean_i [log (1/n) sum_j q(z_i|x_j) - log p(z_i)]

    n is the batch size, q(z|x_j) the encoder's distribution for the image x_j, z_i a draw from
    q(z|x_i), and p(z) the prior. q(z) is the mean of q(z|x) over all images. In expectation the
    value is an upper bound on KL(q(z) || p(z)). The bound is tight where the mutual information
    I_q(x;z) is far below ln n. Where I_q(x;z) is above ln n, the value is too large by at least the
    difference. `information.AggregatedPosterior.marginal_kl` estimates the divergence from a whole
    data set.
    Source: Hoffman and Johnson, "ELBO surgery", 2016.

    Example:
        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=2),
            ki.networks.MLPDecoder(latent_dim=2),
            likelihood="bernoulli_stochastic",
            lambda_=3.0,
            divergence=ki.divergences.MarginalKL(),
        )
    """

    needs_density = True

    def __call__(self, z, posterior, prior, seed):
        loc, scale = (tf.cast(each, z.dtype) for each in (posterior.mean(), posterior.stddev()))
        log_q = mixture_log_prob(z, loc, scale)
        log_p = prior.log_prob(tf.cast(z, prior.dtype))
        return tf.reduce_mean(tf.cast(log_q, z.dtype) - tf.cast(log_p, z.dtype))

    def get_config(self) -> dict:
        return {}
