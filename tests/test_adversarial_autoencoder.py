"""The adversarial autoencoder with a category: its code, its terms, its labels."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_infomodels
from keras_infomodels import datasets, models, networks
from keras_infomodels.callbacks import AtomicBackup
from keras_infomodels.distributions import CategoricalNormal, StandardNormal
from keras_infomodels.divergences import Adversarial
from keras_infomodels.information import category_information
from keras_infomodels.models import AdversarialAutoencoder
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency

K, D = 4, 3


def test_categorical_normal_is_one_hot_beside_a_normal():
    prior = CategoricalNormal(K, D).distribution()
    code = prior.sample(20_000, seed=[0, 1]).numpy()
    category, z = code[:, :K], code[:, K:]
    assert set(np.unique(category)) == {0, 1}
    np.testing.assert_array_equal(category.sum(1), 1)
    np.testing.assert_allclose(category.mean(0), 1 / K, atol=0.02)
    np.testing.assert_allclose(np.cov(z.T), np.eye(D), atol=0.05)
    # Independent: the mean of z is 0 within each category.
    np.testing.assert_allclose(category.T @ z / category.sum(0)[:, None], 0, atol=0.07)
    expected = -math.log(K) - 0.5 * (z**2).sum(1) - D / 2 * math.log(2 * math.pi)
    np.testing.assert_allclose(prior.log_prob(code), expected, rtol=1e-5)


def test_aae_evaluate_equals_the_loss_written_out(make_categorical, images):
    """Reconstruction from (softmax, z), both adversarial losses, and the mean cross-entropy."""
    images = (images > 0.5).astype(np.float32)
    model = make_categorical(
        min_stddev=None, lambda_=3.0, classification=Classification(2.0), category_noise=0.0
    )
    labels = np.where(np.arange(40) % 3 == 0, np.arange(40) % K, -1)
    logs = model.evaluate(images, labels, batch_size=40, verbose=0, return_dict=True)

    parameters = model.encoder(images)
    probabilities = tf.nn.softmax(parameters["logits"])
    image = model.decoder(tf.concat([probabilities, parameters["loc"]], axis=1))["logits"]
    pixels = tf.nn.sigmoid_cross_entropy_with_logits(images, image)
    reconstruction = float(tf.reduce_mean(tf.reduce_sum(pixels, axis=[1, 2, 3])))
    category = float(tf.reduce_mean(tf.nn.softplus(-model.category_discriminator(probabilities))))
    z = float(tf.reduce_mean(tf.nn.softplus(-model.z_discriminator(parameters["loc"]))))
    known = labels >= 0
    classification = -np.log(probabilities.numpy()[known, labels[known]]).mean()
    expected = {
        "reconstruction": reconstruction,
        "divergence_category": category,
        "divergence_z": z,
        "divergence": category + z,
        "classification": classification,
        "accuracy": np.mean(probabilities.numpy().argmax(1)[known] == labels[known]),
        "loss": reconstruction + 3 * (category + z) + 2 * classification,
    }
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-5), name
    assert "rate" not in logs  # the code has no density


def test_aae_evaluate_weighs_each_label_once(make_categorical, images):
    model = make_categorical(classification=Classification(1.0))
    labels = np.full(40, -1)
    model.run_eagerly = True
    labels[:11] = np.arange(11) % K  # 10 in the first batch, 1 in the second, none after
    whole = model.evaluate(images, labels, batch_size=40, verbose=0, return_dict=True)
    parts = model.evaluate(images, labels, batch_size=10, verbose=0, return_dict=True)
    for name in ("classification", "accuracy"):
        assert parts[name] == pytest.approx(whole[name], rel=1e-5)


def test_aae_encoder_terms_skip_unlabeled_examples(make_categorical, images):
    model = make_categorical(classification=Classification(1.0))
    labels = np.where(np.arange(40) < 5, 1, -1)
    parameters = model.encoder(images)
    with tf.GradientTape() as tape:
        tape.watch(parameters["logits"])
        loss, _ = model.encoder_terms(parameters, images, tf.constant(labels), None, True)
    gradient = tape.gradient(loss, parameters["logits"]).numpy()
    assert np.all(gradient[5:] == 0)
    probabilities = tf.nn.softmax(parameters["logits"]).numpy()
    np.testing.assert_allclose(gradient[:5], (probabilities[:5] - np.eye(K)[1]) / 5, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("label", [K, -2])
def test_aae_fit_stops_at_a_label_that_is_no_class(make_categorical, images, label, jit_compile):
    model = make_categorical(classification=Classification(1.0))
    if jit_compile:
        model.compile(model.optimizer, jit_compile=True)
    model.run_eagerly = not jit_compile
    with pytest.raises(ValueError, match=r"Labels are .* for unlabeled"):
        model.fit(images, np.full(40, label), verbose=0)
    labels = np.where(np.arange(40) < 20, 0, label)  # a dataset is looked at batch by batch
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(20)
    with pytest.raises((ValueError, FloatingPointError), match=r"class|Labels are"):
        model.fit(data, verbose=0)


def test_aae_category_noise_reaches_its_discriminator_alone(make_categorical, images):
    found = []
    for noise in (0.5, 0.0):
        model = make_categorical(category_noise=noise)
        model.run_eagerly = True
        found.append(model.evaluate(images, verbose=0, return_dict=True))
    with_noise, without = found
    assert abs(with_noise["divergence_category"] - without["divergence_category"]) > 1e-4
    assert with_noise["divergence_z"] == without["divergence_z"]


def test_aae_discriminator_loss_adds_both_penalties(make_categorical, images):
    def discriminator(size, weight):
        keras.utils.set_random_seed(size)
        layers = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(weight))
        return keras.Sequential([keras.Input((size,)), layers])

    losses = []
    for weight in (0.0, 3.0):
        pair = {"category": discriminator(K, weight), "z": discriminator(D, weight)}
        model = make_categorical(discriminator=pair)
        model.run_eagerly = True
        logs = model.evaluate(images, batch_size=40, verbose=0, return_dict=True)
        losses.append(logs["discriminator_loss"])
    squares = sum(np.sum(network.get_weights()[0] ** 2) for network in pair.values())
    assert losses[1] - losses[0] == pytest.approx(3 * squares, rel=1e-5)


def test_aae_consistency_radius_evenness_slack_and_warmup(make_categorical, images):
    def terms(iterations=6, training=True, **kwargs):
        model = make_categorical(consistency=Consistency(5.0, warmup=6, **kwargs))
        model.optimizer.iterations.assign(iterations)
        loss, own = model.encoder_terms(model.encoder(images), images, None, [0, 1], training)
        return float(loss), float(own["consistency"])

    loss, consistency = terms()
    assert loss == pytest.approx(5 * consistency)
    for iterations in (0, 3):
        assert terms(iterations)[0] == pytest.approx(5 * consistency * iterations / 6)
    assert terms(0, training=False)[0] == pytest.approx(5 * consistency)
    mean = tf.reduce_mean(tf.nn.softmax(make_categorical().encoder(images)["logits"]), 0).numpy()
    lack = math.log(K) + np.sum(mean * np.log(mean))
    slack = lack / 2
    assert consistency - terms(balance_tolerance=slack)[1] == pytest.approx(slack, rel=1e-3)
    assert consistency - terms(balance_tolerance=9.0)[1] == pytest.approx(lack, rel=1e-3)
    # Of a short shift the divergence is the square.
    near, far = (terms(balance_tolerance=9.0, radius=r)[1] for r in (0.1, 0.2))
    assert far == pytest.approx(4 * near, rel=0.1)


@pytest.mark.slow
def test_aae_fit_learns_categories_from_few_labels(make_categorical):
    """Four kinds of images, two labels a kind: the category learns the names of all."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(K), 50)
    prototypes = rng.uniform(size=(K, 8, 8, 1)) > 0.5
    images = np.clip(prototypes[kinds] + rng.normal(0, 0.2, (200, 8, 8, 1)), 0, 1)
    images = images.astype(np.float32)
    known = np.isin(np.arange(200) % 50, (0, 1))
    model = make_categorical(classification=Classification(10.0))
    data = datasets.from_arrays(images, np.where(known, kinds, -1), batch_size=50)
    model.fit(data, epochs=30, verbose=0)
    guesses = model.encode(images)["category"].mode().numpy().argmax(1)
    assert np.mean(guesses == kinds) > 0.95


