"""Distance between generated and real images, in the features of a classifier."""

import numpy as np

__all__ = ["frechet_distance"]


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Computes the Fréchet distance of features, from their means and covariances.

        |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    m_a and C_a are the mean and covariance of the rows of a, m_b and C_b those of b. The value is
    the squared Wasserstein-2 distance of two Gaussians with these means and covariances. It is 0
    only if both are equal. With few rows the value is too large. Therefore compare values at equal
    numbers of rows, and beside the distance of two sets of real images. Distances in the features
    of different networks cannot be compared.

    Args:
        a: array (n, d), n at least 2 and better several times d. Features of n images, such as
            those of the preset `mnist_classifier`.
        b: array (m, d), m at least 2. Features of m other images.

    Returns:
        float. Distance in squared units of the features, at least 0 up to rounding.

    Raises:
        ValueError: If the shapes do not fit, or features are not finite.

    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", 2017, equation 6; there with the features of an Inception network.

    Example:
        classifier = ki.from_preset("mnist_classifier")
        model = ki.from_preset("infogan_mnist")
        a, b = (classifier.features(model.generate(200, seed=seed)) for seed in (0, 1))
        ki.evaluation.frechet_distance(a, b)
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
