"""Linear-Gaussian model in which every term of the InfoVAE objective has a closed form."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["LinearGaussian"]


@dataclass(frozen=True)
class LinearGaussian:
    """Linear-Gaussian VAE, for which every term of the loss has a closed form.

    The data x are Gaussian, encoder and decoder are linear with Gaussian noise, and the prior of
    the latents z is N(0, I):

        x ~ N(0, data_covariance)                                   d dimensions
        q(z|x) = N(A x + b, S)     A, b, S = encoder_matrix, encoder_offset, encoder_covariance
        p(x|z) = N(W z + c, s^2 I) W, c, s = decoder_matrix, decoder_offset, decoder_stddev

    Every quantity is exact, in nats and float64.

    Example:
        model = ki.information.LinearGaussian(
            data_covariance=np.eye(2),
            encoder_matrix=np.eye(2),
            encoder_offset=np.zeros(2),
            encoder_covariance=0.25 * np.eye(2),
            decoder_matrix=np.eye(2),
            decoder_offset=np.zeros(2),
            decoder_stddev=0.5,
        )
        model.mutual_information()  # 1.609 nats, ln 5
    """

    data_covariance: np.ndarray
    encoder_matrix: np.ndarray
    encoder_offset: np.ndarray
    encoder_covariance: np.ndarray
    decoder_matrix: np.ndarray
    decoder_offset: np.ndarray
    decoder_stddev: float

    def prior(self) -> tfd.Distribution:
        """Returns the prior of the latents, p(z) = N(0, I), as a TFP distribution."""
        k = len(self.encoder_offset)
        return tfd.MultivariateNormalTriL(np.zeros(k), np.eye(k))

    def aggregated_posterior(self) -> tfd.Distribution:
        """Returns q(z), the mean of q(z|x) over the data, as a TFP distribution.

        q(z) = N(b, A C A^T + S), where C is `data_covariance`.
        """
        return self._normal(self.encoder_offset, self._aggregated_covariance())

    def mutual_information(self) -> float:
        """Computes I_q(x;z), the mutual information of data and latents, in nats.

        It is H(z) - H(z|x), the difference of two Gaussian entropies.
        """
        conditional = self._normal(self.encoder_offset, self.encoder_covariance)
        return float(self.aggregated_posterior().entropy() - conditional.entropy())

    def marginal_kl(self) -> float:
        """Computes KL(q(z) || p(z)) in nats, the divergence of the latents z from the prior.

        q(z) is the distribution of z over all data; see `aggregated_posterior`.
        """
        return float(tfd.kl_divergence(self.aggregated_posterior(), self.prior()))

    def rate(self) -> float:
        """Computes the rate E KL(q(z|x) || p(z)) in nats.

        The rate equals `mutual_information()` + `marginal_kl()`.
        """
        conditional = self._normal(self.encoder_offset, self.encoder_covariance)
        spread = np.trace(self.encoder_matrix @ self.data_covariance @ self.encoder_matrix.T)
        return float(tfd.kl_divergence(conditional, self.prior())) + 0.5 * float(spread)

    def reconstruction(self) -> float:
        """Computes the reconstruction term -E log p(x|z) in nats, summed over the d dimensions."""
        d = len(self.data_covariance)
        residual = np.eye(d) - self.decoder_matrix @ self.encoder_matrix
        offset = self.decoder_matrix @ self.encoder_offset + self.decoder_offset
        squared_error = (
            np.trace(residual @ self.data_covariance @ residual.T)
            + np.trace(self.decoder_matrix @ self.encoder_covariance @ self.decoder_matrix.T)
            + offset @ offset
        )
        variance = self.decoder_stddev**2
        return float(0.5 * d * np.log(2 * np.pi * variance) + 0.5 * squared_error / variance)

    def log_likelihood(self) -> float:
        """Computes E log p(x) of the data in nats, where p(x) follows from prior and decoder."""
        d = len(self.data_covariance)
        covariance = self.decoder_matrix @ self.decoder_matrix.T + self.decoder_stddev**2 * np.eye(
            d
        )
        data = self._normal(np.zeros(d), self.data_covariance)
        model = self._normal(self.decoder_offset, covariance)
        return -float(data.entropy() + tfd.kl_divergence(data, model))

    def loss(self, alpha: float, lambda_: float) -> float:
        """Computes the InfoVAE loss with the divergence KL(q(z) || p(z)), in nats.

            reconstruction + (1 - alpha) rate + (alpha + lambda - 1) KL(q(z) || p(z))

        Args:
            alpha: float. 1 minus the weight of the rate.
            lambda_: float. The weight of KL(q(z) || p(z)) is alpha + lambda_ - 1.

        Source: Zhao, Song and Ermon, "InfoVAE", 2017, equation 6.
        """
        return (
            self.reconstruction()
            + (1 - alpha) * self.rate()
            + (alpha + lambda_ - 1) * self.marginal_kl()
        )

    def _aggregated_covariance(self) -> np.ndarray:
        encoder = self.encoder_matrix
        return encoder @ self.data_covariance @ encoder.T + self.encoder_covariance

    @staticmethod
    def _normal(mean: np.ndarray, covariance: np.ndarray) -> tfd.Distribution:
        covariance = tf.constant(covariance, tf.float64)
        return tfd.MultivariateNormalTriL(
            tf.constant(mean, tf.float64), tf.linalg.cholesky(covariance)
        )
