"""Maximum mean discrepancy."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.divergences.kernels import (
    KERNELS,
    gaussian_mixture,
    kernel_sum,
    median_squared_distance,
    squared_distances,
)
from keras_infomodels.divergences.standard import is_standard_normal
from keras_infomodels.names import guess
from keras_infomodels.registry import built_in

__all__ = ["MMD"]

tfd = tfp.distributions
_Kernel = tfp.math.psd_kernels.PositiveSemidefiniteKernel
_NAMES = (*KERNELS, "gaussian_median")
_ESTIMATORS = ("unbiased", "biased", "semi_analytic")


@built_in
class MMD(Divergence):
    """Squared maximum mean discrepancy between samples of q(z) and draws of p(z).

        MMD^2 = E k(z, z') + E k(w, w') - 2 E k(z, w),    z, z' ~ q(z),  w, w' ~ p(z)

    q(z) is the distribution of the encoder's latents, p(z) the prior and k the kernel, with k(z, z)
    = 1. The value has no unit: it is 0 for equal distributions, and 2 for two narrow clouds of
    points that are far apart. Memory grows with the batch size n, not with n^2. A batch of one
    example has the value 0, without a gradient.

    Source: Gretton et al., "A kernel two-sample test", JMLR 2012, Lemma 6.

    Args:
        kernel: str or TFP kernel. A function of the squared distance r^2 of two points in d
            dimensions: "inverse_multiquadric" (mean of C / (C + r^2) over several C), "gaussian"
            (exp(-r^2 / 2 d)), "gaussian_median" (exp(-r^2 / m), with m the median of r^2) or
            "paper" (exp(-r^2 / d^2)). With a kernel of `tfp.math.psd_kernels` of batch shape (), or
            a sum of such kernels, a model can be trained but not saved.
        estimator: str. "unbiased" leaves out the pairs of a point with itself and may be negative.
            "biased" keeps these pairs and is at least 0; it is larger by ((1 - E_q k) + (1 - E_p
            k)) / n. "semi_analytic" is unbiased and requires the prior N(0, I), whose expectations
            are computed without draws: exactly for Gaussian kernels, and with an error of 1e-6 for
            the inverse multiquadric.
        scales: sequence of float. Multiples of the bandwidth 2 d, for "inverse_multiquadric" and
            "gaussian"; the kernels of all scales are averaged. `None` means the kernel's default
            scales.

    Raises:
        ValueError: If the kernel, estimator or scales are unknown or do not fit together.

    Example:
        model = ki.MMDVAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood="bernoulli_stochastic",
            divergence=ki.divergences.MMD("gaussian", estimator="semi_analytic"),
        )
        mmd = ki.divergences.MMD()
        mmd.between(tf.random.normal((500, 2)), tf.random.normal((500, 2)))  # about 0
    """

    smallest_batch = 2

    def __init__(
        self,
        kernel: str | _Kernel = "inverse_multiquadric",
        estimator: str = "unbiased",
        scales: Sequence[float] | None = None,
    ):
        known = kernel in _NAMES if isinstance(kernel, str) else isinstance(kernel, _Kernel)
        if not known:
            raise ValueError(
                f"kernel is one of {', '.join(_NAMES)} or a kernel of tfp.math.psd_kernels; "
                f"got {kernel!r}.{guess(kernel, _NAMES)}"
            )
        if not isinstance(kernel, str) and kernel.batch_shape != ():
            raise ValueError(
                f"The kernel {kernel.name!r} has the batch shape {kernel.batch_shape}: MMD takes "
                "one kernel, so add kernels (k1 + k2) instead."
            )
        if estimator not in _ESTIMATORS:
            raise ValueError(
                f'estimator is "unbiased", "biased" or "semi_analytic", got {estimator!r}.'
                f"{guess(estimator, _ESTIMATORS)}"
            )
        if estimator == "semi_analytic" and kernel not in KERNELS:
            raise ValueError(
                f"The semi-analytic estimator knows the kernels {', '.join(KERNELS)}; "
                f"take the unbiased one for {kernel!r}."
            )
        if scales is not None:
            if kernel not in ("inverse_multiquadric", "gaussian"):
                raise ValueError(f"The kernel {kernel!r} has no scales; leave scales=None.")
            scales = tuple(float(scale) for scale in scales)
            if not scales or not all(0 < scale < math.inf for scale in scales):
                raise ValueError(f"scales are positive numbers, got {scales!r}.")
        self.kernel = kernel
        self.estimator = estimator
        self.scales = scales

    def check(self, prior: tfd.Distribution, latent_dim: int):
        if not isinstance(self.kernel, str):
            self._check_kernel()
        if self.estimator == "semi_analytic" and not is_standard_normal(prior):
            raise ValueError(
                "The semi-analytic estimator requires the standard normal prior; use "
                'estimator="unbiased" for any other.'
            )

    def _check_kernel(self):
        if self.kernel.variables:
            raise ValueError(
                f"The kernel {self.kernel.name!r} holds variables, which Keras would neither train "
                "nor save; give it constants."
            )
        if self.kernel.dtype not in (None, tf.float32):
            raise ValueError(
                f"The kernel {self.kernel.name!r} is of {self.kernel.dtype.name}, and z of "
                "float32; give it float32 constants."
            )

    def __call__(self, z, posterior, prior, seed):
        if self.estimator == "semi_analytic":
            if prior is not None:
                self.check(prior, z.shape[-1])
            estimate = self._against_standard_normal(z)
        else:
            estimate = self.between(z, tf.cast(prior.sample(tf.shape(z)[0], seed=seed), z.dtype))
        # Without pairs (i, i') only the attraction to the prior's center is left: z collapses.
        return estimate * tf.cast(tf.shape(z)[0] > 1, z.dtype)

    def between(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Estimates the squared maximum mean discrepancy of two samples.

        Args:
            x: tensor (n, d). First sample; the unbiased estimator needs n of at least 2.
            y: tensor (m, d). Second sample; the unbiased estimator needs m of at least 2.

        Returns:
            Scalar tensor.
        """
        gram = self._gram(x, y)
        n, m = (tf.cast(tf.shape(points)[0], points.dtype) for points in (x, y))
        cross = kernel_sum(gram, x, y) / (n * m)
        return self._within(gram, x) + self._within(gram, y) - 2 * cross

    def _against_standard_normal(self, z: tf.Tensor) -> tf.Tensor:
        # k(x, y) = sum_i w_i exp(-a_i r^2), and for y ~ N(0, I)
        # E exp(-a r^2) = (1 + 2a)^(-d/2) exp(-a |x|^2 / (1 + 2a))
        d = z.shape[-1]
        weights, rates = gaussian_mixture(self.kernel, d, **self._scales())
        within_prior = np.sum(weights * (1 + 4 * rates) ** (-d / 2))
        weights = tf.constant(weights * (1 + 2 * rates) ** (-d / 2), z.dtype)
        rates = tf.constant(rates / (1 + 2 * rates), z.dtype)
        norms = tf.reduce_sum(tf.square(z), axis=-1)[:, None]
        cross = tf.reduce_mean(tf.linalg.matvec(tf.exp(-norms * rates), weights))
        return self._within(self._gram(z, z), z) + within_prior - 2 * cross

    def _within(self, gram, x: tf.Tensor) -> tf.Tensor:
        n = tf.cast(tf.shape(x)[0], x.dtype)
        total = kernel_sum(gram, x)
        if self.estimator == "biased":
            return total / n**2
        return tf.math.divide_no_nan(total - self._diagonal(x), n * (n - 1))

    def _diagonal(self, x: tf.Tensor) -> tf.Tensor:
        """Computes sum_i k(x_i, x_i): n for named kernels, maybe more for sums of TFP kernels."""
        if isinstance(self.kernel, str):
            return tf.cast(tf.shape(x)[0], x.dtype)
        return tf.reduce_sum(self.kernel.apply(x, x))

    def _gram(self, x: tf.Tensor, y: tf.Tensor):
        """Returns the kernel as a function of two blocks of points, given both samples."""
        if not isinstance(self.kernel, str):
            return self.kernel.matrix
        if self.kernel == "gaussian_median":
            median = median_squared_distance(x, y)
            return lambda a, b: tf.exp(-squared_distances(a, b) / median)
        kernel, options = KERNELS[self.kernel], self._scales()
        return lambda a, b: kernel(squared_distances(a, b), a.shape[-1], **options)

    def _scales(self) -> dict:
        return {} if self.scales is None else {"scales": self.scales}

    def get_config(self) -> dict:
        if not isinstance(self.kernel, str):
            raise ValueError(
                f"A model whose MMD uses the TFP kernel {self.kernel.name!r} cannot be saved: "
                f"use one of {', '.join(_NAMES)} to save it."
            )
        scales = None if self.scales is None else list(self.scales)
        return {"kernel": self.kernel, "estimator": self.estimator, "scales": scales}
