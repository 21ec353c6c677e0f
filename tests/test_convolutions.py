"""Convolutions from and to images, against those of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.networks import ConvDiscriminator, ConvGenerator
from keras_infomodels.networks.convolutions import Conv2D, Conv2DTranspose
from keras_infomodels.networks.normalization import BatchNormalization
from keras_infomodels.networks.upsampling import UpsamplingConv2D

RANDOM = np.random.default_rng(0)


def pair(name: str, *arguments, **options) -> list[keras.layers.Layer]:
    """Our layer and Keras' of that name, with equal random weights."""
    ours = {"Conv2D": Conv2D, "Conv2DTranspose": Conv2DTranspose}[name]
    layers = [cls(*arguments, **options) for cls in (ours, getattr(keras.layers, name))]
    return layers


def results(layer, x, training=True):
    """Outputs and gradients of a loss by images and weights, and the kernels of the graph."""
    rows = np.random.default_rng(1)
    if layer.built is False:
        layer.build(x.shape)
        layer.set_weights([rows.normal(size=w.shape) for w in layer.get_weights()])

    @tf.function
    def run(x):
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.sin(y))
        return y, tf.gradients(loss, [x, *(v.value for v in layer.trainable_variables)])

    y, gradients = run(tf.constant(x))
    graph = run.get_concrete_function(tf.constant(x)).graph.as_graph_def()
    return [y.numpy(), *(g.numpy() for g in gradients)], [node.op for node in graph.node]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "stride", "shape"),
    [
        (4, 2, (28, 28)),
        (4, 2, (7, 5)),
        (3, 2, (6, 9)),
        (5, 3, (8, 7)),
        ((2, 5), 3, (7, 8)),
        (3, 1, (5, 6)),
        (2, 4, (9, 8)),
    ],
)
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_of_images_are_those_of_keras(name, size, stride, shape, channels):
    into_images = name == "Conv2DTranspose"
    x = RANDOM.normal(size=(3, *shape, 6 if into_images else channels)).astype(np.float32)
    layers = pair(name, channels if into_images else 6, size, stride, "same")
    (ours, kernels), (theirs, keras_kernels) = [results(layer, x) for layer in layers]
    assert keras_kernels.count("Conv2DBackpropInput") == 1
    assert "Conv2DBackpropInput" not in kernels
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Conv2D", {"use_bias": False, "activation": "gelu"}),
        ("Conv2DTranspose", {"use_bias": False, "activation": "gelu"}),
        ("Conv2D", {"padding": "valid"}),
        ("Conv2DTranspose", {"padding": "valid"}),
        ("Conv2D", {"strides": (1, 2)}),
        ("Conv2DTranspose", {"output_padding": 1}),
    ],
)
def test_convolutions_of_images_take_options_as_keras_does(name, options):
    x = RANDOM.normal(size=(2, 8, 9, 2)).astype(np.float32)
    options = {"strides": 2, "padding": "same"} | options
    (ours, _), (theirs, _) = [results(layer, x) for layer in pair(name, 3, 4, **options)]
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_without_training_or_of_many_channels_are_bit_identical_to_keras(name):
    for channels, training in ((2, False), (5, True)):
        x = RANDOM.normal(size=(2, 8, 8, channels)).astype(np.float32)
        runs = [results(layer, x, training) for layer in pair(name, channels, 4, 2, "same")]
        (ours, _), (theirs, _) = runs
        for own, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(own, other)


def test_a_gradient_of_a_gradient_through_an_image_convolution_is_that_of_keras():
    x = RANDOM.normal(size=(2, 8, 8, 1)).astype(np.float32)

    def penalty(layer):
        results(layer, x)  # makes the weights

        @tf.function
        def run(x):
            (slope,) = tf.gradients(tf.reduce_sum(tf.sin(layer(x, training=True))), [x])
            loss = tf.reduce_sum(slope**2)
            return tf.gradients(loss, [x, *(v.value for v in layer.trainable_variables)])

        return run(tf.constant(x))

    for own, other in zip(*map(penalty, pair("Conv2D", 5, 4, 2, "same")), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


def test_upsampling_convolution_has_the_same_outputs_and_gradients_in_training():
    x = RANDOM.normal(size=(3, 5, 4, 7)).astype(np.float32)
    layer = UpsamplingConv2D(3)
    (plain, kernels), (trained, trained_kernels) = results(layer, x, False), results(layer, x)
    assert "Conv2DBackpropInput" in kernels
    assert "Conv2DBackpropInput" not in trained_kernels
    for own, other in zip(trained, plain, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_networks_of_gans_use_these_layers_and_keep_the_names_of_files():
    networks = ConvGenerator(), ConvDiscriminator(normalization="spectral")
    kinds = {type(layer) for network in networks for layer in network._flatten_layers()}
    assert {Conv2D, Conv2DTranspose, BatchNormalization} <= kinds
    for kind in (Conv2D, Conv2DTranspose):  # Keras names the groups of weights files by the class
        assert kind.__name__ in {base.__name__ for base in kind.__mro__[1:]}


@pytest.mark.parametrize("mean", [0.0, 100.0])
@pytest.mark.parametrize("shape", [(16, 5, 4, 6), (64, 6)])
def test_fused_batch_normalization_is_accurate_far_from_zero(shape, mean):
    x = (RANDOM.normal(size=shape) + mean).astype(np.float32)
    layer = BatchNormalization(epsilon=1e-3)

    @tf.function
    def run(x):
        y = layer(x, training=True)
        return y, tf.gradients(tf.reduce_sum(tf.sin(y)), [x])[0]

    y, slope = run(tf.constant(x))
    axes = tuple(range(len(shape) - 1))
    centered = x.astype(float) - x.astype(float).mean(axes)
    variance = (centered**2).mean(axes)
    wanted = centered / np.sqrt(variance + 1e-3)
    upstream = np.cos(wanted)
    along = wanted * (upstream * wanted).mean(axes)
    by_x = (upstream - upstream.mean(axes) - along) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(y, wanted, atol=1e-5)
    np.testing.assert_allclose(slope, by_x, atol=1e-5)
    np.testing.assert_allclose(
        layer.moving_mean, 0.01 * x.astype(float).mean(axes), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(layer.moving_variance, 0.99 + 0.01 * variance, rtol=1e-5)
