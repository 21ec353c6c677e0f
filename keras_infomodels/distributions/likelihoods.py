"""Likelihoods p(x|z): distributions of an image x given latent variables z.

A likelihood names the parameters that the decoder must return. It creates a TFP distribution from
them, and states which pixel values it allows. Log-likelihoods are in nats per example, summed over
pixels.
"""

import numbers
from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import replicas
from keras_infomodels.distributions.binary import BernoulliPixel
from keras_infomodels.distributions.discretized import (
    DiscretizedGaussianPixel,
    DiscretizedLogisticPixel,
    portable_softplus,
)
from keras_infomodels.names import guess
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
    """Protocol of likelihoods p(x|z): the distribution of an image x given latents z.

    A decoder returns the parameters of the distribution, such as "logits", for each pixel.

    Example:
        likelihood = ki.distributions.likelihood("bernoulli_stochastic")
        parameters = {"logits": tf.zeros((2, 28, 28, 1))}
        likelihood.distribution(parameters).log_prob(tf.ones((2, 28, 28, 1)))  # -543.4, -784 ln 2
    """

    parameters: tuple[str, ...]
    """Keys of the dict that the decoder returns."""
    description: str
    """Observation model in words, for the card of a model with a log-likelihood."""

    support: str
    """Pixels that have a likelihood, such as "unit"; see `datasets.checks.Pixels`."""

    is_density: bool
    """Whether p(x|z) is a density; its logarithm may be above 0. The default is False."""

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Transforms images before the model sees them, such as by binarization.

        Args:
            x: tensor (batch, *data_shape). Pixels in [0, 1].
            seed: int32 tensor (2,). Seed of random binarization. `None` does not binarize at
                random.

        Returns:
            Tensor (batch, *data_shape).
        """

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        """Creates p(x|z), a TFP distribution with batch shape (batch,).

        The event shape is that of an image.

        Args:
            parameters: dict from name to tensor (batch, *data_shape). Outputs of the decoder.
        """

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Computes the mean image E[x|z] by operations that TFLite has.

        Args:
            parameters: dict from name to tensor (batch, *data_shape). Outputs of the decoder for
                latents z.

        Returns:
            Tensor (batch, *data_shape). Mean images.
        """

    def get_config(self) -> dict: ...


def _pixels(distribution: tfd.Distribution, parameter: tf.Tensor) -> tfd.Distribution:
    # TFP takes some time to find the rank of the distribution's own batch shape.
    return tfd.Independent(distribution, parameter.shape.rank - 1)


def _float32(parameter: tf.Tensor) -> tf.Tensor:
    """Casts to float32, since sums over pixels lose too much in the half precision of a network."""
    return tf.cast(parameter, tf.float32)


