"""Latent codes of a generator: what they are drawn from and how they are inferred from images."""

import keyword
import math
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_int, check_nonnegative

tfd = tfp.distributions

__all__ = ["Categorical", "Code", "Normal", "Uniform"]

_EDGE = 2e-6
"""How far from the ends of (-1, 1) a Beta's density is read: at them it is 0 or infinite."""


@built_in
class Categorical(Spec):
    """One of K equally likely categories, as one of K ("one-hot"); entropy ln K.

    Args:
        categories: K, at least 2.
    """

    posteriors = ("softmax",)

    def __init__(self, categories: int):
        self.categories = check_int("The number of categories", categories, 2)
        self.dimension = self.categories

    def distribution(self) -> tfd.Distribution:
        """The distribution, of batch shape () and event shape (K,)."""
        return tfd.OneHotCategorical(tf.zeros(self.categories), dtype=tf.float32)

    def get_config(self) -> dict:
        return {"categories": self.categories}


@built_in
class Uniform(Spec):
    """A number between -1 and 1, all equally likely; entropy ln 2."""

    posteriors = ("beta", "gaussian", "fixed_gaussian")
    dimension = 1

    def distribution(self) -> tfd.Distribution:
        """The distribution, of batch shape () and event shape (1,)."""
        return tfd.Independent(tfd.Uniform(tf.fill([1], -1.0), tf.ones(1)), 1)

    def get_config(self) -> dict:
        return {}


@built_in
class Normal(Spec):
    """A number drawn from N(0, 1); entropy (1 + ln 2 pi) / 2 = 1.4189."""

    posteriors = ("gaussian", "fixed_gaussian")
    dimension = 1

    def distribution(self) -> tfd.Distribution:
        """The distribution, of batch shape () and event shape (1,)."""
        return tfd.Independent(tfd.Normal(tf.zeros(1), tf.ones(1)), 1)

    def get_config(self) -> dict:
        return {}


