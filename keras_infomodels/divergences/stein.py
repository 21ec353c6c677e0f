"""Stein variational gradient as a training direction, with the kernel Stein discrepancy."""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.divergences.kernels import squared_distances
from keras_infomodels.registry import built_in

__all__ = ["Stein"]

tfd = tfp.distributions


@built_in
class Stein(Divergence):
    """Kernel Stein discrepancy KSD^2, whose gradient is the Stein variational gradient.

        phi(z) = mean_j [k(z_j, z) s(z_j) + grad_{z_j} k(z_j, z)],        s = grad log p
        KSD^2  = mean_{i != j} k [s_i's_j + (s_i - s_j)'(z_i - z_j)/l^2 + d/l^2 - r^2/l^4]

    z_1, ..., z_n are the latents of a batch, in d dimensions, with the distribution q(z). p(z) is
    the prior, s_i = s(z_i) is its score, r is the distance of z_i and z_j, and k = exp(-r^2 / (2
    l^2)) is a Gaussian kernel with l^2 = d. phi is the direction of z in which KL(q(z) || p(z))
    falls fastest, among the functions of the kernel's space.

    The value is an unbiased estimate of KSD^2, which is 0 if q(z) = p(z) and is not in nats. The
    *gradient* with respect to z is defined as -phi / n; it is not the gradient of the value. A
    batch of one example has the value 0, without a gradient. The prior must have a differentiable
    density.
    Source: Liu and Wang, "Stein variational gradient descent", 2016, equation 8; Liu, Lee and
    Jordan, "A kernelized Stein discrepancy", 2016, theorem 3.6.

    Example:
        model = ki.InfoVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            lambda_=10.0,
            divergence=ki.divergences.Stein(),
        )
    """

    smallest_batch = 2

    def __call__(self, z, posterior, prior, seed):
        points = tf.stop_gradient(z)
        phi = self.direction(points, prior)
        descent = -tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(phi) * z, axis=-1))
        # Without pairs only the attraction to the prior's mode is left: z collapses.
        descent *= tf.cast(tf.shape(z)[0] > 1, z.dtype)
        value = self.discrepancy(points, prior)
        return tf.stop_gradient(value) + descent - tf.stop_gradient(descent)

    def direction(self, z: tf.Tensor, prior: tfd.Distribution) -> tf.Tensor:
        """Computes the Stein variational gradient at each z, tensor (n, d).

        It is the direction of z in which KL(q(z) || p(z)) falls fastest.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. Prior p(z) of the latents.
        """
        kernel, length_squared = self._kernel(z)
        n = tf.cast(tf.shape(z)[0], z.dtype)
        # sum_j grad_{z_j} k(z_j, z_i) = sum_j k_ij (z_i - z_j) / l^2
        repulsion = tf.reduce_sum(kernel, axis=1)[:, None] * z - tf.matmul(kernel, z)
        return (tf.matmul(kernel, _score(z, prior)) + repulsion / length_squared) / n

    def discrepancy(self, z: tf.Tensor, prior: tfd.Distribution) -> tf.Tensor:
        """Estimates the squared kernel Stein discrepancy of latents z from the prior.

        The scalar estimate is unbiased and may be negative.

        Args:
            z: tensor (n, d). Latents.
            prior: TFP distribution. Prior p(z) of the latents.
        """
        kernel, length_squared = self._kernel(z)
        score, d = _score(z, prior), z.shape[-1]
        squared = squared_distances(z, z)
        cross = tf.matmul(score, z, transpose_b=True)  # s_i'z_j
        own = tf.reduce_sum(score * z, axis=-1)
        # (s_i - s_j)'(z_i - z_j)
        drift = own[:, None] + own[None, :] - cross - tf.transpose(cross)
        terms = tf.matmul(score, score, transpose_b=True) + drift / length_squared
        terms += d / length_squared - squared / length_squared**2
        total = tf.reduce_sum(kernel * terms) - tf.linalg.trace(kernel * terms)
        n = tf.cast(tf.shape(z)[0], z.dtype)
        return tf.math.divide_no_nan(total, n * (n - 1))

    def _kernel(self, z: tf.Tensor) -> tuple[tf.Tensor, float]:
        length_squared = float(z.shape[-1])
        return tf.exp(squared_distances(z, z) / (-2 * length_squared)), length_squared

    def get_config(self) -> dict:
        return {}


def _score(z: tf.Tensor, prior: tfd.Distribution) -> tf.Tensor:
    z = tf.identity(z)  # TFP caches results by tensor, also those computed outside of this tape
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_prob = prior.log_prob(tf.cast(z, prior.dtype))
    return tape.gradient(log_prob, z)
