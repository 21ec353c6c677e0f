"""Posteriors q(z|x) from the outputs of an encoder."""

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["LazyNormal", "code_distribution", "posterior", "rate"]


def code_distribution(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """Creates the distribution of the decoder's input from the outputs of an encoder.

    The input is a vector of the probabilities of a category, if there is one, and the continuous
    latents z. It contains the probabilities instead of a one-hot draw, because probabilities have a
    gradient.

    Args:
        parameters: dict from name to tensor. Outputs of an encoder: "loc" and, for a stochastic
            encoder, "scale", each (batch, d). For a category also "logits" (batch, K).

    Returns:
        TFP distribution with batch shape (batch,) and event shape (d,), or (K + d,) with a
        category.

    Example:
        outputs = {name: tf.ones((2, 3)) for name in ("logits", "loc", "scale")}
        ki.distributions.code_distribution(outputs).sample()  # shape (2, 6)
    """
    z = posterior(parameters)
    if "logits" not in parameters:
        return z
    probabilities = tf.nn.softmax(tf.cast(parameters["logits"], z.dtype))
    return tfd.Blockwise([tfd.VectorDeterministic(probabilities), z])


def posterior(parameters: Mapping[str, tf.Tensor]) -> tfd.Distribution:
    """Creates q(z|x), an encoder's distribution of the latents z, from the encoder's outputs.

    It is N(loc, diag(scale^2)), or a point mass at loc if there is no "scale".

    Args:
        parameters: dict from name to tensor (batch, d). "loc" holds the means and "scale" the
            standard deviations, above 0. A deterministic encoder has no "scale".

    Returns:
        TFP distribution with batch shape (batch,) and event shape (d,), in float32 or float64.

    Example:
        q = ki.distributions.posterior({"loc": tf.zeros((2, 3)), "scale": tf.ones((2, 3))})
    """
    tensors = {name: tf.convert_to_tensor(value) for name, value in parameters.items()}
    if tensors["loc"].dtype.size < 4:
        tensors = {name: tf.cast(value, tf.float32) for name, value in tensors.items()}
    if "scale" not in tensors:
        return tfd.VectorDeterministic(tensors["loc"])
    # Parts that are made later must not belong to another graph, so a graph gets TFP's own class.
    lazy = tf.executing_eagerly() and tensors["loc"].shape == tensors["scale"].shape
    return (LazyNormal if lazy else tfd.MultivariateNormalDiag)(tensors["loc"], tensors["scale"])


class LazyNormal(tfd.MultivariateNormalDiag):
    """TFP's N(loc, diag(scale_diag^2)) of eager tensors, whose parts are made when they are needed.

    TFP makes a bijector and a base distribution at construction, which takes longer than a small
    encoder. The mean, deviation and variance need neither.

    Args:
        loc: tensor (..., d). Means.
        scale_diag: tensor of the shape of `loc`. Standard deviations.
        validate_args: bool. `True` checks arguments at run time, as in TFP.
        allow_nan_stats: bool. As in TFP.
        name: str. Name of the distribution.
    """

    _PARTS = (
        *("_distribution", "_bijector", "_kwargs_split_fn", "_zero", "_is_joint"),
        *("_scale", "_experimental_use_kahan_sum"),
    )

    def __init__(
        self,
        loc,
        scale_diag,
        validate_args=False,
        allow_nan_stats=True,
        name="MultivariateNormalDiag",
    ):
        parameters = dict(locals())
        self._loc, self._scale_diag = loc, scale_diag
        tfd.Distribution.__init__(
            self,
            dtype=loc.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        # TFP warns if a class with its own arguments does not define them.
        return super()._parameter_properties(dtype, num_classes)

    def __getattr__(self, name: str):
        # Python calls this only for attributes that are not set.
        if name not in self._PARTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with tf.init_scope():
            whole = tfd.MultivariateNormalDiag(
                self._loc, self._scale_diag, self.validate_args, self.allow_nan_stats
            )
        vars(self).update({part: getattr(whole, part) for part in self._PARTS})
        return vars(self)[name]

    def _event_shape(self):
        return self._loc.shape[-1:]

    def _batch_shape(self):
        return self._loc.shape[:-1]

    def _mean(self):
        return tf.identity(self._loc)

    def _stddev(self):
        return tf.abs(self._scale_diag)

    def _variance(self):
        return tf.square(self._scale_diag)


def rate(posterior: tfd.Distribution, prior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
    """Computes the rate KL(q(z|x) || p(z)) of each example x, in nats.

    The closed form is used if TFP has one. Otherwise the result is the one-sample Monte Carlo
    estimate log q(z|x) - log p(z), which is unbiased and may be negative.

    Args:
        posterior: TFP distribution with batch shape (batch,). The encoder's q(z|x).
        prior: TFP distribution with batch shape (). The prior p(z).
        z: tensor (batch, d). One sample of q(z|x) for each example. Not used by the closed form.

    Returns:
        Tensor (batch,), in nats.

    Example:
        q = ki.distributions.posterior({"loc": tf.zeros((2, 3)), "scale": tf.ones((2, 3))})
        prior = ki.distributions.StandardNormal(3).distribution()
        ki.distributions.rate(q, prior, q.sample())  # 0
    """
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)
