"""How near the aggregated posterior q(z) is to N(0, I)."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_infomodels.divergences import MMD

__all__ = ["LatentStatistics", "active_units", "latent_statistics"]


@dataclass(frozen=True)
class LatentStatistics:
    """Statistics of sampled z.

    Attributes:
        log_det: ln det Cov[z]; 0 for N(0, I), but variances of 4 and 1/4 give 0 too. -inf where z
            fills a plane, as the probabilities of a category do: leave these columns out.
        gaussian_kl: KL(N(m, S) || N(0, I)) of the sample's mean and covariance, in nats; 0 only
            where both match.
        mmd: MMD^2 to N(0, I) with one fixed kernel, `MMD("gaussian", "semi_analytic")`, so that
            models trained with any divergence compare; unbiased, so it may be below 0.
        active_units: latent variables whose posterior mean has a variance above 0.01.
    """

    log_det: float
    gaussian_kl: float
    mmd: float
    active_units: int


def latent_statistics(z: np.ndarray, loc: np.ndarray) -> LatentStatistics:
    """Statistics of encodings, as `InfoVAE.encoding_table` gives them.

    Args:
        z: *samples* of q(z|x), shape (n, d), n above d. Posterior means would give a smaller
            determinant. The bias of log_det is about -d (d + 1) / (2 n): compare at equal n.
        loc: the posterior means, shape (n, d).

    Source of the active units: Burda et al., "Importance weighted autoencoders", 2016, section 5.
    """
    z, loc = np.asarray(z, np.float64), np.asarray(loc, np.float64)
    if z.ndim != 2 or z.shape != loc.shape:
        raise ValueError(f"z and loc have one shape (n, d), got {z.shape} and {loc.shape}.")
    if not (np.isfinite(z).all() and np.isfinite(loc).all()):
        raise ValueError("The encodings hold NaN or infinite values; remove them first.")
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
    """ln det of the covariance of columns of those sizes; -inf of what float32 rounds to a plane.

    Encodings are of float32: rounding alone would leave some number above -inf.
    """
    if not sizes.all():
        return -np.inf
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(sizes, sizes))
    rounding = 4 * len(sizes) * np.finfo(np.float32).eps ** 2
    if eigenvalues[0] <= rounding:
        return -np.inf
    return float(np.log(eigenvalues).sum() + 2 * np.log(sizes).sum())


def active_units(loc: np.ndarray) -> int:
    """Number of latent variables whose posterior mean, a column of (n, d), varies by above 0.01.

    Source: Burda et al., "Importance weighted autoencoders", 2016, section 5.2.
    """
    return int(np.sum(loc.var(axis=0) > 0.01))
