"""Distributions of bytes: continuous ones rounded to the 256 values 0, 1/255, ..., 1."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["DiscretizedGaussianPixel", "DiscretizedLogisticPixel", "portable_softplus"]

_HALF = 1 / 510
"""Half the distance between neighboring values."""


def portable_softplus(x: tf.Tensor) -> tf.Tensor:
    """Computes softplus, ln(1 + e^x).

    TFLite's own softplus fails above 88.7, where e^x overflows float32.
    """
    return tf.nn.relu(x) + tf.math.log(1 + tf.exp(-tf.abs(x)))


def _log_ndtr(x: tf.Tensor) -> tf.Tensor:
    """Computes ln of the normal distribution function, exactly far out on the left."""
    return tfd.Normal(tf.zeros([], x.dtype), 1.0).log_cdf(x)


class _DiscretizedPixel(tfd.Distribution):
    """Base class: a continuous distribution whose tails belong to the values 0 and 1."""

    def __init__(self, loc: tf.Tensor, scale: tf.Tensor, validate_args=False, name="Discretized"):
        parameters = dict(locals())
        self.loc, self.scale = tf.convert_to_tensor(loc), tf.convert_to_tensor(scale)
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {
            "loc": tfp.util.ParameterProperties(),
            "scale": tfp.util.ParameterProperties(),
        }

    def _event_shape(self):
        return tf.TensorShape([])

    def _event_shape_tensor(self):
        return tf.constant([], tf.int32)

    def _edges(self, x):
        """Standardized edges of the bin of x, and whether it is the first or the last bin."""
        center = (x - self.loc) / self.scale
        half = _HALF / self.scale
        return center - half, center + half, x < _HALF, x > 1 - _HALF

    def _mean(self):
        # A variable of the values k/255 has the mean (1/255) sum of P(x >= k/255) over k > 0.
        edges = (tf.range(255, dtype=self.dtype) + 0.5) / 255
        first = tf.zeros_like(self.loc + self.scale)
        return tf.foldl(lambda total, edge: total + self._above(edge), edges, first) / 255

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], self._batch_shape_tensor()], axis=0)
        y = self.loc + self.scale * self._noise(shape, seed)
        return tf.round(255 * tf.clip_by_value(y, 0.0, 1.0)) / 255


class DiscretizedLogisticPixel(_DiscretizedPixel):
    """Logistic variable rounded to the nearest byte.

    Args:
        loc: tensor. Location before rounding.
        scale: tensor of the shape of `loc`. Scale before rounding.
        validate_args: bool. `True` checks arguments at run time, as in TFP.
        name: str. Name of the distribution.
    """

    def _log_prob(self, x):
        return self._sum(x, tf.nn.softplus, -tf.math.expm1(-2 * _HALF / self.scale))

    def portable_log_prob(self, x: tf.Tensor) -> tf.Tensor:
        """Computes the log probability by operations that TFLite and ONNX compute correctly."""
        t = tf.tanh(_HALF / self.scale)
        return self._sum(x, portable_softplus, 2 * t / (1 + t))

    def _sum(self, x, softplus, share):
        # F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)), which cancels nowhere; the last is `share`.
        a, b, first, last = self._edges(x)
        below = tf.where(last, 0.0, -softplus(-b))
        above = tf.where(first, 0.0, -softplus(a))
        return below + above + tf.where(first | last, 0.0, tf.math.log(share))

    def _above(self, edge):
        return tf.sigmoid((self.loc - edge) / self.scale)

    def _noise(self, shape, seed):
        return tfd.Logistic(tf.zeros([], self.dtype), 1.0).sample(shape, seed=seed)


class DiscretizedGaussianPixel(_DiscretizedPixel):
    """Normal variable rounded to the nearest byte.

    Args:
        loc: tensor. Mean before rounding.
        scale: tensor of the shape of `loc`. Standard deviation before rounding.
        validate_args: bool. `True` checks arguments at run time, as in TFP.
        name: str. Name of the distribution.
    """

    def _log_prob(self, x):
        a, b, first, last = self._edges(x)
        # The bin and its mirror image have the same probability; the one left of the center is
        # the difference of two small numbers.
        right = a + b > 0
        low, high = tf.where(right, -b, a), tf.where(right, -a, b)
        log_low, log_high = _log_ndtr(low), _log_ndtr(high)
        gap = tf.maximum(log_high - log_low, 1e-7)
        middle = log_high + tfp.math.log1mexp(gap)
        # Where the bin is narrow, its density in the middle times its width.
        center = (low + high) / 2
        density = -0.5 * tf.square(center) - 0.5 * math.log(2 * math.pi)
        narrow = density + tf.math.log(high - low)
        middle = tf.where(high - low < 1e-2, narrow, middle)
        return tf.where(first, _log_ndtr(b), tf.where(last, _log_ndtr(-a), middle))

    def _above(self, edge):
        return tfd.Normal(tf.zeros([], self.dtype), 1.0).cdf((self.loc - edge) / self.scale)

    def _noise(self, shape, seed):
        return tfd.Normal(tf.zeros([], self.dtype), 1.0).sample(shape, seed=seed)
