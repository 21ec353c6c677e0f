"""Figures of a preset, measured on its test split."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from scipy.special import logsumexp

from keras_infomodels.datasets.checks import as_pixels
from keras_infomodels.datasets.loading import find
from keras_infomodels.datasets.source import Options
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import StandardNormal
from keras_infomodels.evaluation import (
    check_reconstructions,
    check_samples,
    clustering_error,
    contingency_table,
    fit_features,
    frechet_distance,
    latent_statistics,
    log_likelihood,
)
from keras_infomodels.evaluation.soundness import sample_advice
from keras_infomodels.models.autoencoder.cards import observation_model
from keras_infomodels.presets import from_preset
from keras_infomodels.zoo.build import load_split, resolve_splits
from keras_infomodels.zoo.factor_tables import factor_figures
from keras_infomodels.zoo.recipes import Recipe

__all__ = [
    "SHOWN",
    "TOLERANCE",
    "clusters",
    "doubt_of_few",
    "has_moved",
    "load_images",
    "log_odds",
    "measure",
    "metric_figures",
    "sound_figures",
    "stated_figures",
]

TOLERANCE = 1e-3
"""Largest difference between a figure and the card's, relative to max(1, |value|).

It allows for the rounding of another machine. Draws are seeded, so that there is no statistical
difference.
"""

_UNITS = {
    "accuracy": "fraction",
    "divergence": "the divergence's own unit",
}
SHOWN = 5000
"""Largest number of test images that pictures and checks of a run take."""

_IMAGES, _SAMPLES = 1000, 100
_KNOWN, _FEW, _ENOUGH = 2000, 40, 100
"""Largest number of images for features and mean image, smallest number of test images, and number
of test images below which the errors of reconstructions are of all, not of one half."""
_CLASSIFIERS = {"mnist": "mnist_classifier", "fashion_mnist": "fashion_mnist_classifier"}
"""Classifiers by data set, for images of 28 by 28 pixels."""


def measure(
    model: keras.Model, recipe: Recipe, data_dir: str | Path | None = None
) -> dict[str, dict]:
    """Measures the figures of a card on the test split; a repetition gives the same figures.

    - Every model: the terms of `model.evaluate`, and the errors of reconstructions and generated
      images beside those of the mean image (see `sound_figures`).
    - VAE family without a category: ln det Cov q(z), the Gaussian KL of q(z) from a standard normal
      prior, and active units; also the NLL if q(z|x) has a density.
    - Model with a category, on data with labels: the error of the category, as a cluster or as a
      class, and NMI.
    - Generative model, if the zoo has a classifier of the data: the Fréchet distance of generated
      images in the classifier's features, and the mismatch of their classes, each beside the value
      of training images.
    - Classifier: the accuracy with its standard error.
    - Codes, on a set that is drawn from factors: the information of each code about each factor
      (see `factor_tables.factor_figures`).

    Args:
        model: model of this library. It is compiled if needed.
        recipe: `Recipe`. Recipe that names the data.
        data_dir: str or path. Folder of the data; see `datasets.load`.

    Returns:
        dict from name to JSON values: a dict with "value", "unit", "protocol" and, if known,
        "standard_error" (over images).

    Raises:
        FileNotFoundError: If the data are missing.
        DownloadError: If the classifier could not be downloaded.
    """
    recipe = resolve_splits(recipe, data_dir)
    if not model.compiled:
        model.compile()
    test = load_split(recipe, recipe.data.test, data_dir)
    figures = metric_figures(model.evaluate(test, return_dict=True, verbose=0), model)
    images, labels = load_images(recipe, recipe.data.test, data_dir)
    figures |= sound_figures(model, recipe, images, data_dir)[0]
    if "latents" in model.card_figures:
        figures |= _of_latents(model, images)
    if "accuracy" in model.card_figures:
        own = figures["accuracy"]
        figures["accuracy"] = _fraction(own["value"], len(images), own["protocol"])
    classified = recipe.data.name in _CLASSIFIERS and recipe.data.image_size is None
    if "samples" in model.card_figures and classified:
        figures |= _of_samples(model, recipe, images, data_dir)
    if model.category is not None and labels is not None:
        figures |= _of_category(model, recipe, images, labels, data_dir)
    return figures | factor_figures(model, recipe, data_dir)


def metric_figures(metrics: Mapping[str, float], model: keras.Model) -> dict[str, dict]:
    """Converts the metrics of `model.evaluate` to figures, as in `measure`."""
    protocol = model.describe_metrics(metrics)
    units = {**_UNITS, "loss": model.loss_unit, **model.units}
    figures = {
        name: _figure(value, units.get(name, "nats per example"), protocol)
        for name, value in metrics.items()
        if name != "split"
    }
    estimate = getattr(model, "information_estimate", None)
    own = figures.get(model.information_name) if estimate is not None else None
    if own is not None and own["value"] == float(estimate.nats):  # not of other data
        own["ceiling"] = float(estimate.ceiling)
        if math.isfinite(estimate.standard_error) and estimate.standard_error > 0:
            own["standard_error"] = float(estimate.standard_error)
    return figures


def sound_figures(
    model: keras.Model, recipe: Recipe, images: np.ndarray, data_dir: str | Path | None
) -> tuple[dict[str, dict], list[str]]:
    """Compares reconstructions and generated images with the mean image.

    Args:
        model: model of this library.
        recipe: `Recipe`. It names the data.
        images: float32 array in [0, 1]. Test split. With fewer than 40 images, generated images are
            not compared; see `doubt_of_few`.
        data_dir: str or path. Folder of the data; see `datasets.load`.

    Returns:
        Two values: figures as in `measure`, and a list of warnings. A warning is given if
        reconstructions are no better than the mean image of the training split, or if generated
        images are as far from data as the mean image.
    """
    if "samples" not in model.card_figures or len(images) < 2:
        return {}, []
    known, _ = load_images(recipe, recipe.data.train, data_dir, _KNOWN)
    mean, checks, figures = known.mean(axis=0), [], {}
    real, other = np.array_split(images[:_KNOWN], 2)
    if hasattr(model, "reconstruct"):
        judged = images if len(real) < _ENOUGH else real
        found = check_reconstructions(judged, np.asarray(model.reconstruct(judged)), mean)
        protocol = (
            f"Root mean squared error of {len(judged):,} images, and of the mean image of the "
            "training split in place of each."
        )
        errors = {"error": found.error, "error_of_the_mean_image": found.mean_image_error}
        figures = {f"pixel_{n}": _figure(v, "pixel values", protocol) for n, v in errors.items()}
        checks.append(found)
    if len(images) < _FEW:
        return figures, [each.warning for each in checks if each.warning]
    samples = np.asarray(model.generate(len(real), seed=0))
    found = check_samples(samples, real, other, mean, fit_features(known))
    found = replace(found, advice=sample_advice(model))
    protocol = (
        f"Kernel distance (kernel of KID) of {len(real):,} test images to as many draws (seed 0), "
        "to the repeated mean image, and to other test images. Features are principal components "
        f"of {len(known):,} training images."
    )
    distances = {
        "": found.distance,
        "_of_the_mean_image": found.mean_image_distance,
        "_of_other_images": found.data_distance,
    }
    figures |= {f"kernel_distance{n}": _figure(v, "KID", protocol) for n, v in distances.items()}
    return figures, [each.warning for each in [*checks, found] if each.warning]


def doubt_of_few(model: keras.Model, count: int) -> str:
    """Returns a warning for a card that is measured on few test images; empty for none.

    Args:
        model: model of this library.
        count: int. Number of test images.
    """
    if count >= _FEW:
        return ""
    text = f"there are only {count} test images, so all figures have large errors"
    if "samples" in model.card_figures:
        text += f"; {_FEW} are needed to compare generated images with data"
    return text


def stated_figures(facts: Mapping, model: keras.Model | None = None) -> dict[str, dict]:
    """Returns the figures of a card, from its metadata.json.

    Args:
        facts: dict. Contents of metadata.json.
        model: keras.Model. Model of the preset, for runs of version 0.1, which have no figures but
            metrics.

    Raises:
        ValueError: If the metadata has no figures, or malformed ones.
    """
    figures = facts.get("figures")
    if figures is None and model is not None and isinstance(facts.get("metrics"), Mapping):
        figures = metric_figures(facts["metrics"], model)
    try:
        for figure in figures.values():
            float(figure["value"]), str(figure["unit"]), str(figure["protocol"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"metadata.json holds no figures to compare with: {error!r}.") from error
    return figures


def has_moved(stated: float, measured: float) -> bool:
    """Returns `True` if a figure differs from the card's by more than `TOLERANCE`."""
    # Not `distance > tolerance`, which is False for NaN.
    near = abs(measured - stated) <= TOLERANCE * max(1.0, abs(stated))
    return measured != stated and not near


