"""Costs of quantization for a GAN or InfoGAN."""

import numpy as np
from scipy import stats

from keras_infomodels.models.costs import LIMITS, Ask, Cost, changed

__all__ = ["gan_costs", "infogan_costs"]

_LEAST = 1 / 512
"""Probability that an int8 value of 0 represents: half of the smallest step."""


def gan_costs(model, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    """Measures the change of generated images; see `ModelDescription.quantization_costs`."""
    parts = _latents(model, len(images))
    return [_image_change(*(ask("generate", parts)["image"] for ask in (own, file)))]


def infogan_costs(model, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    """Measures the costs of a `GAN`, each code's information and a category's errors and changes.

    See `ModelDescription.quantization_costs` for the arguments.
    """
    parts, asks = _latents(model, len(images)), (own, file)
    generated = [ask("generate", parts)["image"] for ask in asks]
    found = [_image_change(*generated)]
    if not model.latents.codes:
        return found
    inferred = [
        ask("infer_codes", {"image": batch}) for ask, batch in zip(asks, generated, strict=True)
    ]
    real = [ask("infer_codes", {"image": images}) for ask in asks]
    for name, code in model.latents.codes.items():
        figures = [_information(code, each, parts[name]) for each in inferred]
        found.append(Cost(f"information_{name}", *figures))
        if code.posterior == "softmax":
            key = f"{name}_probabilities"
            errors = [_error(each[key], parts[name]) for each in inferred]
            found.append(Cost(f"category_error_{name}", *errors, LIMITS["category_error"]))
            found.append(changed(name, *real, key))
    return found


def _latents(model, count: int) -> dict[str, np.ndarray]:
    parts = {key: value.numpy() for key, value in model.latents.sample(count, [0, 4]).items()}
    # A signature has no input of width 0.
    if not model.latents.noise_dim:
        parts.pop("noise")
    return parts


def _image_change(own: np.ndarray, other: np.ndarray) -> Cost:
    change = 100 * float(np.abs(own - other).mean())
    return Cost("image_change", 0.0, change, LIMITS["image_change"])


def _information(code, outputs: dict, c: np.ndarray) -> float:
    """H(c) + E log Q(c|x) in nats, from a file's outputs; probabilities are at least `_LEAST`."""
    if code.posterior == "softmax":
        chosen = (outputs[f"{code.name}_probabilities"] * c).sum(axis=1)
        return code.entropy + float(np.log(np.maximum(chosen, _LEAST)).mean())
    mean = outputs[f"{code.name}_mean"].astype(float)
    stddev = np.maximum(outputs[f"{code.name}_stddev"].astype(float), 1e-3)
    if code.posterior != "beta":
        return code.entropy + float(stats.norm.logpdf(c, mean, stddev).mean())
    # Parameters of the Beta on (-1, 1) with this mean and deviation; both are at least 1.
    total = (1 - mean**2) / stddev**2 - 1
    a, b = (np.maximum(total * (1 + sign * mean) / 2, 1) for sign in (1, -1))
    inside = np.clip((c.astype(float) + 1) / 2, 1e-6, 1 - 1e-6)
    return code.entropy + float(stats.beta.logpdf(inside, a, b).mean() - np.log(2))


def _error(probabilities: np.ndarray, c: np.ndarray) -> float:
    return 100 * float((probabilities.argmax(axis=1) != c.argmax(axis=1)).mean())
