"""How the terms of InfoGAN's additions enter the objectives, and what its parts refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import seeds
from keras_infomodels.callbacks import WeightAverage
from keras_infomodels.distributions import Categorical, Code, Latents, Normal, Uniform
from keras_infomodels.evaluation import fit_posterior
from keras_infomodels.models import InfoGAN
from keras_infomodels.seeds import fold_seed
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import (
    Consistency,
    adversarial_shift,
    random_affine,
)
from keras_infomodels.training.warmup import Warmup

SEED = tf.constant([3, 4])


def terms(model, images, labels=None, **settings):
    """Of one training pass, with some of the model's weights changed."""
    earlier = {name: getattr(model, name) for name in settings}
    vars(model).update(settings)
    found = model.terms(tf.constant(images), labels, SEED, training=True)
    vars(model).update(earlier)
    return {name: float(value) for name, value in found.items()}


@pytest.fixture
def model(make_gan):
    return make_gan(
        stratified=True,
        fake_consistency_weight=3.0,
        consistency=Consistency(2.0, "affine"),
        classification=Classification(0.5),
        information_weight=0.7,
    )


@pytest.mark.parametrize(
    ("name", "weight", "off", "lowered_by"),
    [
        (
            "fake_consistency",
            3.0,
            {"fake_consistency_weight": 0.0},
            ("loss", "discriminator_objective"),
        ),
        ("real_consistency", 2.0, {"consistency": None}, ("discriminator_objective",)),
        ("classification", 0.5, {"classification": None}, ("discriminator_objective",)),
    ],
)
def test_infogan_terms_add_each_addition_with_its_weight(
    model, images, name, weight, off, lowered_by
):
    labels = tf.constant([0, 1, 2, 3, -1] * 8)
    all_on = terms(model, images, labels)
    without = terms(model, images, labels, **off)
    assert all_on[name] > 0.01
    for objective in ("loss", "discriminator_objective"):
        added = weight * all_on[name] if objective in lowered_by else 0.0
        assert all_on[objective] - without[objective] == pytest.approx(added, abs=2e-5)


def test_infogan_information_weight_counts_for_both_players(model, images):
    labels = tf.fill([40], -1)
    full = terms(model, images, labels)
    none = terms(model, images, labels, information_weight=0.0)
    weighed = sum(
        code.weight * (full[f"information_{name}"] - code.entropy)
        for name, code in model.latents.codes.items()
    )
    for objective in ("loss", "discriminator_objective"):
        assert full[objective] - none[objective] == pytest.approx(-0.7 * weighed, abs=2e-5)


def test_infogan_warmup_weighs_by_the_part_that_is_done(model, images):
    labels = tf.fill([40], -1)
    model.optimizer.iterations.assign(3)
    full = terms(model, images, labels)
    ramped = terms(model, images, labels, consistency=Consistency(2.0, "affine", warmup=12))
    less = full["discriminator_objective"] - ramped["discriminator_objective"]
    assert less == pytest.approx(0.75 * 2.0 * full["real_consistency"], abs=2e-5)
    ramped = terms(model, images, labels, continuous_warmup=Warmup(12))
    log_q = full["information_slant"] - model.latents.codes["slant"].entropy
    for objective in ("loss", "discriminator_objective"):
        expected = -0.7 * 0.75 * log_q  # of a weight of 1
        assert full[objective] - ramped[objective] == pytest.approx(expected, abs=2e-5)


def test_infogan_fake_consistency_is_of_moved_images(model, images):
    fake = model.generate_batch(tf.constant(40), SEED, True)
    own = tf.random.experimental.stateless_fold_in(SEED, seeds.CONSISTENCY_FAKE)
    moves = random_affine(fake["images"], own)
    assert np.abs(moves - fake["images"]).max() > 0.1
    logits = model.posterior_params(moves, model.discriminate(moves, True), True)["digit"]
    log_q = tf.reduce_sum(fake["parts"]["digit"] * tf.nn.log_softmax(logits), axis=1)
    found = terms(model, images, tf.fill([40], -1))["fake_consistency"]
    assert found == pytest.approx(-float(tf.reduce_mean(log_q)), abs=1e-5)


def test_infogan_sample_latents_stratifies_in_training_alone(model):
    training = model.sample_latents(tf.constant(40), SEED, True)["digit"].numpy()
    np.testing.assert_array_equal(training.sum(0), [10, 10, 10, 10])
    testing = model.sample_latents(tf.constant(40), SEED, False)["digit"].numpy()
    assert (testing.sum(0) != 10).any()


def test_infogan_terms_count_regularizers_of_all_networks(images):
    def dense(units, weight):
        return keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(weight))

    codes = [Code("digit", Categorical(4))]
    z, image, features = keras.Input((9,)), keras.Input((8, 8, 1)), keras.Input((6,))
    fake = keras.layers.Reshape((8, 8, 1))(keras.layers.Activation("sigmoid")(dense(64, 0.1)(z)))
    h = dense(6, 0.2)(keras.layers.Flatten()(image))
    model = InfoGAN(
        keras.Model(z, fake),
        keras.Model(image, {"logits": keras.layers.Dense(1)(h), "features": h}),
        5,
        codes,
        recognition=keras.Model(features, {"digit": dense(4, 0.3)(features)}),
    )
    model.compile()
    found = terms(model, images)
    log_q = found["information_digit"] - codes[0].entropy
    extra = {
        "loss": found["loss"] - found["generator_loss"] + log_q,
        "discriminator_objective": found["discriminator_objective"]
        - found["discriminator_loss"]
        + log_q,
    }

    def squares(network, index):
        return float(np.sum(network.get_weights()[index] ** 2))

    judges = 0.2 * squares(model.discriminator, 0) + 0.3 * squares(model.recognition, 0)
    assert extra["loss"] == pytest.approx(0.1 * squares(model.generator, 0), rel=1e-4)
    assert extra["discriminator_objective"] == pytest.approx(judges, rel=1e-4)


