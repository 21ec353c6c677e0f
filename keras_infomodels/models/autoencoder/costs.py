"""Costs of quantization for an autoencoder."""

import numpy as np

from keras_infomodels.distributions import code_distribution, prior_distribution, rate
from keras_infomodels.models.costs import LIMITS, Ask, Cost, changed

__all__ = ["autoencoder_costs"]


def autoencoder_costs(model, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    """Measures the reconstruction, the rate and changed categories.

    See `ModelDescription.quantization_costs` for the arguments.
    """
    (terms, own_encoding), (other, encoding) = (_terms(model, ask, images) for ask in (own, file))
    limit = LIMITS["reconstruction"] / 100 * abs(terms["reconstruction"])
    found = [Cost("reconstruction", terms.pop("reconstruction"), other["reconstruction"], limit)]
    found += [Cost(name, value, other[name]) for name, value in terms.items()]
    if model.categorical:
        limit = LIMITS["category_error"]
        found.append(changed("category", own_encoding, encoding, "probabilities", limit))
    return found


def _terms(model, ask: Ask, images: np.ndarray) -> tuple[dict[str, float], dict]:
    """Reconstruction and rate from the signatures `encode` and `decode`; the result of `encode`."""
    x = model.likelihood.observe(images, None)
    encoding = ask("encode", {"image": images})
    parameters = {key: encoding[key] for key in ("loc", "scale") if key in encoding}
    z = parameters["loc"]
    if "scale" in parameters:
        # An int8 standard deviation may round to 0, which would make the rate infinite.
        parameters["scale"] = np.maximum(parameters["scale"], 1e-3)
        noise = np.random.default_rng(0).standard_normal(z.shape).astype(np.float32)
        z = z + parameters["scale"] * noise
    if model.categorical:
        z = np.hstack([encoding["probabilities"], z])
    decoded = ask("decode", {"z": z})
    own = {"loc": decoded["image"], **decoded}
    likelihood = model.pixel_distribution({n: own[n] for n in model.likelihood.parameters})
    terms = {"reconstruction": -float(np.mean(likelihood.log_prob(x)))}
    if model.has_density:
        q, prior = code_distribution(parameters), prior_distribution(model.prior)
        terms["rate"] = float(np.mean(rate(q, prior, z)))
    return terms, encoding
