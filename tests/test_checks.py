"""What InfoVAE and its points refuse, and with which words."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.models import MMDVAE, VAE, InfoVAE
from keras_infomodels.networks import MLPDecoder, MLPEncoder
from keras_infomodels.training.checks import check_data

tfd = tfp.distributions


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"lambda_": 0.0}, "above 0"),
        ({"alpha": 0.0, "lambda_": 0.5}, "at least 1"),
        ({"alpha": -3.0, "lambda_": 3.9}, "at least 4"),
        ({"alpha": float("nan")}, "finite"),
        ({"likelihood": "gaussian"}, "parameters="),
        ({"prior": tfd.Normal(0.0, 1.0)}, "event shape"),
        ({"prior": "standard_normal"}, r"StandardNormal\(3\)"),
        ({"divergence": "hellinger"}, "mmd"),
    ],
)
def test_infovae_refuses_settings_that_make_no_sense(make_model, arguments, what):
    with pytest.raises(ValueError, match=what):
        make_model(InfoVAE, **arguments)


@pytest.mark.parametrize(("alpha", "lambda_"), [(-0.13, 1.13), (-7.97, 8.97)])
def test_infovae_divergence_weight_of_rounding_is_zero(make_model, alpha, lambda_):
    model = make_model(InfoVAE, alpha=alpha, lambda_=lambda_)
    assert model.divergence_weight == 0
    assert model.divergence is None
    for more in (1e-9, 1e-13):
        assert make_model(InfoVAE, alpha=alpha, lambda_=lambda_ + more).divergence is not None


def test_infovae_warns_about_rewarded_information(make_model):
    with pytest.warns(UserWarning, match="min_stddev"):
        make_model(InfoVAE, alpha=2.0)


def test_vae_refuses_networks_that_do_not_fit():
    with pytest.raises(ValueError, match="same latent_dim"):
        VAE(MLPEncoder(latent_dim=3), MLPDecoder(latent_dim=4))
    with pytest.raises(ValueError, match="same image_shape"):
        VAE(MLPEncoder(), MLPDecoder(image_shape=(32, 32, 1)))
    with pytest.raises(ValueError, match="returns no dict"):
        VAE(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), MLPDecoder())
    with pytest.raises(ValueError, match="has no known input shape"):
        VAE(keras.Sequential([keras.layers.Dense(2)]), MLPDecoder())


def test_fit_evaluate_and_encode_refuse_wrong_data_at_once(make_model, images):
    model = make_model(VAE, likelihood="bernoulli")
    with pytest.raises(ValueError, match="bernoulli_stochastic"):
        model.fit(images, verbose=0)
    with pytest.raises(ValueError, match="x / 255"):
        model.fit(255 * images, verbose=0)
    with pytest.raises(ValueError, match=r"x\[\.\.\., None\]"):
        model.evaluate(images[..., 0], verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(4)
    with pytest.raises(ValueError, match="bernoulli_stochastic"):
        model.fit(np.round(images), validation_data=dataset, verbose=0)
    with pytest.raises(ValueError, match=r"\(batch, 8, 8, 1\)"):
        model.encode(images[..., 0])
    assert int(model.optimizer.iterations) == 0


def test_compile_refuses_a_loss(make_model):
    with pytest.raises(ValueError, match="own loss"):
        make_model().compile("adam", loss="mse")


def test_fit_refuses_sample_weight(make_model, images):
    with pytest.raises(ValueError, match="sample_weight"):
        make_model().fit(images, np.zeros(40), sample_weight=np.ones(40), verbose=0)


def test_fit_predict_and_encode_refuse_byte_images(make_model, images):
    model = make_model(VAE)
    grey = make_model(VAE, parameters=("loc", "scale"), likelihood="gaussian")
    pixels = (255 * images).astype(np.uint8)
    before = grey.get_weights()
    for each in (model, grey):
        uses = [each, each.encode, each.reconstruct, each.mutual_information]
        uses += [each.fit, each.evaluate, each.predict]
        uses += [each.train_on_batch, each.test_on_batch, each.predict_on_batch]
        uses += [lambda x, model=each: model.interpolate(x[0], x[1], 3)]
        for use in uses:
            with pytest.raises(ValueError, match="x / 255"):
                use(pixels)
    for a, b in zip(before, grey.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
def test_a_model_that_is_not_compiled_predicts(method, images):
    encoder = MLPEncoder((8, 8, 1), 3, (16,))
    decoder = MLPDecoder((8, 8, 1), 3, (16,))
    model = VAE(encoder, decoder, likelihood="continuous_bernoulli")
    found = getattr(model, method)(images)
    np.testing.assert_allclose(found, model.reconstruct(images), atol=1e-6)
    with pytest.raises(ValueError, match="x / 255"):
        getattr(model, method)(255 * images)


def test_classifier_and_gan_refuse_bytes_and_wrong_latents(make_classifier, make_gan, images):
    classifier, gan, labels = make_classifier(), make_gan(), np.arange(40) % 3
    uses = [classifier, classifier.features]
    uses += [classifier.predict, classifier.predict_on_batch]
    uses += [lambda x: classifier.train_on_batch(x, labels)]
    uses += [lambda x: classifier.test_on_batch(x, labels)]
    uses += [gan.fit, gan.train_on_batch, gan.test_on_batch]
    for use in uses:
        with pytest.raises(ValueError, match="x / 255"):
            use(255 * images)
    latents = gan.latents.join(gan.latents.sample(8, [0, 1])).numpy()
    for predict in (gan.predict, gan.predict_on_batch):
        assert predict(latents).shape == (8, 8, 8, 1)
        with pytest.raises(ValueError, match=r"latents of shape \(batch, 10\)"):
            predict(latents[:, 1:])
        with pytest.raises(ValueError, match="NaN"):
            predict(np.nan * latents)


def test_predict_reads_a_dataset_once(make_model, images):
    """A second look would lose a batch of data that cannot be read again, or shuffle anew."""
    model, reads = make_model(VAE), []

    def read():
        reads.append(len(reads))
        yield from images

    dataset = tf.data.Dataset.from_generator(
        read, output_signature=tf.TensorSpec((8, 8, 1), tf.float32)
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(40)).batch(10)
    np.testing.assert_allclose(model.predict(dataset, verbose=0), model(images), atol=1e-6)
    assert reads == [0]
    assert model.predict_on_batch(images[:0]).shape == (0, 8, 8, 1)


def test_vae_call_in_a_graph_takes_images_of_unknown_size(make_model, images):
    model = make_model(VAE)
    unknown = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 1))])
    np.testing.assert_allclose(unknown(images), model(images), atol=1e-6)
    with pytest.raises(ValueError, match=r"\(batch, 8, 8, 1\)"):
        tf.function(model)(images[:, :5])


def test_predict_and_reconstruct_take_binary_bytes(make_model, images):
    model = make_model(VAE, likelihood="bernoulli_threshold")
    binary = (images > 0.5).astype(np.uint8)
    expected = model(binary.astype(np.float32))
    for use in (model, model.reconstruct, model.predict, model.predict_on_batch):
        np.testing.assert_allclose(use(binary), expected, atol=1e-6)


def test_fit_and_mutual_information_refuse_data_without_images(make_model, images):
    model = make_model(VAE)
    dicts = tf.data.Dataset.from_tensor_slices({"image": images}).batch(4)
    with pytest.raises(ValueError, match="map it to images"):
        model.fit(dicts, verbose=0)
    for several in ({"x": images}, [images], (images, images)):
        with pytest.raises(ValueError, match=r"an array.*fit\(x, y\)"):
            model.fit(several, verbose=0)
    with pytest.raises(ValueError, match="got generator"):
        model.mutual_information(batch for batch in images)
    with pytest.raises(ValueError, match="data are empty"):
        model.mutual_information(images[:0])


def test_mmd_vae_refuses_priors_keras_would_not_train(make_model):
    def normal(loc):
        return tfd.MultivariateNormalDiag(loc, tf.ones_like(loc))

    for prior, what in (
        (normal(tf.Variable(tf.zeros(3))), "holds variables"),
        (normal(tf.zeros((5, 3))), "batch shape"),
        (normal(tf.zeros(3, tf.float64)), "float64"),
    ):
        with pytest.raises(ValueError, match=what):
            make_model(MMDVAE, prior=prior)


def test_compile_refuses_what_it_would_not_honor(make_model):
    with pytest.raises(ValueError, match="without metrics"):
        make_model().compile("adam", metrics=["mse"])
    with pytest.raises(ValueError, match="Gradient accumulation"):
        make_model().compile(keras.optimizers.Adam(gradient_accumulation_steps=4))


def test_vae_refuses_a_float64_encoder():
    x, z = keras.Input((4,)), keras.Input((2,))
    loc = keras.layers.Dense(2, dtype="float64")(x)
    decoder = keras.Model(z, {"logits": keras.layers.Dense(4)(z)})
    narrow = keras.layers.Dense(2, "softplus")(x)
    VAE(keras.Model(x, {"loc": narrow, "scale": narrow, "more": loc}), decoder)
    with pytest.raises(ValueError, match="float64"):
        VAE(keras.Model(x, {"loc": loc, "scale": keras.ops.softplus(loc)}), decoder)


def test_fit_refuses_a_negative_scale(images):
    x, z = keras.Input((8, 8, 1)), keras.Input((2,))
    flat = keras.layers.Flatten()(x)
    scale = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(-9.0))(flat)
    encoder = keras.Model(x, {"loc": keras.layers.Dense(2)(flat), "scale": scale})
    decoder = keras.Model(z, {"logits": keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(z))})
    model = VAE(encoder, decoder, likelihood="continuous_bernoulli")
    model.compile("adam")
    with pytest.raises(ValueError, match="softplus"):
        model.fit(images, verbose=0)


def test_check_data_warns_of_batches_without_pairs(make_model, images):
    """Their MMD is 0, so that fit would train an autoencoder without a prior."""
    model, single = make_model(MMDVAE), tf.data.Dataset.from_tensor_slices(images).batch(1)
    for data, size in ((images, 1), (single, None)):
        with pytest.warns(UserWarning, match=r"batch size is 1, .* at least 2 examples"):
            check_data(model, data, None, size, None)
    check_data(model, images, None, None, (images[:1],))
    check_data(make_model(VAE), images, None, 1, None)
