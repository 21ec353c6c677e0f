import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import datasets, divergences
from keras_infomodels.distributions import Gaussian, GaussianMixture, SwissRoll
from keras_infomodels.models import MMDVAE, VAE, AdversarialAutoencoder, BetaVAE, InfoVAE
from keras_infomodels.networks import MLPDecoder, MLPDiscriminator, MLPEncoder

tfd = tfp.distributions


def steps(make_model, images, cls, **kwargs):
    keras.utils.set_random_seed(1)
    discriminator = MLPDiscriminator(3, widths=(8,))
    if kwargs.get("discriminator"):
        kwargs["discriminator"] = discriminator
    if kwargs.get("divergence"):
        kwargs["divergence"] = divergences.Adversarial(discriminator, kwargs["divergence"])
    model = make_model(cls, **kwargs)
    model.run_eagerly = True
    model.train_function = None  # an earlier test may have traced a graph, which rounds otherwise
    logs = [model.train_on_batch(images[i : i + 10], return_dict=True) for i in (0, 10, 20)]
    return logs, model.get_weights()


@pytest.mark.parametrize(
    ("point", "general"),
    [
        ((VAE, {}), (InfoVAE, {"alpha": 0.0, "lambda_": 1.0})),
        ((MMDVAE, {"lambda_": 30.0}), (InfoVAE, {"alpha": 1.0, "lambda_": 30.0})),
        ((BetaVAE, {"beta": 4.0}), (InfoVAE, {"alpha": -3.0, "lambda_": 4.0})),
        pytest.param((BetaVAE, {"beta": 1.0}), (VAE, {}), marks=pytest.mark.slow),
        *(
            pytest.param(
                (AdversarialAutoencoder, {"discriminator": "make", "loss": loss}),
                (InfoVAE, {"alpha": 1.0, "divergence": loss}),
                marks=[] if loss == "log_ratio" else pytest.mark.slow,
            )
            for loss in ("saturating", "non_saturating", "log_ratio")
        ),
    ],
)
def test_vae_beta_vae_mmd_vae_and_aae_are_infovae_bit_for_bit(make_model, images, point, general):
    logs_a, weights_a = steps(make_model, images, point[0], **point[1])
    logs_b, weights_b = steps(make_model, images, general[0], **general[1])
    assert logs_a == logs_b
    for a, b in zip(weights_a, weights_b, strict=True):
        np.testing.assert_array_equal(a, b)


def test_infovae_alpha_of_one_takes_the_rate_out_of_the_gradient(make_model, images):
    model = make_model(InfoVAE, alpha=1.0, lambda_=1e-9)
    x, seed = tf.constant(images), tf.constant([1, 2])
    with tf.GradientTape(persistent=True) as tape:
        terms = model.terms(x, None, seed, training=True)
    of_loss = tape.gradient(terms["loss"], model.trainable_variables)
    of_reconstruction = tape.gradient(terms["reconstruction"], model.trainable_variables)
    for a, b in zip(of_loss, of_reconstruction, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any(np.abs(g).max() > 1e-3 for g in of_loss)


def test_beta_vae_warmup_counts_in_training_alone(make_model, images):
    plain = make_model(BetaVAE, beta=4.0, likelihood="bernoulli_threshold")
    warm = make_model(BetaVAE, beta=4.0, warmup=4, likelihood="bernoulli_threshold")
    warm.run_eagerly = True
    assert warm.evaluate(images, verbose=0) == plain.evaluate(images, verbose=0)
    for step in range(6):
        logs = warm.train_on_batch(images, return_dict=True)
        warm.reset_metrics()
        weight = 4.0 * min(step / 4, 1)
        assert logs["loss"] == pytest.approx(logs["reconstruction"] + weight * logs["rate"])


def test_aae_optimizers_move_their_own_networks(make_model, images):
    model = make_model(AdversarialAutoencoder)
    groups = {
        "autoencoder": [*model.encoder.weights, *model.decoder.weights],
        "discriminator": model.discriminator.weights,
    }
    for frozen, moving in (
        ("optimizer", "discriminator"),
        ("discriminator_optimizer", "autoencoder"),
    ):
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        getattr(model, frozen).learning_rate = 0.0
        before = {name: [w.numpy().copy() for w in ws] for name, ws in groups.items()}
        model.train_on_batch(images)
        for name, weights in groups.items():
            moved = [not np.array_equal(w, b) for w, b in zip(weights, before[name], strict=True)]
            assert all(moved) if name == moving else not any(moved)


def test_aae_train_on_batch_ledger_is_its_losses(make_model, images):
    model = make_model(AdversarialAutoencoder, lambda_=3.0)
    logs = model.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["reconstruction"] + 3 * logs["divergence"], rel=1e-5)
    assert 0.5 < logs["discriminator_loss"] < 3
    with pytest.raises(ValueError, match="no discriminator"):
        make_model(VAE).compile("adam", discriminator_optimizer="adam")


