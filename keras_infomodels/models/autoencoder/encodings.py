"""Tables of an autoencoder's encodings: their information, and inputs of the decoder."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from keras_infomodels.distributions import code_distribution, prior_distribution
from keras_infomodels.information import (
    AggregatedPosterior,
    Estimate,
    category_information,
    discrete_entropy,
)

__all__ = ["latent_inputs", "table_information"]


def table_information(model, z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> Estimate:
    """I_q of a table of encodings, see `InfoVAE.mutual_information`; each array is (N, d)."""
    if model.categorical:
        return category_information(loc[:, : model.prior.categories])
    if not model.deterministic:
        return AggregatedPosterior(z, loc, scale).lower_bound()
    note = "a deterministic encoder: infinite for a continuous x, this is of N examples"
    if getattr(model.likelihood, "binarization", None) != "stochastic":
        return replace(discrete_entropy(_distinct(loc)), note=note)
    note += " after random binarization, which makes copies of one image differ"
    return replace(discrete_entropy(_distinct(loc)), kind="lower bound", note=note)


def latent_inputs(model, images: np.ndarray, seed: int) -> np.ndarray:
    """Latents for the decoder, (n, d), draws of the prior and of q(z|x) of n images in turn."""
    z = prior_distribution(model.prior).sample(len(images), seed=[seed, 2]).numpy()
    x = model.likelihood.observe(np.asarray(images, np.float32), None)
    q = code_distribution(model.encoder(x, training=False))
    z[1::2] = q.sample(seed=[seed, 3]).numpy()[1::2]
    return z


def _distinct(points: np.ndarray) -> np.ndarray:
    """Number of the point that each row is, (n,): rows that differ by rounding alone are one.

    A network computes the same image to other last bits in batches of other sizes.
    """
    rows, index = np.unique(points, axis=0, return_inverse=True)
    tolerance = 1e-6 * (1 + np.abs(rows).max())
    # Such rows are neighbors, or nearly so, in the order of a projection.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    order, pairs = np.argsort(rows @ direction), []
    for step in range(1, min(4, len(rows))):
        a, b = order[:-step], order[step:]
        near = np.abs(rows[a] - rows[b]).max(axis=1) <= tolerance
        pairs += [(a[near], b[near])]
    a, b = np.concatenate([np.empty((2, 0), int), *pairs], axis=1)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(rows), len(rows)))
    return connected_components(graph, directed=False)[1][index.ravel()]