@built_in
class Bernoulli(Spec):
    """Likelihood of binary pixels; the decoder returns {"logits"}.

    "logits" (batch, height, width, channels) are the logits of the probability that a pixel is 1.

    Args:
        binarization: str or None. Conversion of gray pixels in [0, 1] to 0 or 1. `None` means no
            conversion: gray pixels raise an error. "threshold" rounds at 0.5. "stochastic" draws
            each pixel anew in every step, with its gray value as the probability of 1. With
            "stochastic", `encode` and `reconstruct` use the gray image itself.

    Raises:
        ValueError: If the binarization is unknown.

    Example:
        model = ki.VAE(
            ki.networks.MLPEncoder(latent_dim=10),
            ki.networks.MLPDecoder(latent_dim=10),
            likelihood=ki.distributions.Bernoulli("stochastic"),
        )
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
            shape = tf.shape(x)

            def draw(n):
                return tf.random.stateless_uniform(tf.concat([n[None], shape[1:]], 0), seed)

            return tf.cast(replicas.own_rows(draw, shape[0]) < x, x.dtype) + 0 * x
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        logits = _float32(parameters["logits"])
        return _pixels(BernoulliPixel(logits=logits, dtype=tf.float32), logits)

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.sigmoid(_float32(parameters["logits"]))

    def get_config(self) -> dict:
        return {"binarization": self.binarization}


@built_in
class ContinuousBernoulli(Spec):
    """Likelihood of gray pixels in [0, 1], continuous Bernoulli; the decoder returns {"logits"}.

    "logits" (batch, height, width, channels) are the logits of the distribution's parameter in (0,
    1) for each pixel. The distribution is a density on [0, 1], so log-likelihoods may be positive.
    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019.

    Example:
        likelihood = ki.distributions.ContinuousBernoulli()
        likelihood.mean({"logits": tf.zeros((1, 2, 2, 1))})  # 0.5
    """

    parameters = ("logits",)
    support = "unit"
    is_density = True
    description = "`continuous_bernoulli`, continuous Bernoulli of grey pixels in [0, 1], a density"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        logits = _float32(parameters["logits"])
        return _pixels(tfd.ContinuousBernoulli(logits=logits), logits)

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
    """Likelihood of real-valued pixels, N(loc, sigma^2).

    The decoder returns {"loc"}, or {"loc", "scale"} if `sigma` is `None`.

    Args:
        sigma: float, "shared" or None. Standard deviation of the pixels. A float is a fixed value.
            "shared" is one value for all pixels, computed from the data: in training it is the root
            mean square error of each batch, and in evaluation the moving average of these errors.
            It is at least the error of rounding to bytes. `None` means a value for each pixel, the
            decoder's output "scale".

    Raises:
        ValueError: If `sigma` is a number that is not above 0, or a text other than "shared".

    Source of "shared": Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
    calibrated decoders", 2020, section 3.

    Example:
        likelihood = ki.distributions.Gaussian("shared")
        decoder = ki.networks.MLPDecoder(latent_dim=10, parameters=likelihood.parameters)
    """

    support = "real"
    is_density = True

    def __init__(self, sigma: float | str | None = None):
        positive = isinstance(sigma, numbers.Real) and sigma > 0
        if not (sigma is None or sigma == "shared" or positive):
            raise ValueError(
                'sigma is a positive number, "shared" for one of all pixels, or None for one of '
                f"each pixel; got {sigma!r}."
            )
        self.sigma = float(sigma) if positive else sigma
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
        fixed = isinstance(self.sigma, float)
        scale = self.sigma if fixed else _float32(parameters["scale"])
        loc = _float32(parameters["loc"])
        return _pixels(tfd.Normal(loc, scale), loc)

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return _float32(parameters["loc"])

    def get_config(self) -> dict:
        return {"sigma": self.sigma}


class _Discretized(Spec):
    """Base class of likelihoods of the 256 byte values x = 0, 1/255, ..., 1."""

    parameters = ("loc", "scale")
    support = "bytes"

    def observe(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return x

    def distribution(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        loc = _float32(parameters["loc"])
        return _pixels(self.pixel(loc, _float32(parameters["scale"])), loc)

    def get_config(self) -> dict:
        return {}


@built_in
class DiscretizedLogistic(_Discretized):
    """Likelihood of 8-bit pixels, a rounded logistic; the decoder returns {"loc", "scale"}.

        P(x) = F((x + 1/510 - loc) / scale) - F((x - 1/510 - loc) / scale),  F the sigmoid,

    x is one of the 256 pixel values 0, 1/255, ..., 1. "loc" and "scale" are the location and scale
    of a logistic distribution for each pixel and channel, each (batch, height, width, channels).
    P(x) is the probability that a draw is rounded to x; all draws below 0 count as 0, and all above
    1 as 1. The log-likelihood is that of a discrete probability, so a model's `bits_per_dim` can be
    compared with the bits per pixel of a lossless compressor.
    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016,
    section 5.2; Salimans et al., "PixelCNN++", 2017.

    Example:
        likelihood = ki.distributions.DiscretizedLogistic()
        decoder = ki.networks.MLPDecoder(latent_dim=10, parameters=likelihood.parameters)
    """

    description = "`discretized_logistic`, logistic pixels rounded to bytes, a probability"
    pixel = DiscretizedLogisticPixel

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Computes the mean image E[x|z], with an error of at most 1/510.

        The result is the mean of the logistic variable clipped to [0, 1], which approximates the
        sum over all 256 values.

        Args:
            parameters: dict from name to tensor (batch, *data_shape). Outputs of the decoder for
                latents z.

        Returns:
            Tensor (batch, *data_shape). Mean images.
        """
        loc, scale = _float32(parameters["loc"]), _float32(parameters["scale"])
        return scale * (portable_softplus(loc / scale) - portable_softplus((loc - 1) / scale))


