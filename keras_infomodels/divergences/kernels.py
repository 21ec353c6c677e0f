"""Kernels of the MMD as functions of squared distances, with k(x, x) = 1.

Bandwidths are proportional to the dimension d, since two draws of N(0, I) are sqrt(2 d) apart. The
exception goes by the name "paper": exp(-r^2 / d^2) is the kernel of the InfoVAE paper's authors,
and at d = 20 it hardly tells a halved variance from the right one.
"""

from collections.abc import Sequence

import tensorflow as tf

__all__ = ["KERNELS", "gaussian", "inverse_multiquadric", "paper", "squared_distances"]


def squared_distances(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """||x_i - y_j||^2 through one matrix product, never an (n, m, d) tensor.

    Args:
        x: shape (n, d).
        y: shape (m, d).

    Returns:
        Shape (n, m), non-negative.
    """
    x_norms = tf.reduce_sum(x**2, axis=-1)
    y_norms = tf.reduce_sum(y**2, axis=-1)
    cross = tf.matmul(x, y, transpose_b=True)
    return tf.nn.relu(x_norms[:, None] + y_norms[None, :] - 2 * cross)


def inverse_multiquadric(
    squared: tf.Tensor,
    dimension: int,
    scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
) -> tf.Tensor:
    """mean_s C_s / (C_s + r^2) with C_s = 2 d s: heavy tails, so that far points keep a gradient.

    Source: Tolstikhin et al., "Wasserstein auto-encoders", 2018, which takes the sum over scales.
    """
    # C / (C + r^2) = 1 / (1 + r^2 / C)
    terms = [1 / (1 + squared * (0.5 / (dimension * scale))) for scale in scales]
    return tf.add_n(terms) / len(scales)


def gaussian(squared: tf.Tensor, dimension: int, scales: Sequence[float] = (1.0,)) -> tf.Tensor:
    """mean_s exp(-r^2 / (2 d s))."""
    terms = [tf.exp(squared * (-0.5 / (dimension * scale))) for scale in scales]
    return tf.add_n(terms) / len(scales)


def paper(squared: tf.Tensor, dimension: int) -> tf.Tensor:
    """exp(-r^2 / d^2), the kernel of the InfoVAE paper's authors (Zhao, Song, Ermon, 2017)."""
    return tf.exp(squared * (-1.0 / dimension**2))


KERNELS = {
    "inverse_multiquadric": inverse_multiquadric,
    "gaussian": gaussian,
    "paper": paper,
}
