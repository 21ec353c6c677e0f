"""A normal prior fitted to the latent variables of images, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp

import keras_infomodels as ki
from keras_infomodels import datasets, models
from keras_infomodels.distributions import MultivariateNormal, StandardNormal

tfd = tfp.distributions

LOC, SCALE = [0.5, -1.0], [[2.0, 0.0], [0.6, 0.3]]


def spread(images, cls=models.VAE, deterministic=False, **settings):
    """A model whose 2 latent variables are far from N(0, I), with scales that depend on x."""
    keras.utils.set_random_seed(0)
    x = keras.Input(images.shape[1:])
    h = keras.layers.Flatten()(x)
    loc = keras.layers.Dense(2, kernel_initializer="random_normal", bias_initializer="ones")(h)
    loc = keras.layers.Rescaling(2.0)(loc)
    outputs = {"loc": loc}
    if not deterministic:
        outputs["scale"] = keras.layers.Rescaling(0.5, 0.1)(keras.layers.Dense(2, "sigmoid")(h))
    decoder = ki.networks.MLPDecoder(images.shape[1:], 2, (16,))
    settings = {"likelihood": "continuous_bernoulli", **settings}
    return cls(keras.Model(x, outputs), decoder, **settings)


def moments(model, images):
    """Mean and covariance of q(z) as those of a mixture, written out."""
    q = model.encode(images)
    loc, stddev = q.mean().numpy().astype(np.float64), q.stddev().numpy()
    mean = loc.mean(axis=0)
    within = np.diag((stddev**2).mean(axis=0))
    return mean, within + (loc - mean).T @ (loc - mean) / len(loc)


def test_multivariate_normal_is_tfps_and_survives_its_config():
    prior = MultivariateNormal(LOC, SCALE)
    p = prior.distribution()
    np.testing.assert_allclose(p.mean(), LOC)
    np.testing.assert_allclose(p.covariance(), [[4.0, 1.2], [1.2, 0.45]], rtol=1e-6)
    again = MultivariateNormal.from_config(prior.get_config())
    assert again.scale_tril.tobytes() == prior.scale_tril.tobytes()
    assert prior.get_config()["loc"] == LOC


@pytest.mark.parametrize(
    ("loc", "scale", "message"),
    [
        ([0.0], SCALE, "shape"),
        (LOC, [[1.0, 0.1], [0.0, 1.0]], "lower triangular"),
        (LOC, [[1.0, 0.0], [0.0, -1.0]], "positive diagonal"),
        ([np.nan, 0.0], SCALE, "finite"),
        ([1e39, 0.0], SCALE, "finite"),
        (["a", "b"], SCALE, "loc is an array of numbers"),
        ([10**400, 0], SCALE, "loc is an array of numbers"),
        (LOC, {"a": 1}, "scale_tril is an array of numbers"),
        (LOC, [[1.0], [0.5, 1.0]], "scale_tril is an array of numbers"),
        (np.zeros(257), np.eye(257), "At most 256 latent variables"),
    ],
)
def test_multivariate_normal_refuses_what_is_no_factor(loc, scale, message):
    with pytest.raises(ValueError, match=message):
        MultivariateNormal(loc, scale)


def test_fit_prior_takes_the_moments_of_the_aggregated_posterior(images):
    model = spread(images)
    prior = model.fit_prior(images, batch_size=7)
    assert model.prior is prior
    mean, covariance = moments(model, images)
    np.testing.assert_allclose(prior.loc, mean, rtol=1e-5)
    np.testing.assert_allclose(prior.distribution().covariance(), covariance, rtol=1e-4)


def test_fit_prior_lowers_the_rate_by_the_divergence_of_the_priors(images):
    model = spread(images)
    model.compile()
    before = model.evaluate(images, return_dict=True, verbose=0)
    prior = model.fit_prior(images).distribution()
    after = model.evaluate(images, return_dict=True, verbose=0)
    gain = tfd.kl_divergence(prior, StandardNormal(2).distribution())
    assert gain > 1
    assert before["rate"] - after["rate"] == pytest.approx(float(gain), rel=1e-4)
    assert after["mutual_information"] == pytest.approx(before["mutual_information"])


def test_fit_prior_changes_draws_and_training_goes_on_with_it(images):
    model = spread(images)
    model.compile()
    model.fit(images, verbose=0)
    before = model.generate(4, seed=0)
    prior = model.fit_prior(images)
    z = prior.distribution().sample(4, seed=model.drawing_seed(0))
    np.testing.assert_allclose(model.generate(4, seed=0), model.mean_image(z), atol=1e-5)
    assert np.abs(model.generate(4, seed=0) - before).max() > 1e-3
    rate = model.fit(images, batch_size=len(images), verbose=0).history["rate"][0]
    q = model.encode(images)
    assert rate == pytest.approx(
        float(np.mean(tfd.kl_divergence(q, prior.distribution()))), rel=0.05
    )


def test_fit_prior_of_a_deterministic_encoder_and_of_a_dataset(images):
    model = spread(images, models.MMDVAE, deterministic=True)
    mean, covariance = moments(model, images[:12])
    data = datasets.from_arrays(images, batch_size=8, seed=3)
    rows = np.concatenate(list(data))
    prior = model.fit_prior(images, limit=12)
    np.testing.assert_allclose(prior.loc, mean, rtol=1e-5)
    np.testing.assert_allclose(prior.distribution().covariance(), covariance, rtol=1e-3)
    np.testing.assert_allclose(model.fit_prior(data).loc, moments(model, rows)[0], rtol=1e-5)


def test_fit_prior_is_saved_and_exported(images, tmp_path):
    model = spread(images, likelihood="bernoulli_stochastic")
    prior = model.fit_prior(images)
    model.save_to_preset(tmp_path / "preset")
    again = ki.load_model(tmp_path / "preset")
    assert again.prior.scale_tril.tobytes() == prior.scale_tril.tobytes()
    noise = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    z = prior.loc + noise @ prior.scale_tril.T
    ki.export.to_tflite(model, tmp_path / "model.tflite")
    ki.export.to_saved_model(model, tmp_path / "saved")
    q = model.encode(images)
    rate = tfd.kl_divergence(q, prior.distribution())
    for path in ("model.tflite", "saved"):
        runtime = ki.export.Runtime(tmp_path / path)
        drawn = runtime.run("generate", noise=noise)["image"]
        np.testing.assert_allclose(drawn, model.mean_image(z), atol=1e-5)
        scores = runtime.run("score", image=images, noise=np.zeros((len(images), 2), np.float32))
        np.testing.assert_allclose(scores["rate"], rate, rtol=1e-3)


def test_fit_prior_refuses_models_that_need_their_prior(images):
    with pytest.raises(ValueError, match="This DIPVAE keeps its prior"):
        spread(images, models.DIPVAE).fit_prior(images)
    ring = ki.distributions.GaussianMixture.ring()
    with pytest.raises(ValueError, match="prior GaussianMixture keeps it"):
        spread(images, models.MMDVAE, prior=ring).fit_prior(images)
    with pytest.raises(ValueError, match="Scale the images first"):
        spread(images).fit_prior(2 * images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is an integer of at least 1"),
        ({"limit": 1.5}, "limit is an integer of at least 1"),
        ({"batch_size": -1}, "batch_size is an integer of at least 1"),
    ],
)
def test_fit_prior_refuses_no_images(images, arguments, message):
    model = spread(images)
    with pytest.raises(ValueError, match=message):
        model.fit_prior(images, **arguments)
    assert isinstance(model.prior, StandardNormal)


def test_fit_prior_refuses_an_encoder_of_nan(images):
    model = spread(images)
    model.encoder.set_weights([np.nan * w for w in model.encoder.get_weights()])
    with pytest.raises(ValueError, match="The encoder returns NaN"):
        model.fit_prior(images)


def test_fit_prior_refuses_more_latent_variables_than_can_be_saved():
    networks = (f((4, 4, 1), 257, (8,)) for f in (ki.networks.MLPEncoder, ki.networks.MLPDecoder))
    with pytest.raises(ValueError, match="at most 256 latent variables, and this VAE has 257"):
        models.VAE(*networks).fit_prior(np.zeros((8, 4, 4, 1), np.float32))


@pytest.mark.parametrize("copies", [1, 3])
def test_fit_prior_takes_fewer_images_than_latent_variables(images, copies):
    model = spread(images, models.MMDVAE, deterministic=True)
    prior = model.fit_prior(np.repeat(images[:1], copies, axis=0))
    np.testing.assert_allclose(prior.loc, model.encode(images[:1]).mean()[0], rtol=1e-5)
    assert prior.scale_tril.diagonal().min() > 0


def test_traversals_cover_the_fitted_prior(images):
    model = spread(images)
    prior = model.fit_prior(images)
    before = model.encode(images[:1]).mean().numpy()[0]
    grid = model.picture("traversals", images[0], 5, None)
    ends = np.linspace(-2.5, 2.5, 5)[:, None] * prior.distribution().stddev().numpy() + prior.loc
    z = np.stack([[[end, before[1]] for end in ends[:, 0]], [[before[0], e] for e in ends[:, 1]]])
    np.testing.assert_allclose(grid.images, model.mean_image(z.reshape(-1, 2)), atol=1e-5)
    assert "within 2.5 standard deviations of the prior" in grid.title


def test_exported_files_state_the_fitted_prior(images, tmp_path):
    model = spread(images)
    ki.export.to_tflite(model, tmp_path / "before.tflite")
    prior = model.fit_prior(images)
    model.prior = prior = MultivariateNormal(prior.loc / 1e5, prior.scale_tril / 1e5)
    ki.export.to_tflite(model, tmp_path / "after.tflite")
    documents = [
        ki.export.Runtime(tmp_path / f"{name}.tflite").metadata for name in ("before", "after")
    ]
    assert "prior" not in documents[0]
    np.testing.assert_allclose(documents[1]["prior"]["loc"], prior.loc, rtol=1e-5)
    np.testing.assert_allclose(documents[1]["prior"]["scale_tril"], prior.scale_tril, rtol=1e-5)


def test_a_prior_of_256_latent_variables_is_saved_in_every_format(tmp_path):
    x, z = keras.Input((4, 4, 1)), keras.Input((256,))
    loc = keras.layers.Dense(256)(keras.layers.Flatten()(x))
    encoder = keras.Model(x, {"loc": loc})  # few arrays of weights, for which few calls are allowed
    y = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(z))
    likelihood = ki.distributions.Gaussian(0.1)
    model = models.MMDVAE(encoder, keras.Model(z, {"loc": y}), likelihood=likelihood)
    prior = model.fit_prior(np.random.default_rng(0).random((100, 4, 4, 1), np.float32))
    # Numbers with many digits.
    model.prior = prior = MultivariateNormal(prior.loc / 7e5, prior.scale_tril / 7e5)
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    ki.export.to_tflite(model, tmp_path / "model.tflite")
    assert len(ki.export.Runtime(tmp_path / "model.tflite").metadata["prior"]["loc"]) == 256
    for name in ("preset", "model.keras"):
        again = ki.load_model(tmp_path / name)
        assert again.prior.scale_tril.tobytes() == prior.scale_tril.tobytes()
