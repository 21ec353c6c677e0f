"""What quantization costs, in the model's own terms."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import stats

from keras_infomodels.distributions import code_distribution, prior_distribution, rate
from keras_infomodels.export.contents import Contents
from keras_infomodels.models import GAN, Classifier

__all__ = ["LIMITS", "Cost", "measure_costs"]

LIMITS = {"reconstruction": 2.0, "category_error": 1.0, "image_change": 2.0}
"""What a quantized file may cost: percent of the reconstruction, points of error of a category,
mean change of generated pixels in percent of their range."""

_LEAST = 1 / 512
"""Probability that a 0 of int8 stands for: half of its smallest step."""

Ask = Callable[[str, dict], dict]
"""(signature, arrays) -> arrays."""


@dataclass(frozen=True)
class Cost:
    """A figure of the Keras model and of the file.

    Attributes:
        name: "reconstruction", "rate", "information_<code>" (nats per example);
            "category_error_<code>" (percent of generated images whose category is inferred
            wrongly);
            "changed_<code>" (percent of real images whose category, or class, is another than
            Keras');
            "image_change" (percent).
        keras, file: the figure of each.
        limit: what the difference may be at most, in the figure's unit; None where there is none.
    """

    name: str
    keras: float
    file: float
    limit: float | None = None

    @property
    def failure(self) -> str:
        """A sentence if the cost is beyond its limit, else empty."""
        if self.limit is None or self.file - self.keras <= self.limit:
            return ""
        return (
            f"The {self.name} goes from {self.keras:.4g} to {self.file:.4g}, and {self.limit:.3g} "
            "more is allowed."
        )

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"+{self.limit:.3g}"
        return f"{self.name:28} {self.keras:10.4f} {self.file:10.4f} {limit:>10}"


def measure_costs(contents: Contents, runtime, images: np.ndarray) -> list[Cost]:
    """The costs of a file.

    Args:
        contents: of the model, with images as the file takes them.
        runtime: a `Runtime` of the file.
        images: float32, as `model.fit` takes them.
    """

    def keras(name, arrays):
        tensors = {key: tf.constant(array) for key, array in arrays.items()}
        outputs = contents.model.export_signatures()[name].function(**tensors)
        return {key: value.numpy() for key, value in outputs.items()}

    def file(name, arrays):
        if contents.uint8 and "image" in arrays:
            arrays = arrays | {"image": np.round(255 * arrays["image"]).astype(np.uint8)}
        outputs = runtime.run(name, **arrays)
        if contents.uint8 and "image" in outputs:
            outputs["image"] = outputs["image"] / np.float32(255)
        return outputs

    measure = _of_gan if isinstance(contents.model, GAN) else _of_vae
    if isinstance(contents.model, Classifier):
        measure = _of_classifier
    return measure(contents.model, keras, file, images)


def _of_classifier(model, keras: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    own, other = (ask("classify", {"image": images}) for ask in (keras, file))
    return [_changed("class", own, other, "logits", LIMITS["category_error"])]


def _of_vae(model, keras: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    (own, own_encoding), (other, encoding) = (_ledger(model, ask, images) for ask in (keras, file))
    limit = LIMITS["reconstruction"] / 100 * abs(own["reconstruction"])
    found = [Cost("reconstruction", own.pop("reconstruction"), other["reconstruction"], limit)]
    found += [Cost(name, value, other[name]) for name, value in own.items()]
    if model.categorical:
        limit = LIMITS["category_error"]
        found.append(_changed("category", own_encoding, encoding, "probabilities", limit))
    return found


def _ledger(model, ask: Ask, images: np.ndarray) -> tuple[dict[str, float], dict]:
    """Reconstruction and rate by way of `encode` and `decode`, and what `encode` gave."""
    x = model.likelihood.observe(images, None)
    encoding = ask("encode", {"image": images})
    parameters = {key: encoding[key] for key in ("loc", "scale") if key in encoding}
    z = parameters["loc"]
    if "scale" in parameters:
        # An int8 deviation may round to 0, where the rate is infinite.
        parameters["scale"] = np.maximum(parameters["scale"], 1e-3)
        noise = np.random.default_rng(0).standard_normal(z.shape).astype(np.float32)
        z = z + parameters["scale"] * noise
    if model.categorical:
        z = np.hstack([encoding["probabilities"], z])
    decoded = ask("decode", {"z": z})
    own = {"loc": decoded["image"], **decoded}
    likelihood = model.likelihood.distribution({n: own[n] for n in model.likelihood.parameters})
    terms = {"reconstruction": -float(np.mean(likelihood.log_prob(x)))}
    if model.has_density:
        q, prior = code_distribution(parameters), prior_distribution(model.prior)
        terms["rate"] = float(np.mean(rate(q, prior, z)))
    return terms, encoding


def _of_gan(model, keras: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    count = len(images)
    parts = {key: value.numpy() for key, value in model.latents.sample(count, [0, 4]).items()}
    if not model.latents.noise_dim:
        parts.pop("noise")
    (own, own_codes), (other, codes) = (_generated(model, ask, parts) for ask in (keras, file))
    change = 100 * float(np.abs(own - other).mean())
    found = [Cost("image_change", 0.0, change, LIMITS["image_change"])]
    if not hasattr(model, "infer_codes") or not model.latents.codes:
        return found
    real = [ask("infer_codes", {"image": images}) for ask in (keras, file)]
    for name, code in model.latents.codes.items():
        figures = [_information(code, each, parts[name]) for each in (own_codes, codes)]
        found.append(Cost(f"information_{name}", *figures))
        if code.posterior == "softmax":
            key = f"{name}_probabilities"
            errors = [_error(each[key], parts[name]) for each in (own_codes, codes)]
            found.append(Cost(f"category_error_{name}", *errors, LIMITS["category_error"]))
            found.append(_changed(name, *real, key))
    return found


def _generated(model, ask: Ask, parts: dict) -> tuple[np.ndarray, dict]:
    images = ask("generate", parts)["image"]
    has_codes = hasattr(model, "infer_codes") and model.latents.codes
    return images, ask("infer_codes", {"image": images}) if has_codes else {}


def _information(code, outputs: dict, c: np.ndarray) -> float:
    """H(c) + E log Q(c|x), in nats, from outputs; a probability below `_LEAST` counts as that."""
    if code.posterior == "softmax":
        chosen = (outputs[f"{code.name}_probabilities"] * c).sum(axis=1)
        return code.entropy + float(np.log(np.maximum(chosen, _LEAST)).mean())
    mean = outputs[f"{code.name}_mean"].astype(float)
    stddev = np.maximum(outputs[f"{code.name}_stddev"].astype(float), 1e-3)
    if code.posterior != "beta":
        return code.entropy + float(stats.norm.logpdf(c, mean, stddev).mean())
    # The Beta on (-1, 1) of that mean and deviation; both its parameters are at least 1.
    total = (1 - mean**2) / stddev**2 - 1
    a, b = (np.maximum(total * (1 + sign * mean) / 2, 1) for sign in (1, -1))
    inside = np.clip((c.astype(float) + 1) / 2, 1e-6, 1 - 1e-6)
    return code.entropy + float(stats.beta.logpdf(inside, a, b).mean() - np.log(2))


def _error(probabilities: np.ndarray, c: np.ndarray) -> float:
    return 100 * float((probabilities.argmax(axis=1) != c.argmax(axis=1)).mean())


def _changed(name: str, own: dict, other: dict, key: str, limit: float | None = None) -> Cost:
    changed = own[key].argmax(axis=1) != other[key].argmax(axis=1)
    return Cost(f"changed_{name}", 0.0, 100 * float(changed.mean()), limit)
