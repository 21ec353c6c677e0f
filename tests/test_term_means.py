import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.training.term_means import TermMeans

BATCHES = [
    ({"loss": 2.0, "rate": 1.0}, {"loss": 3, "rate": 0}),
    ({"loss": -1.0, "rate": 5.0}, {"loss": 1, "rate": 2}),
]


@pytest.mark.parametrize("traced", [False, True])
def test_term_means_are_those_of_keras(traced):
    means = TermMeans(["loss", "rate"])
    metrics = {name: keras.metrics.Mean(name) for name in means.names}
    add = tf.function(means.add) if traced else means.add
    for terms, counts in BATCHES:
        add(
            {k: tf.constant(v) for k, v in terms.items()},
            {k: tf.constant(v) for k, v in counts.items()},
        )
        for name, metric in metrics.items():
            metric.update_state(terms[name], sample_weight=counts[name])
    assert means.results().keys() == metrics.keys()
    for own, (name, metric) in zip(means.metrics, metrics.items(), strict=True):
        assert own.name == name
        np.testing.assert_allclose(means.results()[name], metric.result())
        np.testing.assert_allclose(own.result(), metric.result())
    assert float(means.results()["loss"]) == 5 / 4
    assert float(means.count("rate")) == 2


def test_term_means_are_metrics_of_keras():
    """Each resets and updates its own column, a NaN included; one variable is listed once."""
    means = TermMeans(["loss", "rate"])
    loss, rate = means.metrics
    loss.update_state(np.nan)
    rate.update_state(3.0, sample_weight=2)
    assert not means.are_finite()
    loss.reset_state()
    assert means.are_finite()
    assert float(loss.result()) == 0
    assert float(rate.result()) == 3
    assert [len(metric.variables) for metric in means.metrics] == [1, 0]
