"""Observation models p(x|z).

A likelihood names the parameters that the decoder must return, turns them into a TFP distribution,
and says which pixels it can explain. Log-likelihoods are in nats per example: summed over pixels.
"""

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions.discretized import (
    DiscretizedGaussianPixel,
    DiscretizedLogisticPixel,
)
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec

tfd = tfp.distributions

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "DiscretizedGaussian",
    "DiscretizedLogistic",
    "Gaussian",
    "Likelihood",
    "likelihood",
    "portable_log_prob",
]


class Likelihood(Protocol):
    """What a model asks of an observation model."""

    parameters: tuple[str, ...]
    """Keys of the dict that the decoder returns."""
    description: str
    """The observation model in words, as a card states it beside a log-likelihood."""

    support: str
    """The pixels that it explains, such as "unit": see `datasets.checks.Pixels`."""

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """The data as the model sees them; with a seed, random binarization is drawn."""

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        """p(x|z), of batch shape (batch,): pixels belong to the event."""

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """E[x|z], made of operations that TFLite has."""

    def get_config(self) -> dict: ...


def _pixels(distribution: tfd.Distribution) -> tfd.Distribution:
    return tfd.Independent(distribution, len(distribution.batch_shape) - 1)


def _float32(parameter: tf.Tensor) -> tf.Tensor:
    """A network under mixed precision may end in half of it, which sums over pixels cannot."""
    return tf.cast(parameter, tf.float32)


@built_in
class Bernoulli(Spec):
    """Bernoulli pixels; the decoder returns {"logits"}.

    Args:
        binarization: how grey pixels in [0, 1] become binary: None (the data are binary already
            and anything else is refused), "threshold" (static, at 0.5), or "stochastic" (dynamic:
            each pixel is drawn with its grey value as probability, anew at every step; `encode`
            and `reconstruct` then see the grey image, its mean).
    """

    parameters = ("logits",)

    def __init__(self, binarization: str | None = None):
        if binarization not in (None, "threshold", "stochastic"):
            raise ValueError(
                f'binarization is None, "threshold" or "stochastic", got {binarization!r}.'
            )
        self.binarization = binarization
        self.support = "binary" if binarization is None else "unit"

    @property
    def description(self) -> str:
        name, images = {
            None: ("bernoulli", "binary images"),
            "threshold": ("bernoulli_threshold", "images that are binarized at 0.5"),
            "stochastic": (
                "bernoulli_stochastic",
                "images that are binarized once, at random, by their grey values",
            ),
        }[self.binarization]
        return f"`{name}`, Bernoulli pixels of {images}"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        if self.binarization == "threshold":
            return tf.cast(x >= 0.5, x.dtype) + 0 * x  # NaN stays NaN
        if self.binarization == "stochastic" and seed is not None:
            return tf.cast(tf.random.stateless_uniform(tf.shape(x), seed) < x, x.dtype) + 0 * x
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        return _pixels(tfd.Bernoulli(logits=_float32(parameters["logits"]), dtype=tf.float32))

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.sigmoid(_float32(parameters["logits"]))

    def get_config(self) -> dict:
        return {"binarization": self.binarization}


@built_in
class ContinuousBernoulli(Spec):
    """Continuous Bernoulli pixels in [0, 1]; the decoder returns {"logits"}.

    A normalized density, so its log-likelihood may be positive.
    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019.
    """

    parameters = ("logits",)
    support = "unit"
    description = "`continuous_bernoulli`, continuous Bernoulli of grey pixels in [0, 1], a density"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        return _pixels(tfd.ContinuousBernoulli(logits=_float32(parameters["logits"])))

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        # TFP's mean uses atanh, which TFLite lacks. In terms of the logit l it is
        # 1/2 + coth(l/2)/2 - 1/l, with the series 1/2 + l/12 - l^3/720 where that cancels.
        logits = _float32(parameters["logits"])
        small = tf.abs(logits) < 0.1
        safe = tf.where(small, tf.ones_like(logits), logits)
        closed = 0.5 + 0.5 / tf.tanh(safe / 2) - 1 / safe
        return tf.where(small, 0.5 + logits / 12 - logits**3 / 720, closed)

    def get_config(self) -> dict:
        return {}


