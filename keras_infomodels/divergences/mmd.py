"""Maximum mean discrepancy."""

from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.divergences.kernels import KERNELS, kernel_sum, squared_distances
from keras_infomodels.spec import Spec

__all__ = ["MMD"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class MMD(Spec):
    """The squared maximum mean discrepancy between samples of q(z) and draws of p(z).

        MMD^2 = E k(z, z') + E k(w, w') - 2 E k(z, w),    z, z' ~ q(z),  w, w' ~ p(z)

    It has the kernel's unit, not nats: k(x, x) = 1, so that a perfect match is 0 and two clouds
    far apart give 2. Kernels with several scales take their mean.
    Source: Gretton et al., "A kernel two-sample test", JMLR 2012, Lemma 6.

    Args:
        kernel: "inverse_multiquadric" (several scales), "gaussian" (exp(-r^2 / 2 d)), "paper"
            (exp(-r^2 / d^2)), or a kernel of `tfp.math.psd_kernels` with k(x, x) = 1, which trains
            but cannot be saved.
        estimator: "unbiased" leaves out the pairs (i, i) and may be negative; "biased" keeps them,
            which adds ((1 - E_q k) + (1 - E_p k)) / n.
        scales: multiples of the bandwidth 2 d, None for the kernel's own; not for "paper" or a
            kernel of TFP.
    """

    def __init__(
        self,
        kernel: str | tfp.math.psd_kernels.PositiveSemidefiniteKernel = "inverse_multiquadric",
        estimator: str = "unbiased",
        scales: Sequence[float] | None = None,
    ):
        if isinstance(kernel, str) and kernel not in KERNELS:
            raise ValueError(
                f"kernel is one of {', '.join(KERNELS)} or a kernel of tfp.math.psd_kernels; "
                f"got {kernel!r}."
            )
        if estimator not in ("unbiased", "biased"):
            raise ValueError(f'estimator is "unbiased" or "biased", got {estimator!r}.')
        if scales is not None:
            if kernel not in ("inverse_multiquadric", "gaussian"):
                raise ValueError(f"The kernel {kernel!r} has no scales; leave scales=None.")
            if not scales or min(scales) <= 0:
                raise ValueError(f"scales are positive numbers, got {scales!r}.")
            scales = tuple(float(scale) for scale in scales)
        self.kernel = kernel
        self.estimator = estimator
        self.scales = scales

    def __call__(
        self,
        z: tf.Tensor,
        posterior: tfp.distributions.Distribution,
        prior: tfp.distributions.Distribution,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Estimates MMD^2(q(z), p(z)) from a batch and as many draws of the prior.

        Args:
            z: samples of q(z), shape (n, d).
            posterior: the batch's q(z|x); the MMD does not need it.
            prior: p(z), anything that can be sampled.
            seed: int32 of shape (2,).

        Returns:
            A scalar.
        """
        return self.between(z, tf.cast(prior.sample(tf.shape(z)[0], seed=seed), z.dtype))

    def between(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Estimates MMD^2 from samples of shape (n, d) and (m, d); a scalar.

        The unbiased estimate has no pairs for a single point: that term is then 0.
        """
        n, m = (tf.cast(tf.shape(points)[0], points.dtype) for points in (x, y))
        cross = kernel_sum(self._gram, x, y) / (n * m)
        return self._within(x, n) + self._within(y, m) - 2 * cross

    def _within(self, x: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
        total = kernel_sum(self._gram, x, x)
        if self.estimator == "biased":
            return total / n**2
        # The pairs (i, i) sum to n, since k(x, x) = 1.
        return tf.math.divide_no_nan(total - n, n * (n - 1))

    def _gram(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        if not isinstance(self.kernel, str):
            return self.kernel.matrix(x, y)
        options = {} if self.scales is None else {"scales": self.scales}
        return KERNELS[self.kernel](squared_distances(x, y), x.shape[-1], **options)

    def get_config(self) -> dict:
        if not isinstance(self.kernel, str):
            raise ValueError(
                f"A model whose MMD uses the TFP kernel {self.kernel.name!r} cannot be saved: "
                f"use one of {', '.join(KERNELS)} to save it."
            )
        scales = None if self.scales is None else list(self.scales)
        return {"kernel": self.kernel, "estimator": self.estimator, "scales": scales}
