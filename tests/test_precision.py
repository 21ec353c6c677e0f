"""Plain Keras networks, without heads in float32, under mixed precision."""

import keras
import numpy as np
import pytest

from keras_infomodels import models

BFLOAT, FLOAT = "mixed_bfloat16", "mixed_float16"


@pytest.fixture
def policy(request):
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(earlier)


@pytest.mark.parametrize(
    ("policy", "cls", "likelihood"),
    [
        pytest.param(BFLOAT, models.VAE, "bernoulli_stochastic", marks=pytest.mark.slow),
        pytest.param(FLOAT, models.VAE, "bernoulli_stochastic", marks=pytest.mark.slow),
        pytest.param(BFLOAT, models.MMDVAE, "gaussian", marks=pytest.mark.slow),
        pytest.param(FLOAT, models.MMDVAE, "gaussian", marks=pytest.mark.slow),
        pytest.param(
            BFLOAT, models.AdversarialAutoencoder, "continuous_bernoulli", marks=pytest.mark.slow
        ),
        (FLOAT, models.AdversarialAutoencoder, "continuous_bernoulli"),
    ],
    indirect=["policy"],
)
def test_vae_mmd_vae_and_aae_of_plain_networks_fit_in_mixed_precision(
    policy, images, cls, likelihood
):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image, z = keras.Input((8, 8, 1)), keras.Input((3,))
    h = layers.Dense(16, "relu")(layers.Flatten()(image))
    scale = layers.Dense(3, "softplus")(h)
    encoder = keras.Model(image, {"loc": layers.Dense(3)(h), "scale": scale})
    h = layers.Dense(16, "relu")(z)
    pixels = {
        name: layers.Reshape((8, 8, 1))(layers.Dense(64, activation)(h))
        for name, activation in (("logits", None), ("loc", None), ("scale", "softplus"))
    }
    names = ("loc", "scale") if likelihood == "gaussian" else ("logits",)
    decoder = keras.Model(z, {name: pixels[name] for name in names})
    kwargs = {}
    if cls is models.AdversarialAutoencoder:
        kwargs["discriminator"] = keras.Sequential([z, layers.Dense(8, "relu"), layers.Dense(1)])
    model = cls(encoder, decoder, likelihood=likelihood, **kwargs)
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(images, batch_size=10, epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert model.generate(2, seed=0).dtype == "float32"
