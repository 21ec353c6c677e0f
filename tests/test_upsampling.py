"""Convolutions of enlarged images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.networks import ConvGenerator
from keras_infomodels.networks.portable import portable
from keras_infomodels.networks.upsampling import UpsamplingConv2D

X = np.random.default_rng(0).normal(size=(3, 5, 4, 2)).astype(np.float32)


def pair(**options) -> tuple[UpsamplingConv2D, keras.Sequential]:
    """The layer, and Keras' two layers with the same random weights."""
    layer, convolution = (
        UpsamplingConv2D(3, **options),
        keras.layers.Conv2D(3, 3, padding="same", **options),
    )
    two = keras.Sequential([keras.layers.UpSampling2D(2), convolution])
    layer.build(X.shape)
    two.build(X.shape)
    random = np.random.default_rng(1)
    weights = [random.normal(size=weight.shape) for weight in layer.get_weights()]
    for each in (layer, two):
        each.set_weights(weights)
    return layer, two


@pytest.mark.parametrize("options", [{}, {"use_bias": False, "activation": "gelu"}])
def test_upsampling_conv_2d_is_upsampling_and_convolution(options):
    layer, two = pair(**options)
    outputs, gradients = [], []
    for each in (layer, two):
        with tf.GradientTape() as tape:
            y = each(X)
            loss = tf.reduce_sum(tf.sin(y))
        outputs.append(y.numpy())
        gradients.append(tape.gradient(loss, each.trainable_variables))
    assert outputs[0].shape == (3, 10, 8, 3) == layer.compute_output_shape(X.shape)
    np.testing.assert_allclose(*outputs, atol=1e-5)
    for mine, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_upsampling_conv_2d_computes_the_same_when_it_is_exported():
    layer, _ = pair()
    model = keras.Sequential([keras.Input(X.shape[1:]), layer])
    wanted = model(X).numpy()

    def names():
        graph = tf.function(model).get_concrete_function(tf.TensorSpec((None, 5, 4, 2))).graph
        return {operation.type for operation in graph.get_operations()}

    assert "Conv2DBackpropInput" in names()
    with portable(model):
        np.testing.assert_allclose(model(X), wanted, atol=1e-5)
        assert "Conv2DBackpropInput" not in names()
        assert "ResizeNearestNeighbor" in names()
    np.testing.assert_array_equal(model(X), wanted)


def test_upsampling_conv_2d_is_rebuilt_from_its_config():
    layer = UpsamplingConv2D(3, activation="relu", name="a")
    again = UpsamplingConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.filters, again.kernel_size, again.padding) == (3, (3, 3), "same")


def pattern(upsampling: str) -> float:
    """Largest difference between neighboring pixels inside an image from a constant grid."""
    generator = ConvGenerator((32, 32, 3), 6, (8, 8, 8), 16, upsampling)
    layers = [layer for layer in generator.layers if layer.name != "sigmoid"]
    x = tf.ones((1, 4, 4, 8))
    for layer in layers[[layer.name for layer in layers].index("reshape") + 1 :]:
        x = layer(x)
    inside = x.numpy()[0, 12:-12, 12:-12]
    return max(np.abs(np.diff(inside, axis=axis)).max() for axis in (0, 1))


def test_conv_generator_draws_no_checkerboards_but_by_transposed_convolutions():
    keras.utils.set_random_seed(0)
    assert pattern("nearest") < 1e-6
    assert pattern("bilinear") < 1e-6
    assert pattern("transposed") > 1e-2