def deterministic(make_model, cls, likelihood="bernoulli_threshold", **kwargs):
    model = make_model(cls, **kwargs)
    keras.utils.set_random_seed(0)
    encoder = MLPEncoder(image_shape=(8, 8, 1), latent_dim=3, widths=(16,), min_stddev=None)
    return cls(encoder, model.decoder, likelihood=likelihood, **kwargs)


def test_aae_and_mmd_vae_with_a_deterministic_encoder_have_no_rate(make_model, images, caplog):
    for cls in (AdversarialAutoencoder, MMDVAE):
        model = deterministic(make_model, cls)
        assert model.deterministic
        model.compile("adam", run_eagerly=True)
        logs = model.fit(images, validation_data=images, verbose=0).history
        assert "rate" not in logs
        assert np.isfinite([v for values in logs.values() for v in values]).all()
        information = model.mutual_information(images)
        assert (information.nats, information.kind) == (pytest.approx(np.log(40)), "exact")
        assert "infinite for a continuous x" in information.note
        model.evaluate(images)
        assert "the true value is infinite for a continuous x" in caplog.text
        caplog.clear()
        np.testing.assert_array_equal(
            model.reconstruct(images, sample=True), model.reconstruct(images)
        )
        assert not make_model(cls).deterministic
    with pytest.raises(ValueError, match="alpha=1"):
        deterministic(make_model, VAE)
    with pytest.raises(ValueError, match="needs the density"):
        deterministic(make_model, MMDVAE, divergence="marginal_kl")


def test_mmd_vae_mutual_information_of_drawn_copies_is_not_exact(make_model, images):
    copies = np.tile(images[:1], (40, 1, 1, 1))
    threshold = deterministic(make_model, MMDVAE).mutual_information(copies)
    assert (threshold.nats, threshold.kind) == (0, "exact")
    model = deterministic(make_model, MMDVAE, "bernoulli_stochastic")
    drawn = model.mutual_information(copies)
    assert (drawn.nats, drawn.kind) == (pytest.approx(np.log(40)), "lower bound")
    assert "infinite for a continuous x" in drawn.note
    assert "random binarization" in drawn.note


@pytest.mark.parametrize(
    ("prior", "cls"),
    [
        pytest.param(GaussianMixture.ring(), VAE, id="mixture-VAE"),
        pytest.param(SwissRoll(), AdversarialAutoencoder, id="roll-AAE"),
        pytest.param(SwissRoll(), VAE, id="roll-VAE", marks=pytest.mark.slow),
        pytest.param(
            GaussianMixture.ring(), AdversarialAutoencoder, id="mixture-AAE", marks=pytest.mark.slow
        ),
    ],
)
def test_gaussian_mixture_and_swiss_roll_train_and_generate(prior, cls, images, tmp_path):
    networks = {"image_shape": (8, 8, 1), "latent_dim": 2, "widths": (8,)}
    model = cls(
        MLPEncoder(**networks),
        MLPDecoder(**networks),
        prior=prior,
        likelihood="bernoulli_stochastic",
    )
    model.compile("adam", run_eagerly=True)
    logs = model.fit(images, verbose=0).history
    assert np.isfinite([v for values in logs.values() for v in values]).all()
    model.save_to_preset(tmp_path / "preset")
    copy = cls.from_preset(tmp_path / "preset")
    # The model runs eagerly and the copy in a graph.
    np.testing.assert_allclose(copy.generate(3, seed=1), model.generate(3, seed=1), atol=1e-6)
    names = [each.name for each in model.export_signatures()["generate"].inputs]
    assert names == ["component", "noise"]