def test_aae_refuses_bad_category_noise_and_consistency(make_model):
    with pytest.raises(ValueError, match="category_noise"):
        make_model(AdversarialAutoencoder, category_noise=-1.0)
    with pytest.raises(ValueError, match="radius"):
        Consistency(radius=0.0)
    x, z = keras.Input((6,)), keras.Input((K + D,))
    dense = keras.layers.Dense
    encoder = keras.Model(x, {"logits": dense(K)(x), "loc": dense(D)(x)})
    networks = (encoder, keras.Model(z, {"logits": dense(6)(z)}), CategoricalNormal(K, D))
    with pytest.raises(ValueError, match="transforms images"):
        AdversarialAutoencoder(*networks, consistency=Consistency(augmentations="affine"))
    AdversarialAutoencoder(*networks, consistency=Consistency())


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [*(pytest.param(k, marks=pytest.mark.slow) for k in ("affine", "adversarial")), "both"]
)
def test_aae_consistency_makes_categories_withstand_moves(make_categorical, images, kind):
    model = make_categorical(consistency=Consistency(30.0, kind))
    history = model.fit(images, batch_size=20, epochs=15, verbose=0).history
    assert history["consistency"][-1] < 0.6 * history["consistency"][0]
    assert history["consistency"][-1] > 0


