"""KL(q(z) || p(z)) with q(z) the mixture of the batch's posteriors."""

import tensorflow as tf

from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.information.aggregate import mixture_log_prob
from keras_infomodels.registry import built_in

__all__ = ["MarginalKL"]


@built_in
class MarginalKL(Divergence):
    """mean_i [log (1/n) sum_j q(z_i|x_j) - log p(z_i)], in nats.

    This is the rate less the information about which of the n examples was encoded, so that it is
    an upper bound of KL(q(z) || p(z)) in expectation, tight where I_q(x;z) is far below ln n and
    off by at least I_q - ln n above. `information.marginal_kl` reads the divergence from a whole
    set. Source: Hoffman and Johnson, "ELBO surgery", 2016.
    """

    needs_density = True

    def __call__(self, z, posterior, prior, seed):
        loc, scale = (tf.cast(each, z.dtype) for each in (posterior.mean(), posterior.stddev()))
        log_q = mixture_log_prob(z, loc, scale)
        log_p = prior.log_prob(tf.cast(z, prior.dtype))
        return tf.reduce_mean(tf.cast(log_q, z.dtype) - tf.cast(log_p, z.dtype))

    def get_config(self) -> dict:
        return {}
