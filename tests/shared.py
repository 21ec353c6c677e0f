"""Fixtures of all tests."""

import keras
import numpy as np
import pytest
import tiny_zoo
from exports import Exports
from pool import Pool

from keras_infomodels import models, networks
from keras_infomodels.distributions import Categorical, CategoricalNormal, Code, Latents, Uniform
from keras_infomodels.optimizers import FusedAdam
from keras_infomodels.zoo import registry

IMAGE_SHAPE = (8, 8, 1)
LATENT_DIM = 3
POOL = Pool()


@pytest.fixture(autouse=True)
def _private_data_directory(tmp_path, monkeypatch):
    """No test reads or writes a person's own data sets and presets, or downloads any."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("KERAS_INFOMODELS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    monkeypatch.delenv("KERAS_INFOMODELS_ZOO_URL", raising=False)


@pytest.fixture
def pool():
    """Models that tests share; what a test takes is its own until it ends."""
    yield POOL
    POOL.release()


@pytest.fixture
def images():
    """40 random grey images."""
    return np.random.default_rng(0).uniform(size=(40, *IMAGE_SHAPE)).astype(np.float32)


@pytest.fixture
def make_model(pool):
    """Makes a tiny compiled model of a class; the same weights each time."""

    def make(cls=models.InfoVAE, parameters=("logits",), learning_rate=1e-2, **kwargs):
        def build():
            shared = {"image_shape": IMAGE_SHAPE, "latent_dim": LATENT_DIM, "widths": (16,)}
            encoder = networks.MLPEncoder(**shared)
            decoder = networks.MLPDecoder(parameters=parameters, **shared)
            model = cls(encoder, decoder, **kwargs)
            model.compile(keras.optimizers.Adam(learning_rate))
            return model

        keras.utils.set_random_seed(0)
        kwargs.setdefault("likelihood", "bernoulli_stochastic")
        return pool.take("model", build, cls, parameters, learning_rate, kwargs)

    return make


@pytest.fixture
def make_categorical(pool):
    """Makes a tiny adversarial autoencoder of 4 categories beside 3 normals; the same each time."""

    def make(likelihood="bernoulli_threshold", min_stddev=0.05, **kwargs):
        def build():
            shared = {"image_shape": IMAGE_SHAPE, "widths": (16,)}
            encoder = networks.MLPEncoder(
                latent_dim=7, num_categories=4, min_stddev=min_stddev, **shared
            )
            decoder = networks.MLPDecoder(latent_dim=7, **shared)
            model = models.AdversarialAutoencoder(
                encoder, decoder, CategoricalNormal(4, 3), likelihood, **kwargs
            )
            model.compile(keras.optimizers.Adam(1e-2))
            return model

        keras.utils.set_random_seed(0)
        return pool.take("categorical", build, likelihood, min_stddev, kwargs)

    return make


@pytest.fixture
def make_gan(pool):
    """Makes a tiny compiled GAN or InfoGAN; the same weights each time."""

    def make(cls=models.InfoGAN, noise_dim=5, codes=None, learning_rate=1e-3, **kwargs):
        def build():
            own = [Code("digit", Categorical(4)), Code("slant", Uniform())]
            own = own if codes is None else codes
            own = [] if cls is models.GAN else own
            generator = networks.ConvGenerator(
                IMAGE_SHAPE, Latents(5, own).dimension, (4, 3), 8, name="generator"
            )
            settings = dict(kwargs)
            discriminator = networks.ConvDiscriminator(
                IMAGE_SHAPE, (3, 4), 8, settings.pop("normalization", "batch"), name="discriminator"
            )
            model = cls(generator, discriminator, noise_dim, own, **settings)
            model.compile(*(FusedAdam(learning_rate) for _ in range(2)))  # traced in less time
            return model

        keras.utils.set_random_seed(0)
        return pool.take("gan", build, cls, noise_dim, codes, learning_rate, kwargs)

    return make


@pytest.fixture
def make_classifier(pool):
    """Makes a tiny compiled classifier of three classes; the same weights each time."""

    def make(learning_rate=1e-2, **kwargs):
        def build():
            network = networks.ConvClassifier(IMAGE_SHAPE, 3, (3, 4), 8, name="network")
            model = models.Classifier(network, **kwargs)
            model.compile(keras.optimizers.Adam(learning_rate))
            return model

        keras.utils.set_random_seed(0)
        return pool.take("classifier", build, learning_rate, kwargs)

    return make


@pytest.fixture(scope="session")
def exports(tmp_path_factory, request):
    """Tiny models and their exports, each made once; pytest-xdist's workers share them."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if hasattr(request.config, "workerinput") else folder
    return Exports(folder / "exports")


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A preset that the registry knows, and that only a server in `tmp_path / "served"` has."""
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "registry.json"
    entry = registry.register(tiny_zoo.write_preset(tmp_path / "served"), path)
    monkeypatch.setattr(registry, "PATH", path)
    tiny_zoo.limit(monkeypatch)
    return entry