@pytest.mark.slow
def test_atomic_backup_resumes_an_aae_to_the_same_bits(make_categorical, images, tmp_path):
    """Both optimizers, labels, a warm-up and both kinds of moves."""

    def run(directory, epochs):
        model = make_categorical(
            classification=Classification(1.0),
            consistency=Consistency(5.0, "both", warmup=6),
        )
        backup = AtomicBackup(directory)
        first, _ = backup.restore(model)
        labels = np.where(np.arange(40) < 8, np.arange(40) % K, -1)
        data = datasets.from_arrays(images, labels, batch_size=10, labeled_per_batch=4)
        model.fit(data, initial_epoch=first, epochs=epochs, callbacks=[backup], verbose=0)
        return model

    straight = run(tmp_path / "straight", 2)
    run(tmp_path / "broken", 1)
    resumed = run(tmp_path / "broken", 2)
    for name in ("optimizer", "discriminator_optimizer"):
        pairs = zip(
            getattr(straight, name).variables, getattr(resumed, name).variables, strict=True
        )
        assert all(np.array_equal(a, b) for a, b in pairs)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("consistency", ["adversarial", "both"])
@pytest.mark.parametrize(
    "settings",
    [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": "auto"}],
    ids=lambda settings: next(iter(settings)),
)
def test_aae_compile_runs_eagerly_in_steps_and_with_jit(
    make_categorical, images, consistency, settings
):
    model = make_categorical(consistency=Consistency(5.0, consistency))
    assert model.supports_jit == (consistency == "adversarial")
    model.compile("adam", **settings)
    history = model.fit(images, batch_size=10, epochs=1, validation_data=images, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())


def test_aae_encode_generate_reconstruct_and_interpolate(make_categorical, images):
    model = make_categorical()
    q = model.encode(images)
    assert q["category"].event_shape == (K,)
    assert q["z"].event_shape == (D,)
    np.testing.assert_allclose(q["category"].mean().numpy().sum(1), 1, rtol=1e-5)
    code = tf.concat([q["category"].mean(), q["z"].mean()], axis=1)
    np.testing.assert_array_equal(model.reconstruct(images), model.decode(code).mean())
    assert model.generate(5, seed=0).shape == (5, 8, 8, 1)
    assert model.interpolate(images[0], images[1], 4).shape == (4, 8, 8, 1)


def test_category_information_is_the_aae_mutual_information(make_categorical, images):
    model = make_categorical()
    logs = model.evaluate(images, verbose=0, return_dict=True)
    estimate = model.mutual_information(images)
    p = model.encode(images)["category"].mean().numpy().astype(float)
    expected = np.sum(p * np.log(p / p.mean(0)), axis=1).mean()
    assert estimate.nats == pytest.approx(expected, abs=1e-6)
    assert (estimate.kind, estimate.ceiling) == ("exact", pytest.approx(math.log(K)))
    assert logs["information_category"] == pytest.approx(expected, abs=1e-6)
    # A category that names the example, and one that says nothing.
    assert category_information(np.eye(5)).nats == pytest.approx(math.log(5))
    assert category_information(np.full((7, 3), 1 / 3)).nats == pytest.approx(0)


def test_aae_save_and_save_to_preset_keep_both_discriminators(make_categorical, images, tmp_path):
    model = make_categorical(classification=Classification(0.5))
    data = datasets.from_arrays(images, np.arange(40) % K, batch_size=20)
    model.run_eagerly = True
    model.fit(data, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for copy in (
        keras_infomodels.load_model(tmp_path / "model.keras"),
        AdversarialAutoencoder.from_preset(tmp_path / "preset"),
    ):
        assert copy.get_config() == model.get_config()
        for a, b in zip(copy.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": StandardNormal(K + D)}, "belong together"),
        ({"prior": CategoricalNormal(K, D + 1)}, "event shape"),
        ({"discriminator": networks.MLPDiscriminator(latent_dim=K + D)}, "adversarial"),
        ({"discriminator": {"z": networks.MLPDiscriminator(latent_dim=D)}}, "keys"),
        ({"prior": None, "classification": Classification(1.0)}, "CategoricalNormal"),
    ],
)
def test_aae_refuses_parts_and_settings_that_do_not_fit(make_categorical, change, message):
    model = make_categorical()
    arguments = {"prior": model.prior} | change
    with pytest.raises(ValueError, match=message):
        AdversarialAutoencoder(model.encoder, model.decoder, **arguments)


def test_categorical_normal_needs_adversaries_and_fit_needs_labels(make_categorical):
    model = make_categorical()
    with pytest.raises(ValueError, match="adversarial autoencoder"):
        models.MMDVAE(model.encoder, model.decoder, prior=model.prior)
    discriminator = networks.MLPDiscriminator(latent_dim=D)
    wrong = {"category": Adversarial(discriminator), "z": Adversarial(discriminator)}
    with pytest.raises(ValueError, match="incompatible with the layer"):
        models.InfoVAE(model.encoder, model.decoder, model.prior, alpha=1.0, divergence=wrong)
    model = make_categorical(classification=Classification(1.0))
    x = np.zeros((4, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="pairs"):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match="argmax"):
        model.fit(x, np.eye(4), verbose=0)
