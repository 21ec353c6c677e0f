"""Models to export, and their exports, each made once a session: a conversion takes seconds."""

import contextlib
import os
from pathlib import Path

import keras
import numpy as np

from keras_infomodels import distributions, export, models, networks, presets

PRESETS = Path(__file__).parent / "fixtures" / "presets"
CLASSES = [path.name for path in sorted(PRESETS.iterdir())]
"""A tiny trained-like model of every class, and the AAE with a category."""

SHAPES = {"image_shape": (8, 8, 1), "latent_dim": 2, "widths": (64,)}


def _of_likelihood(name, parameters=("logits",)):
    return models.VAE(
        networks.MLPEncoder(**SHAPES),
        networks.MLPDecoder(parameters=parameters, **SHAPES),
        likelihood=name,
    )


def _of_prior(prior, min_stddev=0.01):
    return models.AdversarialAutoencoder(
        networks.MLPEncoder(min_stddev=min_stddev, **SHAPES),
        networks.MLPDecoder(**SHAPES),
        prior,
        "bernoulli_stochastic",
    )


def _convolutional():
    shared = {"image_shape": (14, 10, 3), "latent_dim": 4, "width": 8}
    return models.VAE(
        networks.ConvEncoder(filters=(4, 8), **shared),
        networks.ConvDecoder(filters=(8, 4), **shared),
        likelihood="bernoulli_stochastic",
    )


def _infogan():
    code = distributions.Code
    codes = [
        code("digit", distributions.Categorical(4)),
        code("slant", distributions.Uniform()),
        code("width", distributions.Normal()),
    ]
    return models.InfoGAN(
        networks.ConvGenerator((8, 8, 1), 11, (8, 8), 32),
        networks.ConvDiscriminator((8, 8, 1), (8, 8), 32),
        5,
        codes,
    )


def _half():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return _infogan()
    finally:
        keras.config.set_dtype_policy("float32")


VARIANTS = {
    "threshold": lambda: _of_likelihood("bernoulli_threshold"),
    "continuous": lambda: _of_likelihood("continuous_bernoulli"),
    "gaussian": lambda: _of_likelihood("gaussian", ("loc", "scale")),
    "mixture": lambda: _of_prior(distributions.GaussianMixture.ring(5)),
    "deterministic": lambda: _of_prior(distributions.StandardNormal(2), None),
    "convolutional": _convolutional,
    "larger_infogan": _infogan,
    "half": _half,
}
"""What else there is to go wrong: likelihoods, priors, odd sizes, half precision."""


class Exports:
    """Makes models and their exports, and keeps them.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._models = {}

    def model(self, name: str) -> keras.Model:
        """The model of a name of `CLASSES` or `VARIANTS`; no test trains it."""
        if name not in self._models:
            keras.utils.set_random_seed(0)
            made = name in VARIANTS
            self._models[name] = VARIANTS[name]() if made else presets.from_preset(PRESETS / name)
        return self._models[name]

    def images(self, name: str, count: int = 40) -> np.ndarray:
        """Random pixels of the model's shape."""
        shape = (count, *self.model(name).data_shape)
        return np.random.default_rng(0).uniform(size=shape).astype(np.float32)

    def saved_model(self, name: str, **options) -> Path:
        """The folder of the SavedModel."""
        path = self.folder / "_".join([name, *map(str, options)]) / "1"
        if not path.exists():
            new = path.parent / f"0{os.getpid()}"
            export.to_saved_model(self.model(name), new, images=self.images(name), **options)
            with contextlib.suppress(OSError):  # another worker was faster
                os.rename(new, path)
        return path

    def tflite(self, name: str, quantize: str | None = None, **options) -> Path:
        """The `.tflite`; int8 is calibrated on the images that it is compared on."""
        parts = [name, quantize or "float32", *(f"{k}{v}" for k, v in options.items())]
        path = self.folder / f"{'_'.join(parts)}.tflite"
        if not path.exists():
            images = self.images(name)
            export.to_tflite(
                self.model(name), path, quantize, calibration=images, images=images, **options
            )
        return path
