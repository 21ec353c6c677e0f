"""Latent codes of a generator: their priors, and the families of their posteriors."""

import keyword
import math
from collections.abc import Mapping
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from keras_infomodels.names import guess
from keras_infomodels.registry import built_in
from keras_infomodels.renames import old_attribute, rename, takes_old_arguments
from keras_infomodels.spec import Spec, check_int, check_nonnegative

tfd = tfp.distributions

__all__ = ["Categorical", "Code", "Normal", "Uniform"]

_EDGE = 2e-6
"""Distance from the ends of (-1, 1) at which a Beta density is evaluated; at the ends it is 0 or
infinite.
"""


@built_in
@takes_old_arguments(rename(categories="num_categories"))
class Categorical(Spec):
    """Prior of a categorical code: K equally likely values, as one-hot vectors. Entropy: ln K nats.

    Args:
        num_categories: int, at least 2. Number K of values.

    Raises:
        ValueError: If there are fewer than 2 categories.

    Example:
        digit = ki.distributions.Code("digit", ki.distributions.Categorical(10))
    """

    posteriors = ("softmax",)
    categories = old_attribute("categories", "num_categories")

    def __init__(self, num_categories: int):
        self.num_categories = check_int("num_categories", num_categories, 2)
        self.dimension = self.num_categories

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape () and event shape (K,)."""
        return tfd.OneHotCategorical(tf.zeros(self.num_categories), dtype=tf.float32)

    def get_config(self) -> dict:
        return {"num_categories": self.num_categories}


@built_in
class Uniform(Spec):
    """Prior of a continuous code: uniform on (-1, 1). Differential entropy: ln 2 nats.

    Example:
        slant = ki.distributions.Code("slant", ki.distributions.Uniform(), weight=0.1)
    """

    posteriors = ("beta", "gaussian", "fixed_gaussian")
    dimension = 1

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape () and event shape (1,)."""
        return tfd.Independent(tfd.Uniform(tf.fill([1], -1.0), tf.ones(1)), 1)

    def get_config(self) -> dict:
        return {}