def load_images(
    recipe: Recipe, split: str, data_dir: str | Path | None, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Loads the first images of a split, float32 in [0, 1], and their labels or None.

    With a limit no others are read of data that are read by the row, such as shards. `None` loads
    all.
    """
    source = find(recipe.data.name, Options(data_dir, **recipe.data.options()))
    images, labels = source.read(split)
    images = as_pixels(np.asarray(images[:limit]))
    labels = None if labels is None else labels[:limit]
    scale = 255 if images.dtype == np.uint8 else 1
    return images.astype(np.float32) / np.float32(scale), labels


def log_odds(logits: np.ndarray) -> np.ndarray:
    """Computes the log odds of the most likely category against all others, array (n,).

    Probabilities are not used, because they would round to 1 and give ties.

    Args:
        logits: array (n, K).
    """
    others = np.where(np.eye(logits.shape[1])[logits.argmax(1)], -np.inf, logits)
    return logits.max(1) - logsumexp(others, axis=1)


def clusters(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict:
    """Measures the agreement of an inferred category with labels.

    Returns:
        dict of JSON values: "code", "one_to_one_error", "nmi", "ari", and "table" with the number
        of images by category (row) and label.
    """
    logits = model.category_logits(images)
    score = clustering_error(labels, logits.argmax(1))
    return {
        "code": model.category,
        "one_to_one_error": score.error,
        "nmi": score.nmi,
        "ari": score.ari,
        "table": contingency_table(labels, logits.argmax(1), logits.shape[1]).tolist(),
    }


def _figure(value: float, unit: str, protocol: str, standard_error: float | None = None) -> dict:
    error = {} if standard_error is None else {"standard_error": float(standard_error)}
    return {"value": float(value), **error, "unit": unit, "protocol": protocol}


def _of_latents(model: keras.Model, images: np.ndarray) -> dict[str, dict]:
    figures = {}
    if model.has_density:
        estimate = log_likelihood(model, images[:_IMAGES], _SAMPLES)
        protocol = (
            f"Upper bound of -ln p(x) by importance sampling, with {_SAMPLES} draws of q(z|x) for "
            f"each of the first {len(images[:_IMAGES]):,} images. Observation model: "
            f"{observation_model(model)}."
        )
        figures["nll"] = _figure(
            -estimate.nats, "nats per example", protocol, estimate.standard_error
        )
    z, loc, _ = model.encoding_table(images, batch_size=500, limit=EXAMPLES)
    if len(z) <= model.latent_dim:  # a covariance needs more
        return figures
    statistics = latent_statistics(z, loc)
    drawn = "encodings" if model.deterministic else "draws of q(z|x), one per image"
    protocol = f"Computed from {len(z):,} {drawn}: ln det Cov z (0 for N(0, I))"
    figures["log_det"] = _figure(statistics.log_det, "nats", "")
    if isinstance(model.prior, StandardNormal):
        protocol += "; KL divergence of the Gaussian with their mean and covariance from N(0, I)"
        figures["gaussian_kl"] = _figure(statistics.gaussian_kl, "nats", "")
    protocol += "; number of latent variables whose mean has a variance above 0.01."
    figures["active_units"] = _figure(
        statistics.active_units, f"of {model.latent_dim} latent variables", ""
    )
    for name in figures.keys() - {"nll"}:
        figures[name]["protocol"] = protocol
    return figures


def _of_samples(model, recipe: Recipe, images: np.ndarray, data_dir) -> dict[str, dict]:
    """Figures of generated images, beside those of as many training images."""
    name = _CLASSIFIERS[recipe.data.name]
    classifier = from_preset(name)

    def look(batch):
        parts = [batch[start : start + 500] for start in range(0, len(batch), 500)]
        features = np.concatenate([classifier.features(part) for part in parts])
        probabilities = np.concatenate([classifier(part) for part in parts])
        classes = np.eye(probabilities.shape[1])[probabilities.argmax(1)]
        return features, classes.mean(0)

    def compare(batch):
        features, shares = look(batch)
        return frechet_distance(features, real), np.abs(shares - real_shares).sum()

    real, real_shares = look(images)
    training, _ = load_images(recipe, recipe.data.train, data_dir)
    compared = {
        "": np.asarray(model.generate(len(images), seed=0)),
        "_of_training_images": training[: len(images)],
    }
    protocol = (
        f"{len(images):,} draws (seed 0), and as many training images, compared with the "
        f"{len(images):,} images of the split by `{name}`, which was trained on the same training "
        "images: Fréchet distance of its features, and sum of the absolute differences of its "
        "class shares."
    )
    figures = {}
    for suffix, batch in compared.items():
        distance, mismatch = compare(batch)
        figures[f"frechet_distance{suffix}"] = _figure(distance, "squared features", protocol)
        figures[f"class_mismatch{suffix}"] = _figure(mismatch, "0 to 2", protocol)
    return figures


def _of_category(model, recipe: Recipe, images, labels, data_dir) -> dict[str, dict]:
    if recipe.data.labeled is not None:
        wrong = model.category_logits(images).argmax(1) != labels
        protocol = (
            f"The category compared with the label; training used {recipe.data.labeled} labels."
        )
        return {"test_error": _fraction(wrong.mean(), len(labels), protocol)}
    found = clusters(model, images, labels)
    protocol = (
        "Clusters compared with labels, which training did not use. One-to-one: each label is "
        "assigned to at most one cluster, by the test labels, so that the error is smallest."
    )
    figures = {
        "one_to_one_error": _fraction(found["one_to_one_error"], len(labels), protocol),
        "nmi": _figure(found["nmi"], "0 to 1", protocol),
    }
    if "most_confident_error" in model.card_figures:
        figures["most_confident_error"] = _most_confident(model, recipe, images, labels, data_dir)
    return figures


def _most_confident(model, recipe: Recipe, images, labels, data_dir) -> dict:
    """Error by the protocol of the paper on adversarial autoencoders."""
    training, names = load_images(recipe, recipe.data.train, data_dir)
    logits = model.category_logits(training)
    error = clustering_error(
        labels,
        model.category_logits(images).argmax(1),
        "most_confident",
        (names, logits.argmax(1)),
        log_odds(logits),
    ).error
    return _fraction(
        error,
        len(labels),
        "Each cluster gets the label of its most confident training image, as in Makhzani et al., "
        "2015.",
    )


def _fraction(value: float, count: int, protocol: str) -> dict:
    return _figure(value, "fraction", protocol, math.sqrt(value * (1 - value) / count))