def test_gaussian_mixture_and_swiss_roll_have_the_shapes_they_say():
    ring = GaussianMixture.ring(components=4, radius=2.0, stddev=0.1)
    z = ring.distribution().sample(4000, seed=[1, 2]).numpy()
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 2.0, atol=0.5)
    nearest = np.argmin(((z[:, None] - ring.means) ** 2).sum(-1), axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / 4000, 0.25, atol=0.03)
    roll = SwissRoll(radius=4.0, stddev=0.01).distribution().sample(2000, seed=[1, 2]).numpy()
    # r = t and the angle is t: along the spiral the angle follows from the radius.
    t = np.linalg.norm(roll, axis=1) / 4.0 * 4.5 * np.pi
    angle = np.arctan2(roll[:, 1], roll[:, 0])
    assert np.abs(np.angle(np.exp(1j * (angle - t)))).max() < 0.2


def test_infovae_divergence_of_weight_zero_is_absent(make_model, images):
    logs = make_model(VAE).evaluate(images, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "reconstruction", "rate", "mutual_information"}
    assert make_model(InfoVAE, lambda_=2.0).divergence.kernel == "inverse_multiquadric"


@pytest.mark.slow
def test_vae_fit_lowers_the_loss_and_raises_mutual_information(make_model, images):
    model = make_model(VAE, likelihood="bernoulli_threshold", seed=1)
    before = model.evaluate(images, verbose=0, return_dict=True)
    model.fit(images, batch_size=40, epochs=150, verbose=0)
    after = model.evaluate(images, verbose=0, return_dict=True)
    assert after["loss"] < before["loss"] - 2
    assert after["mutual_information"] > before["mutual_information"] + 1


def test_vae_fit_counts_regularizers_of_the_networks(images):
    x, z = keras.Input((8, 8, 1)), keras.Input((2,))
    flat = keras.layers.Flatten()(x)
    loc = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1e6))(flat)
    scale = keras.layers.Dense(2, "softplus")(flat)
    image = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(z))
    encoder = keras.Model(x, {"loc": loc, "scale": scale})
    model = VAE(encoder, keras.Model(z, {"logits": image}), likelihood="continuous_bernoulli")
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(images, batch_size=20, epochs=40, verbose=0)
    assert np.abs(model.encode(images).mean()).max() < 0.1


def test_generate_repeats_with_a_seed_and_not_without(make_model):
    model = make_model()
    np.testing.assert_array_equal(model.generate(3, seed=4), model.generate(3, seed=4))
    assert not np.array_equal(model.generate(3), model.generate(3))
    with pytest.raises(ValueError, match="n is an integer of at least 1, got 0"):
        model.generate(0)
    assert not np.array_equal(model.generate(3, seed=4), model.generate(3, seed=5))


def test_reconstruct_passes_the_posteriors_mean_or_a_sample(make_model, images):
    model = make_model()
    posterior = model.encode(images)
    np.testing.assert_allclose(
        model.reconstruct(images), model.decode(posterior.mean()).mean(), atol=1e-6
    )
    # A graph may fuse what an eager call does not, to other last bits.
    np.testing.assert_allclose(model(images), model.reconstruct(images), atol=1e-6)
    np.testing.assert_allclose(model.predict(images, verbose=0), model(images), atol=1e-6)
    sampled = model.reconstruct(images, sample=True, seed=1)
    assert not np.allclose(sampled, model.reconstruct(images), atol=1e-3)
    np.testing.assert_array_equal(sampled, model.reconstruct(images, sample=True, seed=1))


def test_interpolate_ends_at_the_reconstructions(make_model, images):
    model = make_model()
    line = model.interpolate(images[0], images[1], steps=5)
    assert line.shape == (5, 8, 8, 1)
    np.testing.assert_allclose(line[0], model.reconstruct(images[:1])[0], atol=1e-5)
    np.testing.assert_allclose(line[-1], model.reconstruct(images[1:2])[0], atol=1e-5)
    with pytest.raises(ValueError, match="at least 2"):
        model.interpolate(images[0], images[1], steps=1)


def test_encode_binarizes_first_with_bernoulli_threshold(make_model, images):
    model = make_model(likelihood="bernoulli_threshold")
    binary = (images >= 0.5).astype(np.float32)
    np.testing.assert_array_equal(model.encode(images).mean(), model.encode(binary).mean())


