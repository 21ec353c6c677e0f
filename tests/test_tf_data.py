"""Iterators of `fit` are not tuned, however they are created."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import models, networks
from keras_infomodels.tf_data import without_tuning

IMAGES = np.zeros((4, 8, 8, 1), np.float32)


def autotune(dataset):
    """What an iterator over a dataset has of the option `autotune.enabled`."""
    return dataset._apply_debug_options().options().autotune.enabled


def test_without_tuning_ends_with_the_context():
    dataset = tf.data.Dataset.range(3)
    with without_tuning():
        with without_tuning():
            assert autotune(dataset) is False
        assert autotune(dataset) is False
    assert autotune(dataset) is None


def test_without_tuning_keeps_the_option_of_a_dataset():
    options = tf.data.Options()
    options.autotune.enabled = True
    with without_tuning():
        assert autotune(tf.data.Dataset.range(3).with_options(options)) is True


def test_without_tuning_includes_the_iterators_of_a_strategy(monkeypatch):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    data = strategy.experimental_distribute_dataset(tf.data.Dataset.range(3))
    found = []
    with without_tuning(), monkeypatch.context() as patch:
        options_of = tf.data.Dataset._apply_debug_options

        def record(dataset):
            dataset = options_of(dataset)
            found.append(dataset.options().autotune.enabled)
            return dataset

        patch.setattr(tf.data.Dataset, "_apply_debug_options", record)
        assert len(list(data)) == 3
    assert found == [False, False]  # of the host and of the device


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_methods_of_a_model_do_not_tune(method):
    found = []

    class Record(keras.callbacks.Callback):
        def note(self, *_):
            found.append(autotune(tf.data.Dataset.range(3)))

        on_train_begin = on_test_begin = on_predict_begin = note

    shared = {"image_shape": (8, 8, 1), "latent_dim": 2, "widths": (4,)}
    model = models.VAE(networks.MLPEncoder(**shared), networks.MLPDecoder(**shared))
    model.compile("sgd", run_eagerly=True)
    getattr(model, method)(IMAGES, callbacks=[Record()], verbose=0)
    assert found == [False]
    assert autotune(tf.data.Dataset.range(3)) is None