@built_in
class DiscretizedGaussian(_Discretized):
    """Likelihood of 8-bit pixels, a rounded Gaussian; the decoder returns {"loc", "scale"}.

    It equals `DiscretizedLogistic`, except that F is the normal distribution function.

    Example:
        likelihood = ki.distributions.DiscretizedGaussian()
        decoder = ki.networks.MLPDecoder(latent_dim=10, parameters=likelihood.parameters)
    """

    description = "`discretized_gaussian`, Gaussian pixels rounded to bytes, a probability"
    pixel = DiscretizedGaussianPixel

    def mean(self, parameters: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns "loc" clipped to [0, 1], which approximates the mean image E[x|z].

        Near 0 and 1 the true mean is further inside the interval.

        Args:
            parameters: dict from name to tensor (batch, *data_shape). Outputs of the decoder for
                latents z.

        Returns:
            Tensor (batch, *data_shape). Mean images.
        """
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
"""Names of likelihoods in models and recipes; "gaussian" has one sigma for each pixel."""


def likelihood(name_or_spec: str | Likelihood) -> Likelihood:
    """Creates a likelihood from its name.

    Args:
        name_or_spec: str or `Likelihood`. A key of `LIKELIHOODS`, such as "bernoulli". An object is
            returned unchanged.

    Raises:
        ValueError: If the name is unknown.

    Example:
        ki.distributions.likelihood("shared_gaussian").parameters  # ("loc",)
    """
    if not isinstance(name_or_spec, str):
        return name_or_spec
    if name_or_spec not in LIKELIHOODS:
        raise ValueError(
            f"likelihood is one of {', '.join(LIKELIHOODS)}; got {name_or_spec!r}."
            f"{guess(name_or_spec, LIKELIHOODS)}"
        )
    return LIKELIHOODS[name_or_spec]()


def portable_log_prob(distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
    """Computes log p(x) of each example by operations that TFLite, ONNX and TF.js have.

    For Bernoulli pixels TFP uses the operation `MulNoNan`, which ONNX and TF.js lack. This function
    uses the sum of x logits - softplus(logits) over pixels instead. It avoids TFLite's own
    softplus, which is wrong above 88.7.

    Args:
        distribution: TFP distribution that `Likelihood.distribution` returns.
        x: tensor (batch, height, width, channels). Pixels.

    Returns:
        Tensor (batch,), in nats.

    Example:
        likelihood = ki.distributions.likelihood("bernoulli")
        p = likelihood.distribution({"logits": tf.zeros((2, 28, 28, 1))})
        ki.distributions.portable_log_prob(p, tf.ones((2, 28, 28, 1)))  # -543.4
    """
    # `tfd.Independent` makes objects of two classes.
    independent = hasattr(distribution, "reinterpreted_batch_ndims")
    pixels = distribution.distribution if independent else None
    if isinstance(pixels, DiscretizedLogisticPixel):
        terms = pixels.portable_log_prob(x)
    elif isinstance(pixels, BernoulliPixel):
        logits = pixels.logits_parameter()
        terms = x * logits - portable_softplus(logits)
    else:
        return distribution.log_prob(x)
    return tf.reduce_sum(terms, range(1, len(terms.shape)))