@built_in
class Code(Spec):
    """A latent variable c with a name, its prior p(c) and the family of its posterior Q(c|x).

        "softmax"         of a `Categorical`: K logits.
        "beta"            of a `Uniform`, its default: a Beta on (-1, 1), unimodal, that contains
                          the prior, and whose deviation at the center is at least `min_stddev`.
        "gaussian"        N(loc, scale^2), scale learned and at least `min_stddev`; the default of
                          a `Normal`. It does not contain a uniform prior: of independent c it
                          certifies -0.1765 nats at best.
        "fixed_gaussian"  N(loc, min_stddev^2): training by squared error, with weight
                          1 / (2 min_stddev^2). At min_stddev = 1, as in the first published code,
                          its bound on a `Uniform` is never above -0.2258 nats: it trains, and
                          certifies nothing.

    Args:
        name: how it is spoken of: `generate(codes={name: ...})`, `information_<name>`.
        prior: a `Categorical`, `Uniform` or `Normal`.
        posterior: the family; None is the prior's default.
        weight: of log Q(c|x) in the objective.
        min_stddev: floor of a continuous posterior's standard deviation, in (0, 0.5] for "beta".
            Without one the bound of a deterministic generator grows without end.

    Source: Chen et al., "InfoGAN", 2016, section 5.
    """

    def __init__(
        self,
        name: str,
        prior,
        posterior: str | None = None,
        weight: float = 1.0,
        min_stddev: float = 0.05,
    ):
        if not name.isidentifier() or keyword.iskeyword(name) or name == "noise":
            raise ValueError(
                f"A code's name is a Python name other than 'noise', got {name!r}: it becomes the "
                "keyword of generate and of the exported signatures."
            )
        posterior = prior.posteriors[0] if posterior is None else posterior
        if posterior not in prior.posteriors:
            raise ValueError(
                f"The posterior of a {type(prior).__name__} code is one of {prior.posteriors}, "
                f"got {posterior!r}."
            )
        check_nonnegative("weight", weight)
        if not 0 < min_stddev < math.inf or (posterior == "beta" and min_stddev > 0.5):
            raise ValueError(
                f"min_stddev is above 0, and at most 0.5 for a beta; got {min_stddev!r}."
            )
        self.name = name
        self.prior = prior
        self.posterior = posterior
        self.weight = float(weight)
        self.min_stddev = float(min_stddev)

    @property
    def parameters(self) -> int:
        """How many numbers the recognition head gives for this code."""
        return {"softmax": self.prior.dimension, "fixed_gaussian": 1}.get(self.posterior, 2)

    @cached_property
    def entropy(self) -> float:
        """H(c) of its prior, in nats (of a density for a continuous code)."""
        with tf.init_scope():  # it may first be asked for while a step is traced
            return float(self.prior.distribution().entropy())

    @cached_property
    def ceiling(self) -> float:
        """The largest H(c) + E log Q(c|x) that the family can reach, in nats.

        ln K for a category; for a continuous code it is the floor of the standard deviation that
        makes it finite.
        """
        if self.posterior == "softmax":
            return self.entropy
        if self.posterior != "beta":
            return self.entropy - 0.5 * math.log(2 * math.pi * self.min_stddev**2)
        c = (np.arange(2000) + 0.5) / 2000
        mode = np.linspace(0, 1, 1001)[:, None]
        density = stats.beta.logpdf(c, 1 + self._sharpest * mode, 1 + self._sharpest * (1 - mode))
        return float(density.max(axis=0).mean())

    def infer(self, raw: tf.Tensor) -> tfd.Distribution:
        """Q(c|x) from the recognition head's numbers, shape (batch, parameters).

        Returns:
            A distribution of batch shape (batch,) and event shape (prior.dimension,).
        """
        raw = tf.cast(raw, tf.float32)
        if self.posterior == "softmax":
            return tfd.OneHotCategorical(raw, dtype=tf.float32)
        loc = raw[:, :1]
        if self.posterior == "fixed_gaussian":
            return tfd.Independent(tfd.Normal(loc, tf.fill(tf.shape(loc), self.min_stddev)), 1)
        if self.posterior == "gaussian":
            scale = self.min_stddev + tf.nn.softplus(raw[:, 1:])
            return tfd.Independent(tfd.Normal(loc, scale), 1)
        above, below = self._concentrations(raw)
        temperature = above + below
        peak = (above - below) / (temperature + 1e-12)
        one = tf.ones_like(peak)
        return tfd.Independent(tfd.PERT(-one, peak, one, temperature), 1)

    def log_prob(self, raw: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """log Q(c|x) for c (batch, prior.dimension), shape (batch,), in nats."""
        if self.posterior == "beta":
            c = tf.clip_by_value(c, _EDGE - 1, 1 - _EDGE)
        return self.infer(raw).log_prob(c)

    def mean_and_stddev(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and standard deviation of `infer(raw)` of a continuous code, each (batch, 1).

        A Beta's are written by logarithms and logistic functions, whose ranges are narrow: the 256
        levels of an int8 export hold them, where concentrations of 0 to 100 lose both ends.
        """
        if self.posterior != "beta":
            q = self.infer(raw)
            return q.mean(), q.stddev()
        # No minimum or maximum of what is far from 0: TFLite gives its inputs the range of its
        # output, which would cut off the other number of the head too.
        raw = tf.cast(raw, tf.float32)
        lean, log_width = raw[:, :1], raw[:, 1:]
        size = tf.abs(lean)
        # With s = lean (1 + |lean|) and r = |s| + 2 width, a - b : a + b - 2 = s : r, and the mean
        # is s / (2 + r / most), where most is the limit of the mean at the narrowest.
        most = 1 / (1 + 2 / self._sharpest)
        log_rest = math.log(2 * most) + _softplus(log_width - math.log(most))

        def log_spread(side):
            return tf.math.log(side + 1e-6) + tf.math.log(1 + side)

        above, below = (
            tf.sigmoid(log_spread(side) - log_rest)
            for side in ((size + lean) / 2, (size - lean) / 2)
        )
        mean = most * (above - below)
        log_double = log_width + math.log(2)
        log_r = log_double + _softplus(log_spread(size) - log_double)
        log_total = tf.math.log(3 + self._sharpest * tf.sigmoid(log_r - math.log(self._sharpest)))
        log_square = tf.math.log(1 - mean) + tf.math.log(1 + mean)
        return mean, tf.exp((log_square - log_total) / 2)

    def _concentrations(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Both concentrations of a Beta, less 1: at least 0, their sum at most `_sharpest`.

        The first number leans to one side, the second narrows. Where Q ignores the image both
        concentrations are 1, the prior; a product of a location and a temperature of 0 would have
        no gradient there, and a code that was once ignored would stay so.
        """
        lean, width = raw[:, :1], tf.exp(tf.minimum(raw[:, 1:], 20.0))
        lean = lean * (1 + tf.abs(lean))
        spread = tf.abs(lean)
        shrink = self._sharpest / (self._sharpest + spread + 2 * width)
        return shrink * ((spread + lean) / 2 + width), shrink * ((spread - lean) / 2 + width)

    @property
    def _sharpest(self) -> float:
        """a + b - 2 of the narrowest Beta allowed: its variance on (-1, 1) is 1 / (a + b + 1)."""
        return 1 / self.min_stddev**2 - 3

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "prior": keras.saving.serialize_keras_object(self.prior),
            "posterior": self.posterior,
            "weight": self.weight,
            "min_stddev": self.min_stddev,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Code":
        return cls(**config | {"prior": keras.saving.deserialize_keras_object(config["prior"])})


def _softplus(x: tf.Tensor) -> tf.Tensor:
    """Without the operator softplus, which TFLite lacks, and exact where x is large."""
    return tf.nn.relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))