@built_in
class Gaussian(Spec):
    """Gaussian pixels N(loc, sigma^2).

    Args:
        sigma: float, "shared" or None. A fixed standard deviation; or one of all pixels, which is
            the root mean square error of each batch in training, at least that of rounding to
            bytes, and its moving average afterwards (the decoder returns {"loc"} for both). None
            takes one of each pixel from the decoder, which returns {"loc", "scale"}.

    Source of "shared": Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
    calibrated decoders", 2020, section 3.
    """

    support = "real"

    def __init__(self, sigma: float | str | None = None):
        positive = isinstance(sigma, int | float) and sigma > 0
        if not (sigma is None or sigma == "shared" or positive):
            raise ValueError(
                'sigma is a positive number, "shared" for one of all pixels, or None for one of '
                f"each pixel; got {sigma!r}."
            )
        self.sigma = sigma
        self.shared = sigma == "shared"
        self.parameters = ("loc", "scale") if sigma is None else ("loc",)

    @property
    def description(self) -> str:
        if self.shared:
            return (
                "`shared_gaussian`, Gaussian pixels of one deviation that is measured in training, "
                "a density"
            )
        sigma = "of a learned" if self.sigma is None else f"of {self.sigma:g} as"
        return f"`gaussian`, Gaussian pixels {sigma} deviation, a density"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        fixed = isinstance(self.sigma, int | float)
        scale = self.sigma if fixed else _float32(parameters["scale"])
        return _pixels(tfd.Normal(_float32(parameters["loc"]), scale))

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return _float32(parameters["loc"])

    def get_config(self) -> dict:
        return {"sigma": self.sigma}


class _Discretized(Spec):
    """Probabilities of the 256 values of bytes, x = 0, 1/255, ..., 1."""

    parameters = ("loc", "scale")
    support = "bytes"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        return _pixels(self.pixel(_float32(parameters["loc"]), _float32(parameters["scale"])))

    def get_config(self) -> dict:
        return {}


@built_in
class DiscretizedLogistic(_Discretized):
    """Logistic pixels rounded to bytes; the decoder returns {"loc", "scale"}.

        P(x) = F((x + 1/510 - loc) / scale) - F((x - 1/510 - loc) / scale),  F the sigmoid,

    where the values 0 and 1 take the whole tails. The log-likelihood is in nats, of probabilities,
    so that `bits_per_dim` of a model compares with that of a lossless compressor.
    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow",
    2016, section 5.2; Salimans et al., "PixelCNN++", 2017.
    """

    description = "`discretized_logistic`, logistic pixels rounded to bytes, a probability"
    pixel = DiscretizedLogisticPixel

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """E[x|z], of the logistic cut off at 0 and 1: within 1/510 of the sum over bytes."""
        loc, scale = _float32(parameters["loc"]), _float32(parameters["scale"])
        return scale * (tf.nn.softplus(loc / scale) - tf.nn.softplus((loc - 1) / scale))


@built_in
class DiscretizedGaussian(_Discretized):
    """Gaussian pixels rounded to bytes; the decoder returns {"loc", "scale"}.

    As `DiscretizedLogistic`, with F the normal distribution function.
    """

    description = "`discretized_gaussian`, Gaussian pixels rounded to bytes, a probability"
    pixel = DiscretizedGaussianPixel

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The location, cut off at 0 and 1; near these E[x|z] lies further inside."""
        return tf.clip_by_value(_float32(parameters["loc"]), 0.0, 1.0)


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "bernoulli_threshold": lambda: Bernoulli("threshold"),
    "bernoulli_stochastic": lambda: Bernoulli("stochastic"),
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "shared_gaussian": lambda: Gaussian("shared"),
    "discretized_logistic": DiscretizedLogistic,
    "discretized_gaussian": DiscretizedGaussian,
}
"""Names that models and recipes take; "gaussian" has one sigma a pixel."""


def likelihood(name_or_spec: str | Likelihood) -> Likelihood:
    """The observation model of that name (a key of `LIKELIHOODS`); a spec is passed through."""
    if not isinstance(name_or_spec, str):
        return name_or_spec
    if name_or_spec not in LIKELIHOODS:
        raise ValueError(f"likelihood is one of {', '.join(LIKELIHOODS)}; got {name_or_spec!r}.")
    return LIKELIHOODS[name_or_spec]()


def portable_log_prob(distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
    """log p(x) in nats of each example, by operations that other runtimes have.

    TFP computes a Bernoulli's by `MulNoNan`, which ONNX and TF.js lack; it is
    x logits - softplus(logits), summed over pixels.

    Args:
        distribution: what `Likelihood.distribution` returns.
        x: tensor (batch, height, width, channels).
    """
    pixels = getattr(distribution, "distribution", None)
    if type(distribution) is not tfd.Independent or type(pixels) is not tfd.Bernoulli:
        return distribution.log_prob(x)
    logits = pixels.logits_parameter()
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), range(1, len(logits.shape)))
