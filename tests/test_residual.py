"""Residual networks: the scale of pixels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import VAE, datasets, networks


def test_residual_decoder_position_scale_is_the_same_for_all_images():
    arguments = {"parameters": ("loc", "scale"), "position_scale": True, "min_stddev": 0.01}
    decoder = networks.ResidualDecoder((8, 6, 3), 4, (8, 8), **arguments)
    outputs = decoder(tf.random.stateless_normal((5, 4), (0, 1)))
    np.testing.assert_allclose(outputs["scale"], np.full((5, 8, 6, 3), 0.11), rtol=1e-6)
    (variable,) = [each for each in decoder.weights if "log_scale" in each.path]
    variable.assign(np.linspace(-1, 0, 144).reshape(8, 6, 3))
    scale = decoder(tf.zeros((2, 4)))["scale"]
    np.testing.assert_allclose(scale[1], np.exp(10 * variable.numpy()) + 0.01, rtol=1e-5)
    copy = networks.ResidualDecoder.from_config(decoder.get_config())
    copy.set_weights(decoder.get_weights())
    np.testing.assert_array_equal(copy(tf.zeros((2, 4)))["scale"], scale)
    with pytest.raises(ValueError, match="a location and a scale"):
        networks.ResidualDecoder((8, 6, 3), 4, (8, 8), position_scale=True)


@pytest.mark.slow
def test_discretized_logistic_from_images_does_not_explain_figures_by_a_wide_scale():
    """One wide scale for the figures of an image made every reconstruction the same gray."""
    scenes = datasets.load_arrays("scenes", "train[:500]", image_size=(32, 32))[0]
    model = VAE.from_images(scenes, latent_dim=16, likelihood="discretized_logistic")
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(datasets.from_arrays(scenes, batch_size=32), epochs=12, verbose=0)
    images = scenes.astype(np.float32) / 255
    error = np.sqrt(np.mean((model.reconstruct(images[:200]) - images[:200]) ** 2))
    mean = np.sqrt(np.mean((images.mean(0) - images[:200]) ** 2))
    assert error < 0.7 * mean