def test_fit_posterior_reads_held_out_draws_of_their_own():
    prior = Latents(1, [Code("c", Normal())])
    inputs = keras.Input((2,))
    network = keras.Model(inputs, {"c": keras.layers.Dense(2)(inputs)})
    found = fit_posterior(
        lambda z: z[:, ::-1], prior, network, 10, 20, 0.0, held_out=50, seed=7, verbose=0
    )["c"]
    values = []
    for index in range(3):
        parts = prior.sample(20, fold_seed(7, 1, tf.constant(index)))
        numbers = network(prior.join(parts)[:, ::-1])["c"]
        values.append(prior.codes["c"].log_prob(numbers, parts["c"]).numpy())
    expected = prior.codes["c"].entropy + np.concatenate(values).mean()
    assert found.nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("code", [Code("c", Normal()), Code("c", Uniform())])
@pytest.mark.parametrize("outputs", [{"c": 1}, {"other": 2}])
def test_fit_posterior_and_infogan_refuse_wrong_posterior_sizes(make_gan, code, outputs):
    inputs = keras.Input((2,))
    heads = {name: keras.layers.Dense(size)(inputs) for name, size in outputs.items()}
    with pytest.raises(ValueError, match=r"'c' has the shape \(batch, 2\)"):
        fit_posterior(lambda z: z, Latents(1, [code]), keras.Model(inputs, heads), verbose=0)
    features = keras.Input((8,))
    heads = {name: keras.layers.Dense(size)(features) for name, size in outputs.items()}
    with pytest.raises(ValueError, match=r"'c' has the shape \(batch, 2\)"):
        make_gan(codes=[code], recognition=keras.Model(features, heads))


@pytest.mark.slow
def test_weight_average_serves_the_validation_of_infogan(make_gan, images):
    model = make_gan()
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        optimizer.learning_rate = 0.05
    average = WeightAverage(0.9)
    read = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            read.append(logs["val_information_real_digit"])

    fit = {"batch_size": 10, "verbose": 0, "validation_data": images}
    model.fit(images, epochs=3, callbacks=[average, Watch()], **fit)
    own = model.evaluate(images, verbose=0, return_dict=True)  # fit leaves the averages
    assert read[-1] == pytest.approx(own["information_real_digit"], rel=1e-4)
    assert own["information_real_digit"] != pytest.approx(read[0], rel=1e-2)


def test_adversarial_shift_takes_data_of_any_shape():
    classify = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    x = tf.random.stateless_normal((10, 3), [1, 2])
    shift = adversarial_shift(x, classify(x), classify, SEED, radius=0.5) - x
    np.testing.assert_allclose(np.linalg.norm(shift, axis=1), 0.5, rtol=1e-4)


def test_infogan_refuses_wrong_images_codes_and_optimizers(make_gan, images):
    model = make_gan()
    with pytest.raises(ValueError, match=r"Pixels are in \[0, 1\]"):
        model.infer_codes((images * 255).astype(np.uint8))
    with pytest.raises(ValueError, match="no code to infer"):
        make_gan(codes=[]).infer_codes(images)
    with pytest.raises(ValueError, match="slant is a number"):
        model.generate(2, {"slant": None})
    with pytest.raises(ValueError, match="n is an integer"):
        model.generate(2.5)
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="are the same object"):
        model.compile(optimizer, optimizer)
    with pytest.raises(ValueError, match="rename the code"):
        make_gan(codes=[Code("hidden", Normal())])
    points = keras.Input((3,))
    h = keras.layers.Dense(4)(points)
    pair = (
        keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)]),
        keras.Model(points, {"logits": keras.layers.Dense(1)(h), "features": h}),
    )
    codes = [Code("kind", Categorical(4))]
    with pytest.raises(ValueError, match="augmentations need images"):
        InfoGAN(*pair, 2, codes, fake_consistency_weight=1.0)
    data = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    kept = InfoGAN(*pair, 2, codes, consistency=Consistency())
    kept.compile(run_eagerly=True)
    assert np.isfinite(kept.fit(data, verbose=0).history["real_consistency"]).all()


def test_infogan_fit_refuses_float_labels_that_are_no_integers(make_gan, images):
    model = make_gan(classification=Classification(1.0))
    model.run_eagerly = True
    with pytest.raises(ValueError, match=r"Labels are integers .*got \[2\.7"):
        model.fit(images, np.full(40, 2.7), batch_size=20, verbose=0)
    model.fit(images, np.full(40, 2), batch_size=20, verbose=0)
    model.fit(images, np.full((40, 1), 2), batch_size=20, verbose=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"r1": 1.0},
        pytest.param({"objective": "wasserstein"}, marks=pytest.mark.slow),
    ],
)
def test_infogan_of_plain_networks_trains_in_mixed_precision(images, policy, settings):
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        z, image = keras.Input((9,)), keras.Input((8, 8, 1))
        fake = keras.layers.Dense(64, "sigmoid")(z)
        h = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(image))
        model = InfoGAN(
            keras.Model(z, keras.layers.Reshape((8, 8, 1))(fake)),
            keras.Model(image, {"logits": keras.layers.Dense(1)(h), "features": h}),
            5,
            [Code("digit", Categorical(4))],
            **settings,
        )
        model.compile()
        history = model.fit(images, batch_size=10, epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy(earlier)
    assert all(np.isfinite(values).all() for values in history.values())