def test_vae_fit_and_evaluate_say_the_ceiling_once(make_model, images, caplog):
    caplog.set_level("INFO", "keras_infomodels")
    model = make_model(VAE)
    model.fit(images, validation_data=images, epochs=2, verbose=2)
    assert caplog.text.count("ln N = 3.689") == 1
    caplog.clear()
    sharp = make_model(VAE)
    kernel, bias = sharp.encoder.get_layer("raw_scale").get_weights()
    sharp.encoder.get_layer("raw_scale").set_weights([0 * kernel, bias - 20])
    sharp.evaluate(images)
    sharp.evaluate(images)
    assert caplog.text.count("at its ceiling") == 1
    caplog.clear()
    make_model(VAE).evaluate(images, verbose=0)
    make_model(VAE).fit(images, validation_data=images, verbose=0)
    assert "ceiling" not in caplog.text


def test_fit_logs_mutual_information_of_validation_alone(make_model, images):
    history = make_model().fit(images, validation_split=0.25, verbose=0).history
    assert "val_mutual_information" in history
    assert "mutual_information" not in history


def test_evaluate_does_not_depend_on_the_training_position(make_model, images):
    model = make_model()
    first = model.evaluate(images, verbose=0, return_dict=True)
    assert model.evaluate(images, verbose=0, return_dict=True) == first
    values = model.evaluate(images, verbose=0)
    assert values == list(first.values())


def test_mutual_information_takes_data_in_any_form(make_model, images):
    model = make_model()
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(40))).batch(16)
    expected = model.mutual_information(images, batch_size=16)
    assert model.mutual_information(dataset).nats == pytest.approx(expected.nats, abs=1e-5)
    assert model.mutual_information(images, limit=10).ceiling == pytest.approx(np.log(10))
    generator = ((images[:4],) for _ in range(3))
    logs = model.evaluate(generator, steps=3, verbose=0, return_dict=True)
    assert "mutual_information" not in logs


def test_mutual_information_averages_over_samples_of_the_full_mixture(make_model, images):
    model = make_model()
    expected = model.mutual_information(images)
    assert model.mutual_information(images, samples=len(images)) == expected
    part = model.mutual_information(images, samples=10)
    assert (part.ceiling, part.nats) == (expected.ceiling, pytest.approx(expected.nats, abs=0.5))
    assert part.standard_error > expected.standard_error
    with pytest.raises(ValueError, match="samples"):
        model.mutual_information(images, samples=0)


def test_mmd_vae_save_refuses_a_raw_prior_that_trains(make_model, images, tmp_path):
    component = tfd.MultivariateNormalDiag(np.eye(3, dtype=np.float32) * 2, np.ones((3, 3), "f"))
    prior = tfd.MixtureSameFamily(tfd.Categorical(np.zeros(3, "f")), component)
    model = make_model(MMDVAE, prior=prior)
    model.run_eagerly = True
    logs = model.fit(images, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert model.generate(2, seed=0).shape == (2, 8, 8, 1)
    with pytest.raises(ValueError, match="cannot be saved"):
        model.save(tmp_path / "model.keras")


@pytest.mark.slow
def test_mmd_vae_divergence_moves_the_encoder():
    """The decoder says nothing and the encoder begins far off: MMD alone brings it home."""
    keras.utils.set_random_seed(0)
    x, z = keras.Input((2,)), keras.Input((2,))
    loc = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(2.0))(x)
    scale = keras.layers.Dense(2, "softplus")(x)
    silent = keras.layers.Dense(2, kernel_initializer="zeros", trainable=False)
    model = MMDVAE(
        keras.Model(x, {"loc": loc, "scale": scale}),
        keras.Model(z, {"loc": silent(z)}),
        likelihood=Gaussian(1.0),
        lambda_=100.0,
    )
    model.compile(keras.optimizers.Adam(0.05))
    data = np.random.default_rng(0).normal(size=(512, 2)).astype(np.float32)
    before = model.evaluate(data, verbose=0, return_dict=True)["divergence"]
    model.fit(data, batch_size=128, epochs=30, verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)["divergence"]
    assert before > 0.3
    assert after < 0.03


def test_vae_generate_draws_from_the_prior_itself(make_model):
    model = make_model(VAE)
    z = model.prior.distribution().sample(4, seed=model.drawing_seed(9))
    np.testing.assert_allclose(model.generate(4, seed=9), model.decode(z).mean(), atol=1e-6)
    assert np.std(model.prior.distribution().sample(5000, seed=[1, 2])) == pytest.approx(
        1, abs=0.02
    )


def test_vae_evaluate_weighs_batches_by_their_size(make_model, images):
    model = make_model(VAE, likelihood="bernoulli_threshold")
    whole = model.evaluate(images, batch_size=30, verbose=0, return_dict=True)
    rates = [
        model.evaluate(part, batch_size=30, verbose=0, return_dict=True)["rate"]
        for part in (images[:30], images[30:])
    ]
    assert rates[0] != pytest.approx(rates[1], rel=1e-4)
    assert whole["rate"] == pytest.approx(0.75 * rates[0] + 0.25 * rates[1], rel=1e-5)