@built_in
class Normal(Spec):
    """Prior of a continuous code: N(0, 1). Differential entropy: (1 + ln 2 pi) / 2 = 1.4189 nats.

    Example:
        width = ki.distributions.Code("width", ki.distributions.Normal())
    """

    posteriors = ("gaussian", "fixed_gaussian")
    dimension = 1

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape () and event shape (1,)."""
        return tfd.Independent(tfd.Normal(tf.zeros(1), tf.ones(1)), 1)

    def get_config(self) -> dict:
        return {}


@built_in
class Code(Spec):
    """Latent code c of an InfoGAN: a name, a prior p(c) and the family of the posterior Q(c|x).

    x is an image, and Q(c|x) is computed by the recognition network. The InfoGAN maximizes the
    bound H(c) + E log Q(c|x) on the mutual information I(c; x), in nats. The families of Q(c|x)
    are:

        "softmax"         for a `Categorical`: K logits.
        "beta"            for a `Uniform`, and its default: a unimodal Beta distribution on
                          (-1, 1). The family contains the prior. Where its mean is 0, its standard
                          deviation is at least `min_stddev`.
        "gaussian"        N(loc, scale^2) with a learned scale of at least `min_stddev`; the
                          default for a `Normal`. The family does not contain a uniform prior: if
                          c and x are independent, the bound is at most -0.1765 nats instead of 0.
        "fixed_gaussian"  N(loc, min_stddev^2): squared error with weight 1 / (2 min_stddev^2).
                          With min_stddev = 1, as in the first published code, the bound for a
                          `Uniform` is at most -0.2258 nats. Training works, but the bound is
                          never above 0.

    Args:
        name: str. Name of the code, used by `generate(codes={name: ...})`, in the metric
            `information_<name>` and in exported signatures.
        prior: `Categorical`, `Uniform` or `Normal`. Prior p(c).
        posterior: str. Family of Q(c|x), see above. `None` means the default of the prior.
        weight: float, at least 0. Weight of log Q(c|x) in the loss.
        min_stddev: float. Smallest standard deviation of a continuous posterior, in (0, 0.5] for
            "beta". Without this minimum the bound could grow without limit.

    Raises:
        ValueError: If the name is not a Python name or is "noise", the posterior does not fit the
            prior, or a number is out of range.

    Source: Chen et al., "InfoGAN", 2016, section 5.

    Example:
        from keras_infomodels.distributions import Categorical, Code, Uniform

        codes = [Code("digit", Categorical(10)), Code("slant", Uniform(), weight=0.1)]
        codes[0].ceiling  # 2.303 nats, ln 10
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
                f"got {posterior!r}.{guess(posterior, prior.posteriors)}"
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
        """Number of outputs that the recognition network Q has for this code."""
        return {"softmax": self.prior.dimension, "fixed_gaussian": 1}.get(self.posterior, 2)

    @cached_property
    def entropy(self) -> float:
        """Entropy of the code's prior in nats; the differential entropy for a continuous code."""
        with tf.init_scope():  # it may first be asked for while a step is traced
            return float(self.prior.distribution().entropy())

    @cached_property
    def ceiling(self) -> float:
        """Largest possible bound on the information of this code, H(c) + E log Q(c|x), in nats.

        Q(c|x) is the distribution of the code c that Q infers from an image x, and H(c) the entropy
        of its prior.

        The value is ln K for a category of K values. For a continuous code it depends on
        `min_stddev`.
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
        """Creates Q(c|x), the distribution of the code c given an image x, from the outputs of Q.

        Args:
            raw: tensor (batch, parameters). Outputs of the recognition head.

        Returns:
            TFP distribution with batch shape (batch,) and event shape (prior.dimension,).
        """
        return self.posterior_of(self.posterior_parameters(raw))

    def posterior_parameters(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes the parameters of the distribution that `infer` returns, by name.

        Args:
            raw: tensor (batch, parameters). Outputs of the recognition head.

        Returns:
            dict of float32 tensors: "logits" (batch, K) for a category, "loc" and "scale" (batch,
            1) for a Gaussian, "peak" and "temperature" (batch, 1) for a Beta distribution.
        """
        raw = tf.cast(raw, tf.float32)
        if self.posterior == "softmax":
            return {"logits": raw}
        loc = raw[:, :1]
        if self.posterior == "fixed_gaussian":
            return {"loc": loc, "scale": tf.fill(tf.shape(loc), self.min_stddev)}
        if self.posterior == "gaussian":
            return {"loc": loc, "scale": self.min_stddev + tf.nn.softplus(raw[:, 1:])}
        above, below = self._concentrations(raw)
        temperature = above + below
        return {"peak": (above - below) / (temperature + 1e-12), "temperature": temperature}

    def posterior_of(self, parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
        """Creates Q(c|x) from its parameters.

        Args:
            parameters: dict of tensors. Result of `posterior_parameters`.
        """
        if self.posterior == "softmax":
            return tfd.OneHotCategorical(parameters["logits"], dtype=tf.float32)
        if self.posterior != "beta":
            return tfd.Independent(tfd.Normal(parameters["loc"], parameters["scale"]), 1)
        one = tf.ones_like(parameters["peak"])
        return tfd.Independent(
            tfd.PERT(-one, parameters["peak"], one, parameters["temperature"]), 1
        )

    def log_prob(self, raw: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Computes log Q(c|x) of values c of the code, tensor (batch,), in nats.

        x is an image, and Q the recognition network.

        Args:
            raw: tensor (batch, parameters). Outputs of the recognition head.
            c: tensor (batch, prior.dimension). Values of the code.
        """
        if self.posterior != "beta":
            return self.infer(raw).log_prob(c)
        # In float64, because ln B(a, b) is a small difference of large numbers; TFP's lbeta avoids
        # it by a hundred operations.
        c = tf.cast(tf.clip_by_value(c, _EDGE - 1, 1 - _EDGE), tf.float64)
        above, below = (tf.cast(each, tf.float64) for each in self._concentrations(raw))
        total = above + below
        log_beta = tf.math.lgamma(1 + above) + tf.math.lgamma(1 + below) - tf.math.lgamma(2 + total)
        log_q = above * tf.math.log1p(c) + below * tf.math.log1p(-c) - log_beta
        return tf.cast((log_q - (1 + total) * math.log(2))[:, 0], tf.float32)

    def mean_and_stddev(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the mean and the standard deviation of `infer(raw)`, each (batch, 1).

        Only for a continuous code. For a Beta distribution the values are computed from logarithms
        and logistic functions. Their ranges are narrow enough for the 256 levels of an int8 export.
        The concentrations themselves, from 0 to 100, would be rounded too coarsely.

        Args:
            raw: tensor (batch, parameters). Outputs of the recognition head.
        """
        if self.posterior != "beta":
            q = self.infer(raw)
            return q.mean(), q.stddev()
        # Avoid `tf.minimum` and `tf.maximum` of large numbers here: TFLite's quantizer shares one
        # range between their input and output, which clips the head's other output.
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
        """Both concentrations of a Beta minus 1: at least 0, with a sum of at most `_sharpest`.

        The first output leans to one side, the second narrows the density. If Q ignores the image
        both concentrations are 1, which is the prior. A product of a location and a temperature of
        0 would have no gradient there, so that an ignored code would stay ignored.
        """
        lean, width = raw[:, :1], tf.exp(tf.minimum(raw[:, 1:], 20.0))
        lean = lean * (1 + tf.abs(lean))
        spread = tf.abs(lean)
        shrink = self._sharpest / (self._sharpest + spread + 2 * width)
        return shrink * ((spread + lean) / 2 + width), shrink * ((spread - lean) / 2 + width)

    @property
    def _sharpest(self) -> float:
        """Largest a + b - 2 of a Beta: its variance on (-1, 1) is 1 / (a + b + 1)."""
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
    """Computes softplus without that operator, which TFLite lacks; exact for large x."""
    return tf.nn.relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))
