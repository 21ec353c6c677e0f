"""Tables of an autoencoder's encodings: their information, and inputs of the decoder."""

from dataclasses import replace

import numpy as np

from keras_infomodels.distributions import code_distribution, prior_distribution
from keras_infomodels.information import (
    Estimate,
    aggregated_mutual_information,
    category_information,
    discrete_entropy,
)

__all__ = ["latent_inputs", "table_information"]


def table_information(model, z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> Estimate:
    """I_q of a table of encodings, see `InfoVAE.mutual_information`; each array is (N, d)."""
    if model.categorical:
        return category_information(loc[:, : model.prior.categories])
    if not model.deterministic:
        return aggregated_mutual_information(z, loc, scale)
    note = "a deterministic encoder: infinite for a continuous x, this is of N examples"
    if getattr(model.likelihood, "binarization", None) != "stochastic":
        return replace(discrete_entropy(loc), note=note)
    note += " after random binarization, which makes copies of one image differ"
    return replace(discrete_entropy(loc), kind="lower bound", note=note)


def latent_inputs(model, images: np.ndarray, seed: int) -> np.ndarray:
    """Latents for the decoder, (n, d), draws of the prior and of q(z|x) of n images in turn."""
    z = prior_distribution(model.prior).sample(len(images), seed=[seed, 2]).numpy()
    x = model.likelihood.observe(np.asarray(images, np.float32), None)
    q = code_distribution(model.encoder(x, training=False))
    z[1::2] = q.sample(seed=[seed, 3]).numpy()[1::2]
    return z
