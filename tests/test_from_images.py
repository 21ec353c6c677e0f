"""Default networks by the images' shape, and how prior matching is weighed beside them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import (
    GAN,
    MMDVAE,
    VAE,
    AdversarialAutoencoder,
    Classifier,
    InfoGAN,
    datasets,
    networks,
)
from keras_infomodels.distributions import Categorical, Code, Gaussian, Uniform
from keras_infomodels.training.augmentation import Augmentation
from keras_infomodels.zoo.recipes import Recipe


def blank(*shape):
    return np.zeros((2, *shape), np.float32)


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        pytest.param((32, 32, 3), 0.6e6, marks=pytest.mark.slow),
        ((64, 64, 3), 0.62e6),
        ((45, 61, 3), 0.6e6),
        pytest.param((128, 128, 3), 0.8e6, marks=pytest.mark.slow),
    ],
)
def test_from_images_builds_small_residual_pairs(shape, most):
    """The cap of a pair is 0.6 million at 64x64x3; 32 latent variables add 0.01."""
    model = VAE.from_images(blank(*shape))
    assert model.count_params() < most
    assert isinstance(model.encoder, networks.ResidualEncoder)
    assert isinstance(model.decoder, networks.ResidualDecoder)
    assert repr(model.likelihood) == repr(Gaussian("shared"))
    assert model.call(blank(*shape)).shape == (2, *shape)


@pytest.mark.parametrize(
    "shape", [(64, 64, 3), pytest.param((128, 128, 3), marks=pytest.mark.slow)]
)
def test_from_images_builds_gans_of_one_and_a_half_million(shape):
    model = InfoGAN.from_images(blank(*shape))
    assert model.count_params() < 1.5e6
    assert model.generator.get_config()["upsampling"] == "nearest"
    assert model.r1 == 0.1
    assert not any("norm" in layer.name for layer in model.discriminator.layers)
    assert [code.name for code in model.latents.codes.values()] == ["category", "c1", "c2"]


def test_from_images_builds_narrow_gans_for_small_color_images():
    model = InfoGAN.from_images(blank(32, 32, 3))
    assert model.discriminator.get_config()["filters"] == [24, 48, 96]
    assert model.generator.get_config()["filters"] == [96, 48, 24]
    assert model.count_params() < 1e6


def test_from_images_of_mnist_has_the_networks_of_its_presets():
    recipe = Recipe.of("mmd_vae", dataset="mnist")
    assert recipe.completed((28, 28, 1))["encoder"]["class"] == "MLPEncoder"
    model = MMDVAE.from_images(blank(28, 28, 1))
    assert (model.latent_dim, model.lambda_) == (10, 1000.0)
    assert model.likelihood.binarization == "stochastic"


def test_from_images_takes_settings_objects_and_datasets():
    data = tf.data.Dataset.from_tensor_slices(blank(64, 64, 3)).batch(2)
    model = VAE.from_images(data, latent_dim=5, likelihood=Gaussian(0.2), seed=3)
    assert (model.latent_dim, model.likelihood.sigma, model.seed) == (5, 0.2, 3)
    codes = [Code("kind", Categorical(4)), Code("turn", Uniform(), weight=0.5)]
    gan = InfoGAN.from_images(blank(32, 32, 3), codes=codes, augmentation=Augmentation(cutout=0.0))
    assert gan.latents.codes["turn"].weight == 0.5
    assert gan.latents.dimension == 62 + 4 + 1
    assert gan.generator.get_config()["upsampling"] == "nearest"
    assert gan.augmentation.cutout == 0.0
    assert VAE.from_images(blank(64, 64, 3), network="mlp", widths=[8]).encoder.layers[2].units == 8


def test_from_images_refuses_what_is_no_setting_and_no_image():
    with pytest.raises(ValueError, match="has no setting 'latent_dims'; did you mean"):
        VAE.from_images(blank(64, 64, 3), latent_dims=5)
    with pytest.raises(ValueError, match="an array or a dataset of one size"):
        VAE.from_images(np.zeros((3, 5)))


def test_from_images_of_other_classes():
    assert isinstance(GAN.from_images(blank(32, 32, 3)), GAN)
    assert Classifier.from_images(blank(32, 32, 3)).count_params() < 2e6


@pytest.mark.parametrize(
    ("likelihood", "of_mmd", "of_adversary"),
    [
        ("continuous_bernoulli", 1000 * 12288 / 784, 12288 / 784),
        ("shared_gaussian", 500.0, 4 * 12288 / 784),
        ("discretized_logistic", 500.0, 4 * 12288 / 784),
    ],
)
def test_scaled_weight_is_a_constant_of_shape_and_likelihood(likelihood, of_mmd, of_adversary):
    model = MMDVAE.from_images(blank(64, 64, 3), likelihood=likelihood)
    assert model.lambda_ == pytest.approx(of_mmd)
    again = MMDVAE.from_config(model.get_config())
    assert again.lambda_ == model.lambda_
    aae = AdversarialAutoencoder.from_images(blank(64, 64, 3), likelihood=likelihood)
    assert aae.lambda_ == pytest.approx(of_adversary)


def test_scaled_weight_is_exactly_1000_at_28x28():
    encoder = networks.MLPEncoder((28, 28, 1), 2, widths=(4,))
    decoder = networks.MLPDecoder((28, 28, 1), 2, widths=(4,))
    assert MMDVAE(encoder, decoder, lambda_="auto").lambda_ == 1000.0
    assert AdversarialAutoencoder(encoder, decoder, lambda_="auto").lambda_ == 1.0


def test_residual_block_is_the_identity_at_first():
    """What each block adds is zero, so that only the strided convolutions act."""
    encoder = networks.ResidualEncoder((32, 32, 3), 4, filters=(3, 5, 4))
    x = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)
    at = {layer.name: layer.output for layer in encoder.layers}
    probe = keras.Model(encoder.input, [at["convolution_1"], at["block_1_activation_2"]])
    before, after = probe(x)
    np.testing.assert_allclose(after, keras.activations.gelu(before), atol=1e-6)
    encoder.get_layer("block_1_1").kernel.assign_add(tf.ones((3, 3, 5, 5)))
    assert np.abs(probe(x)[1] - keras.activations.gelu(before)).max() > 1e-3


def test_conv_generator_refuses_an_upsampling_it_does_not_know():
    with pytest.raises(ValueError, match='"transposed", "nearest" or "bilinear"'):
        networks.ConvGenerator((8, 8, 1), 4, (4,), 8, upsampling="bicubic")


def colored_squares(count=256):
    """A square of one color on another, at one of four places."""
    random = np.random.default_rng(0)
    images = np.broadcast_to(random.random((count, 1, 1, 3)), (count, 16, 16, 3)).copy()
    for image, place in zip(images, random.integers(4, size=count), strict=True):
        row, column = 8 * (place // 2), 8 * (place % 2)
        image[row : row + 8, column : column + 8] = random.random(3)
    return np.round(255 * images).astype(np.uint8)


@pytest.mark.parametrize(
    "likelihood", ["shared_gaussian", pytest.param("discretized_logistic", marks=pytest.mark.slow)]
)
def test_from_images_reconstructs_colors_and_not_their_mean(likelihood):
    """The collapse to one grey image: each reconstruction errs as the mean image does."""
    keras.utils.set_random_seed(0)
    images = colored_squares()
    x = (images / 255).astype(np.float32)
    model = VAE.from_images(x, latent_dim=8, likelihood=likelihood)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(datasets.from_arrays(images, batch_size=64), epochs=25, verbose=0)
    found = model.predict(x, verbose=0)
    mean_error = np.sqrt(np.mean((x - x.mean(axis=0)) ** 2))
    assert np.sqrt(np.mean((found - x) ** 2)) < 0.7 * mean_error
    assert model.evaluate(x, verbose=0, return_dict=True)["rate"] > 3
