"""How near generated images are to real ones, in the features of a classifier."""

import numpy as np

__all__ = ["frechet_distance"]


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), of the features' means and covariances.

    The squared Wasserstein-2 distance of the Gaussians with these moments; 0 only where both agree.
    From few rows it is too large: compare at equal numbers, beside the distance of two real sets.
    Distances in the features of different networks do not compare.

    Args:
        a, b: features, (n, d) and (m, d), such as those of `mnist_classifier`; n and m of at least
            2, and better several times d.

    Returns:
        In squared units of the features, at least 0 but for rounding.

    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", 2017, equation 6; there with the features of an Inception network.
    """
    a, b = (np.asarray(features, np.float64) for features in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"Features are (n, d) and (m, d), n and m at least 2; got {a.shape} and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Features hold a NaN or an infinity.")
    covariances = [np.atleast_2d(np.cov(features.T)) for features in (a, b)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # The trace of (C_a C_b)^(1/2) by a symmetric matrix of the same eigenvalues.
    mixed = np.linalg.eigvalsh(root @ covariances[1] @ root)
    trace = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.sqrt(mixed.clip(0)).sum()
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + trace)
