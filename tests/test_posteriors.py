"""Posteriors whose parts are made when they are first used, against TFP's own distribution."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions import StandardNormal, posterior
from keras_infomodels.distributions.posteriors import LazyNormal

tfd = tfp.distributions
LOC = tf.random.stateless_normal((4, 3), (0, 1))
SCALE = tf.exp(tf.random.stateless_normal((4, 3), (0, 2)))
Z = tf.random.stateless_normal((5, 4, 3), (0, 3))
WHOLE = tfd.MultivariateNormalDiag(LOC, SCALE)
PRIOR = StandardNormal(3).distribution()


def lazy() -> LazyNormal:
    return posterior({"loc": LOC, "scale": SCALE})


@pytest.mark.parametrize(
    "read",
    [
        *(lambda q, n=n: getattr(q, n)() for n in ("mean", "stddev", "variance", "mode")),
        *(lambda q, n=n: getattr(q, n)() for n in ("covariance", "entropy", "batch_shape_tensor")),
        lambda q: q.sample(2, seed=(1, 2)),
        lambda q: q.log_prob(Z),
        lambda q: q.kl_divergence(PRIOR),
        lambda q: tfd.kl_divergence(PRIOR, q),
        lambda q: q[1:].log_prob(Z[:, 1:]),
        lambda q: q.copy(loc=LOC + 1).mean(),
        lambda q: q.scale.diag_part(),
        lambda q: tf.function(lambda own: own.log_prob(Z))(q),
        lambda q: tfd.MixtureSameFamily(tfd.Categorical(tf.zeros(4)), q).log_prob(Z[0]),
    ],
)
def test_lazy_normal_equals_tfps(read):
    assert type(lazy()) is LazyNormal
    np.testing.assert_allclose(read(lazy()), read(WHOLE), rtol=1e-6, atol=1e-6)


def test_lazy_normal_has_tfps_shapes_and_makes_its_parts_once():
    q = lazy()
    assert isinstance(q, tfd.MultivariateNormalDiag)
    assert (q.batch_shape, q.event_shape, q.dtype) == ((4,), (3,), tf.float32)
    assert "_bijector" not in vars(q)
    assert q.bijector is q.bijector
    assert not hasattr(q, "no_such_attribute")


def test_lazy_normal_first_used_in_a_graph_can_be_used_eagerly():
    q = lazy()
    expected = WHOLE.log_prob(Z)
    np.testing.assert_allclose(tf.function(lambda: q.log_prob(Z))(), expected, rtol=1e-6)
    np.testing.assert_allclose(q.log_prob(Z), expected, rtol=1e-6)


def test_lazy_normal_has_tfps_gradients():
    found = []
    for cls in (LazyNormal, tfd.MultivariateNormalDiag):
        with tf.GradientTape() as tape:
            tape.watch([LOC, SCALE])
            q = cls(LOC, SCALE)
            total = tf.reduce_sum(q.kl_divergence(PRIOR)) + tf.reduce_sum(q.sample(seed=(1, 2)))
            total += tf.reduce_sum(q.mean() * q.stddev())
        found.append(tape.gradient(total, [LOC, SCALE]))
    for actual, expected in zip(*found, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


def test_posterior_in_a_graph_or_of_broadcast_parameters_is_tfps():
    types = []
    tf.function(lambda: types.append(type(posterior({"loc": LOC, "scale": SCALE}))))()
    types.append(type(posterior({"loc": LOC, "scale": SCALE[0]})))
    assert types == [tfd.MultivariateNormalDiag] * 2
