"""What all networks of this library do alike."""

import keras
import numpy as np
import pytest

from keras_infomodels import load_model, networks
from keras_infomodels.models import VAE
from keras_infomodels.models.gan.recognition import trunk_like


@pytest.mark.parametrize(
    "network",
    [
        networks.MLPEncoder((8, 8, 1), 3, (4, 4)),
        networks.ConvDecoder((8, 8, 1), 3, (2, 2), 4),
        networks.ConvDiscriminator((8, 8, 1), (2,), 4, "spectral"),
        networks.RecognitionHead(4, {"c": 2}),
    ],
    ids=lambda network: type(network).__name__,
)
def test_network_get_config_keeps_what_is_frozen(network):
    copy = type(network).from_config(network.get_config())
    assert not {"trainable", "frozen"} & set(copy.get_config())  # as presets have it
    layer = next(layer for layer in copy.layers if layer.trainable_variables)
    layer.trainable = False
    again = type(network).from_config(copy.get_config())
    assert not again.get_layer(layer.name).trainable
    assert 0 < len(again.trainable_variables) == len(copy.trainable_variables)
    copy.trainable = False
    again = type(network).from_config(copy.get_config())
    assert not again.trainable
    assert again.trainable_variables == []
    assert len(again.weights) == len(network.weights)


def test_network_frozen_stays_so_in_files_with_its_optimizer(make_model, images, tmp_path):
    encoder, decoder = (
        cls((8, 8, 1), 3, (16,)) for cls in (networks.MLPEncoder, networks.MLPDecoder)
    )
    encoder.trainable = False
    model = VAE(encoder, decoder, likelihood="bernoulli_stochastic")
    model.compile(keras.optimizers.Adam(1e-2))
    model.train_on_batch(images)
    model.save(tmp_path / "m.keras")
    copy = load_model(tmp_path / "m.keras")
    assert not copy.encoder.trainable
    for a, b in zip(model.optimizer.variables, copy.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    model.save_to_preset(tmp_path / "preset")
    preset = load_model(tmp_path / "preset")
    assert (preset.encoder.trainable, preset.decoder.trainable) == (False, True)


def test_network_trunk_like_a_frozen_discriminator_is_trained():
    discriminator = networks.ConvDiscriminator((8, 8, 1), (2,), 4)
    discriminator.trainable = False
    assert trunk_like(discriminator).trainable_variables


def test_networks_have_channels_last_whatever_keras_json_says():
    """One process, whose setting changes nothing: equal weights, equal outputs and shapes."""
    make = {
        "MLPEncoder": lambda: networks.MLPEncoder((6, 5, 3), 2, (4,)),
        "ConvEncoder": lambda: networks.ConvEncoder((6, 5, 3), 2, (2, 3), 4),
        "ConvDecoder": lambda: networks.ConvDecoder((6, 5, 3), 2, (3, 2), 4),
        "ConvGenerator": lambda: networks.ConvGenerator((6, 5, 3), 2, (3, 2), 4),
        "ConvDiscriminator": lambda: networks.ConvDiscriminator((6, 5, 3), (2, 3), 4),
        "ConvClassifier": lambda: networks.ConvClassifier((6, 5, 3), 2, (2, 3), 4),
    }
    for name, build in make.items():
        usual = build()
        x = np.random.default_rng(0).uniform(size=(2, *usual.input_shape[1:]))
        keras.config.set_image_data_format("channels_first")
        try:
            other = build()
            other.set_weights(usual.get_weights())
            found = keras.tree.flatten(other(x))
        finally:
            keras.config.set_image_data_format("channels_last")
        for a, b in zip(keras.tree.flatten(usual(x)), found, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
