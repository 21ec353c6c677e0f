"""Statistics of the distance of the aggregated posterior q(z) from N(0, I)."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_infomodels.divergences import MMD

__all__ = ["LatentStatistics", "active_units", "latent_statistics"]


@dataclass(frozen=True)
class LatentStatistics:
    """Result of `latent_statistics`: distance of a model's latents z from N(0, I).

    q(z) is the distribution of the latents of all images.

    Attributes:
        log_det: float. ln det Cov[z], the log determinant of the covariance. It is 0 for N(0, I),
            but also for two variables with variances 4 and 1/4. It is -inf if z lies in a plane, as
            the probabilities of a category do. Leave out such columns.
        gaussian_kl: float. KL(N(m, S) || N(0, I)) in nats, with the sample's mean m and covariance
            S. It is 0 only if m = 0 and S = I.
        mmd: float. Squared maximum mean discrepancy of z and N(0, I), by
            `MMD("gaussian", "semi_analytic")`. The estimate is unbiased and may be negative.
        active_units: int. Number of latent variables whose posterior mean has a variance above
            0.01.

    Example:
        z = np.random.default_rng(1).normal(size=(1000, 2))
        statistics = ki.evaluation.latent_statistics(z, loc=z)
        statistics.log_det, statistics.gaussian_kl  # both about 0
    """

    log_det: float
    gaussian_kl: float
    mmd: float
    active_units: int


def latent_statistics(z: np.ndarray, loc: np.ndarray) -> LatentStatistics:
    """Measures how close a model's latents are to the prior N(0, I).

    `InfoVAE.encoding_table` returns the arrays z and loc.

    Args:
        z: array (n, d), n above d. *Samples* of q(z|x) for n images. Posterior means would give a
            smaller determinant. The bias of `log_det` is about -d (d + 1) / (2 n), so compare
            values at equal n.
        loc: array (n, d). Means of q(z|x) for the same images.

    Returns:
        `LatentStatistics`.

    Raises:
        ValueError: If the shapes differ, values are not finite, or n is not above d.

    Source of the active units: Burda et al., "Importance weighted autoencoders", 2016, section 5.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        z, loc, scale = model.encoding_table(test, limit=500)
        ki.evaluation.latent_statistics(z, loc)
    """
    z, loc = np.asarray(z, np.float64), np.asarray(loc, np.float64)
    if z.ndim != 2 or z.shape != loc.shape:
        raise ValueError(f"z and loc have one shape (n, d), got {z.shape} and {loc.shape}.")
    if not (np.isfinite(z).all() and np.isfinite(loc).all()):
        raise ValueError("z or loc holds NaN or infinite values; remove these rows.")
    if len(z) <= z.shape[1]:
        raise ValueError(f"A covariance of {z.shape[1]} dimensions needs more than {len(z)} draws.")
    mean, covariance = z.mean(0), np.atleast_2d(np.cov(z.T))
    log_det = _log_det(covariance, np.sqrt(np.mean(z**2, axis=0)))
    trace = np.trace(covariance) + mean @ mean
    mmd = tf.function(MMD("gaussian", "semi_analytic"))
    return LatentStatistics(
        log_det=log_det,
        gaussian_kl=float(0.5 * (trace - len(mean) - log_det)),
        mmd=float(mmd(tf.constant(z, tf.float32), None, None, None)),
        active_units=active_units(loc),
    )


def _log_det(covariance: np.ndarray, sizes: np.ndarray) -> float:
    """Computes ln det of a covariance; -inf if float32 rounds columns of those sizes to a plane.

    Latents are float32, and rounding alone would leave a number above -inf.
    """
    if not sizes.all():
        return -np.inf
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(sizes, sizes))
    rounding = 4 * len(sizes) * np.finfo(np.float32).eps ** 2
    if eigenvalues[0] <= rounding:
        return -np.inf
    return float(np.log(eigenvalues).sum() + 2 * np.log(sizes).sum())


def active_units(loc: np.ndarray) -> int:
    """Counts the latent variables whose posterior mean in loc (n, d) has a variance above 0.01.

    Source: Burda et al., "Importance weighted autoencoders", 2016, section 5.2.
    """
    return int(np.sum(loc.var(axis=0) > 0.01))