def test_vae_seed_changes_the_noise(make_model, images):
    losses = []
    for seed in (0, 0, 1):
        model = make_model(VAE, seed=seed)
        model.run_eagerly = True
        losses.append(model.train_on_batch(images, return_dict=True)["loss"])
    assert losses[0] == losses[1] != losses[2]
    model = make_model(VAE)
    model.run_eagerly = True
    first, second = (model.train_on_batch(images, return_dict=True) for _ in range(2))
    assert first["loss"] != second["loss"]
    # Batches of one evaluation, and of one table, have noise of their own.
    z, loc, scale = model.encoding_table(np.repeat(images[:1], 8, 0), batch_size=4)
    noise = (z - loc) / scale
    assert np.abs(noise[:4] - noise[4:]).min() > 1e-6


def test_vae_fit_moves_batch_statistics_and_evaluate_does_not(images, tmp_path):
    from keras_infomodels import export

    x, z = keras.Input((8, 8, 1)), keras.Input((2,))
    hidden = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Flatten()(x))
    encoder = keras.Model(
        x,
        {
            "loc": keras.layers.Dense(2)(hidden),
            "scale": keras.layers.Dense(2, "softplus")(hidden),
        },
    )
    decoder = keras.Model(z, {"logits": keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(z))})
    model = VAE(encoder, decoder, likelihood="continuous_bernoulli")
    model.compile("adam", run_eagerly=True)
    model.fit(images, batch_size=40, epochs=5, verbose=0)
    statistics = encoder.layers[2].moving_mean.numpy()
    np.testing.assert_allclose(statistics, images.reshape(40, -1).mean(0), atol=0.05)
    model.evaluate(images, verbose=0)
    np.testing.assert_array_equal(encoder.layers[2].moving_mean, statistics)
    path = export.to_tflite(model, tmp_path / "model.tflite")
    export.check_parity(model, path, images[:3])


def test_infovae_lambda_is_not_rescaled_by_the_image_size():
    """Every term is per example: four times the pixels, four times the reconstruction alone."""
    ledgers = []
    for size in (4, 8):
        x, z = keras.Input((size, size, 1)), keras.Input((2,))
        flat = keras.layers.Flatten()(x)
        zeros = {"kernel_initializer": "zeros"}
        loc = keras.layers.Dense(2, **zeros)(flat)
        scale = keras.layers.Dense(2, "softplus", **zeros)(flat)
        logits = keras.layers.Reshape((size, size, 1))(keras.layers.Dense(size**2, **zeros)(z))
        model = InfoVAE(
            keras.Model(x, {"loc": loc, "scale": scale}),
            keras.Model(z, {"logits": logits}),
            lambda_=10.0,
        )
        model.compile("adam", run_eagerly=True)
        data = np.ones((20, size, size, 1), np.float32)
        ledgers.append(model.evaluate(data, verbose=0, return_dict=True))
    small, large = ledgers
    assert small["reconstruction"] == pytest.approx(16 * np.log(2), rel=1e-5)
    assert large["reconstruction"] == pytest.approx(4 * small["reconstruction"], rel=1e-5)
    assert large["rate"] == small["rate"]
    assert large["divergence"] == small["divergence"]


def test_evaluate_repeats_and_keeps_to_its_steps(make_model, images, caplog):
    caplog.set_level("INFO", "keras_infomodels")
    model = make_model(VAE)
    dataset = datasets.from_arrays(images, batch_size=10, seed=2)
    dataset.epoch.assign(7)
    first = model.evaluate(dataset, verbose=0, return_dict=True)
    assert model.evaluate(dataset, verbose=0, return_dict=True) == first
    assert int(dataset.epoch) == 7
    make_model(VAE).evaluate(dataset, steps=2)
    assert f"ln N = {np.log(20):.3f}" in caplog.text


def test_fit_leaves_an_epoch_that_is_no_counter_alone(make_model, images):
    class Data(keras.utils.PyDataset):
        epoch = 0

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return (images[10 * index : 10 * index + 10],)

    history = make_model().fit(Data(), validation_data=Data(), verbose=0).history
    assert np.isfinite(history["val_mutual_information"]).all()
