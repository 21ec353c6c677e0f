import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import keras_infomodels
from keras_infomodels import datasets, export, networks
from keras_infomodels.distributions import Categorical, Code, Latents, Normal, Uniform
from keras_infomodels.evaluation import fit_posterior
from keras_infomodels.models import GAN, InfoGAN
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency
from keras_infomodels.training.warmup import Warmup

LN2 = math.log(2)
ADDITIONS = {
    "stratified": True,
    "fake_consistency_weight": 1.0,
    "consistency": Consistency(1.0, "affine", warmup=3),
    "continuous_warmup": Warmup(3),
}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"update": "alternating", "discriminator_steps": 2, "r1": 1.0},
        pytest.param({"objective": "wasserstein"}, marks=pytest.mark.slow),
        {"label_smoothing": 0.1, "posterior": "separate"},
    ],
)
def test_infogan_without_codes_is_the_gan_to_the_bit(make_gan, images, settings):
    weights = []
    for cls in (GAN, InfoGAN):
        own = (
            settings if cls is InfoGAN else {k: v for k, v in settings.items() if k != "posterior"}
        )
        model = make_gan(cls, codes=[], **own)
        model.run_eagerly = True
        model.fit(images, batch_size=20, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_infogan_codes_can_be_all_latents():
    codes = [Code("digit", Categorical(4)), Code("slant", Normal())]
    generator = networks.ConvGenerator((8, 8, 1), 5, (4, 3), 8)
    discriminator = networks.ConvDiscriminator((8, 8, 1), (3, 4), 8)
    model = InfoGAN(generator, discriminator, 0, codes)
    model.compile(run_eagerly=True)
    model.fit(np.zeros((20, 8, 8, 1), np.float32) + 0.5, verbose=0)
    same = model.generate(2, {"digit": 1, "slant": 0.3}).numpy()
    np.testing.assert_array_equal(same[0], same[1])


class Copy(keras.layers.Layer):
    """x = c, or rho c + sqrt(1 - rho^2) noise."""

    def __init__(self, rho=None):
        super().__init__()
        self.rho = rho

    def call(self, latents):
        if self.rho is None:
            return latents[:, 1:]
        return self.rho * latents[:, 1:] + math.sqrt(1 - self.rho**2) * latents[:, :1]


class Judge(keras.layers.Layer):
    def call(self, x):
        return {"logits": x[:, :1], "features": x}


class Exact(keras.layers.Layer):
    """Q's numbers at their best, from the one number x."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers = numbers

    def call(self, x):
        return {"c": self.numbers(x)}


def toy(code, numbers, rho=None):
    d = code.prior.dimension
    generator = keras.Sequential([keras.Input((1 + d,)), Copy(rho)])
    x = keras.Input((d,))
    discriminator = keras.Model(x, Judge()(x))
    features = keras.Input((d,))
    recognition = keras.Model(features, Exact(numbers)(features))
    model = InfoGAN(generator, discriminator, 1, [code], recognition=recognition)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    return model


def information(model, n=50_000):
    fake = model.generate_batch(n, tf.constant([0, 1]), False)
    return float(model.generator_terms(fake, False)["information_c"])


@pytest.mark.parametrize("rho", [0.3, 0.75, 0.95])
def test_infogan_information_of_a_correlated_gaussian_is_exact(rho):
    """Q = N(rho x, 1 - rho^2): the bound is -1/2 ln(1 - rho^2), with no gap."""
    code = Code("c", Normal(), "fixed_gaussian", min_stddev=math.sqrt(1 - rho**2))
    model = toy(code, lambda x: rho * x, rho)
    assert information(model) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.015)


@pytest.mark.parametrize(
    ("code", "numbers", "value"),
    [
        (Code("c", Categorical(10)), lambda x: 50 * x, math.log(10)),
        (Code("c", Uniform(), "fixed_gaussian", min_stddev=1.0), lambda x: x, -0.2258),
        (Code("c", Uniform(), "fixed_gaussian", min_stddev=0.1), lambda x: x, 2.0768),
        (
            Code("c", Uniform(), "gaussian", min_stddev=0.05),
            lambda x: tf.concat([x, 0 * x - 100], 1),
            2.7699,
        ),
        (
            Code("c", Normal(), "gaussian", min_stddev=0.05),
            lambda x: tf.concat([x, 0 * x - 100], 1),
            0.5 - math.log(0.05),
        ),
        (Code("c", Normal(), "fixed_gaussian", min_stddev=1.0), lambda x: x, 0.5),
    ],
)
def test_infogan_information_of_a_copied_code_is_its_ceiling(code, numbers, value):
    assert information(toy(code, numbers)) == pytest.approx(value, abs=1e-3)
    assert value == pytest.approx(code.ceiling, abs=1e-3)


def test_infogan_information_of_a_copy_read_by_the_narrowest_beta():
    """a + b - 2 = 1 / 0.05^2 - 3, mode c; the ceiling takes the best mode for each c."""

    def numbers(x):
        """s : |s| + 2 width = c : 1, both far above the limit of a + b - 2."""
        s = 1e6 * x
        lean = tf.sign(s) * (tf.sqrt(1 + 4 * tf.abs(s)) - 1) / 2
        return tf.concat([lean, tf.math.log((1e6 - tf.abs(s)) / 2)], 1)

    code = Code("c", Uniform(), min_stddev=0.05)
    c, total = np.linspace(-1, 1, 20_003)[1:-1], 1 / 0.05**2 - 3
    a, b = 1 + total * (1 + c) / 2, 1 + total * (1 - c) / 2
    value = stats.beta.logpdf((1 + c) / 2, a, b).mean()
    assert information(toy(code, numbers)) == pytest.approx(value, abs=8e-3)  # 3 deviations
    assert code.ceiling - 0.01 < value < code.ceiling


@pytest.mark.parametrize(
    ("code", "numbers", "value"),
    [
        (Code("c", Categorical(10)), lambda x: 0 * x, 0.0),
        (Code("c", Uniform()), lambda x: tf.concat([0 * x, 0 * x - 100], 1), 0.0),
        (
            Code("c", Uniform(), "gaussian", min_stddev=0.05),
            lambda x: tf.concat([0 * x, 0 * x + math.log(math.expm1(3**-0.5 - 0.05))], 1),
            -0.1765,
        ),
        (Code("c", Uniform(), "fixed_gaussian", min_stddev=1.0), lambda x: 0 * x, -0.3925),
        (
            Code("c", Normal(), "gaussian", min_stddev=0.05),
            lambda x: tf.concat([0 * x, 0 * x + math.log(math.expm1(0.95))], 1),
            0.0,
        ),
        (Code("c", Normal(), "fixed_gaussian", min_stddev=1.0), lambda x: 0 * x, 0.0),
    ],
)
@pytest.mark.parametrize("rho", [None, pytest.param(0.0, marks=pytest.mark.slow)])
def test_infogan_information_of_an_ignored_code_is_known(code, numbers, value, rho):
    """With rho = 0 images are noise, of which a constant Q is the best."""
    assert information(toy(code, numbers, rho)) == pytest.approx(value, abs=8e-3)  # 4 deviations


def moved_by(model, images, moving):
    """Names of the networks that one step of one optimizer moves."""
    before = {
        name: [np.array(v) for v in network.trainable_variables]
        for name, network in parts(model).items()
    }
    optimizers = (keras.optimizers.SGD(0.1 * (i == moving)) for i in range(2))
    model.compile(*optimizers, run_eagerly=True)
    model.fit(images[:20], batch_size=20, verbose=0)
    return {
        name
        for name, network in parts(model).items()
        if any(
            not np.array_equal(a, b)
            for a, b in zip(before[name], network.trainable_variables, strict=True)
        )
    }


def parts(model):
    found = {
        "generator": model.generator,
        "trunk": model.discriminator.get_layer("convolution_0"),
        "logits": model.discriminator.get_layer("logits"),
        "recognition": model.recognition,
        "own trunk": model.recognition_trunk,
    }
    return {name: network for name, network in found.items() if network is not None}


@pytest.mark.parametrize(
    ("posterior", "update"),
    [
        ("shared", "simultaneous"),
        ("stop_gradient", "simultaneous"),
        ("separate", "alternating"),
        pytest.param("shared", "alternating", marks=pytest.mark.slow),
        pytest.param("stop_gradient", "alternating", marks=pytest.mark.slow),
        pytest.param("separate", "simultaneous", marks=pytest.mark.slow),
    ],
)
def test_infogan_optimizers_move_their_own_networks(make_gan, images, posterior, update):
    own = {"own trunk"} if posterior == "separate" else set()
    model = make_gan(posterior=posterior, update=update)
    assert moved_by(model, images, 0) == {"generator"}
    assert moved_by(model, images, 1) == {"trunk", "logits", "recognition"} | own


@pytest.mark.parametrize(
    ("posterior", "own"),
    [
        pytest.param("shared", "trunk", marks=pytest.mark.slow),
        ("stop_gradient", None),
        ("separate", "own trunk"),
    ],
)
def test_infogan_terms_move_the_expected_networks(make_gan, images, posterior, own):
    """Gradients of the objectives with each term's weight at 1 less those with all at 0."""

    def gradients(**weights):
        model = make_gan(posterior=posterior, **{"information_weight": 0.0, **weights})
        labels = tf.zeros(len(images), tf.int32)
        with tf.GradientTape(persistent=True) as tape:
            terms = model.terms(tf.constant(images), labels, tf.constant([0, 1]), True)
        variables = {name: part.trainable_variables for name, part in parts(model).items()}
        of_generator = {"generator": variables.pop("generator")}
        return tape.gradient(terms["loss"], of_generator) | tape.gradient(
            terms["discriminator_objective"], variables
        )

    def moves(a, b):
        return b is not None and np.abs(b - (0 if a is None else a)).max() > 1e-6

    without = gradients()
    head = {"recognition", *([own] if own else [])}
    expected = {
        "information": {"generator"} | head,
        "real_consistency": head,
        # The only term that moves the trunk of "stop_gradient".
        "fake_consistency": {"generator"} | (head if own else {*head, "trunk"}),
        "classification": head,
    }
    settings = {
        "information": {"information_weight": 1.0},
        "real_consistency": {"consistency": Consistency(1.0, "affine")},
        "fake_consistency": {"fake_consistency_weight": 1.0},
        "classification": {"classification": Classification(1.0)},
    }
    for term, networks_moved in expected.items():
        weighted = gradients(**settings[term])
        moved = {
            name
            for name in weighted
            if any(moves(a, b) for a, b in zip(without[name], weighted[name], strict=True))
        }
        assert moved == networks_moved, term


def test_infogan_terms_equal_the_objective_written_out(make_gan):
    codes = [Code("digit", Categorical(4), weight=0.7), Code("slant", Uniform(), weight=0.2)]
    model = make_gan(codes=codes, information_weight=3.0)
    x = tf.constant(np.random.default_rng(0).uniform(size=(30, 8, 8, 1)), tf.float32)
    seed = tf.constant([4, 5])
    terms = model.terms(x, None, seed, False)

    fake = model.generate_batch(30, seed, False)  # the same draws
    outputs = model.discriminator(fake["images"])
    raw = {name: v.numpy() for name, v in model.recognition(outputs["features"]).items()}
    logits = raw["digit"] - np.log(np.exp(raw["digit"]).sum(1, keepdims=True))
    log_digit = (logits * fake["parts"]["digit"]).numpy().sum(1).mean()
    log_slant = float(tf.reduce_mean(codes[1].infer(raw["slant"]).log_prob(fake["parts"]["slant"])))
    t, real = outputs["logits"].numpy(), model.discriminator(x)["logits"].numpy()
    adversarial = np.logaddexp(0, -t).mean()
    expected = {
        "information_digit": math.log(4) + log_digit,
        "information_slant": LN2 + log_slant,
        "information": math.log(4) + LN2 + log_digit + log_slant,
        "generator_loss": adversarial,
        "loss": adversarial - 3.0 * (0.7 * log_digit + 0.2 * log_slant),
        "discriminator_loss": np.logaddexp(0, -real).mean() + np.logaddexp(0, t).mean(),
    }
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_infogan_fit_raises_the_information(make_gan, images):
    model = make_gan()
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        optimizer.learning_rate = 5e-3
    history = model.fit(images, batch_size=20, epochs=25, verbose=0).history
    assert history["information_digit"][-1] > history["information_digit"][0] + 0.5
    assert history["information_digit"][-1] <= math.log(4)


@pytest.mark.slow
def test_fit_posterior_reads_a_frozen_generator(make_gan):
    """The bound of a copy is near its ceiling, of noise at what the family can certify of it."""
    codes = [Code("digit", Categorical(4)), Code("slant", Uniform(), min_stddev=0.1)]
    latents = Latents(2, codes)

    def network():
        x = keras.Input((3,))
        h = keras.layers.Dense(64, "gelu")(keras.layers.Dense(64, "gelu")(x))
        return keras.Model(
            x, {"digit": keras.layers.Dense(4)(h), "slant": keras.layers.Dense(2)(h)}
        )

    def copy(z):
        number = tf.cast(tf.argmax(z[:, 2:6], axis=1), tf.float32)[:, None]
        return tf.concat([number - 1.5, z[:, 6:], z[:, :1]], axis=1)

    found = fit_posterior(copy, latents, network(), 1000, 256, 3e-3, verbose=0)
    assert found["digit"].nats == pytest.approx(math.log(4), abs=0.01)
    assert found["digit"].kind == "lower bound"
    assert codes[1].ceiling - 0.35 < found["slant"].nats <= codes[1].ceiling + 0.01
    assert not found["digit"].note
    assert len(found["digit"].history["information"]) == 10
    assert found["digit"].history["information"][-1] == pytest.approx(math.log(4), abs=0.01)
    short = fit_posterior(copy, latents, network(), 40, 256, 1e-3, verbose=0)
    assert "take more steps" in short["digit"].note
    nothing = fit_posterior(
        lambda z: copy(z) * [[0, 0, 1]], latents, network(), 300, 256, verbose=0
    )
    assert abs(nothing["digit"].nats) < 0.02
    assert abs(nothing["slant"].nats) < 0.02
    assert 0 < nothing["digit"].standard_error < 0.01


@pytest.mark.slow
def test_fit_posterior_makes_a_network_of_its_own_for_images(make_gan):
    model = make_gan()
    found = fit_posterior(model.generator, model.latents, steps=20, held_out=256, verbose=0)
    assert set(found) == {"digit", "slant"}
    with pytest.raises(ValueError, match="no code"):
        fit_posterior(make_gan(GAN).generator, make_gan(GAN).latents)


def test_infogan_evaluate_reads_the_category_on_real_images(make_gan, images):
    """H(mean Q) - mean H(Q)."""
    model = make_gan()
    logs = model.evaluate(images, verbose=0, return_dict=True)
    p = model.infer_codes(images)["digit"].probs_parameter().numpy()
    mean = p.mean(0)
    expected = -(mean * np.log(mean)).sum() + (p * np.log(p)).sum(1).mean()
    assert logs["information_real_digit"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_infogan_classification_names_the_categories(make_gan):
    """Four kinds of images, ten labels a kind."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), 50)
    prototypes = rng.uniform(size=(4, 8, 8, 1)) > 0.5
    x = np.clip(prototypes[kinds] + rng.normal(0, 0.2, (200, 8, 8, 1)), 0, 1).astype(np.float32)
    known = np.arange(200) % 50 < 10
    model = make_gan(classification=Classification(10.0), learning_rate=1e-2)
    data = datasets.from_arrays(x, np.where(known, kinds, -1), batch_size=50)
    model.fit(data, epochs=40, verbose=0)
    guesses = model.infer_codes(x)["digit"].mode().numpy().argmax(1)
    assert np.mean(guesses == kinds) > 0.95


def test_infogan_fit_says_the_ceilings_once(make_gan, images, caplog):
    caplog.set_level("INFO", "keras_infomodels")
    model = make_gan()
    model.run_eagerly = True
    for _ in range(2):
        model.fit(images, batch_size=40, verbose=2)
    said = caplog.text
    assert said.count("information_digit is at most 1.386") == 1
    assert said.count("information_slant is at most 3.075") == 1


def test_infogan_save_to_preset_keeps_all_additions(make_gan, images, tmp_path):
    model = make_gan(**ADDITIONS)
    model.run_eagerly = True
    history = model.fit(images, batch_size=20, epochs=2, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert {"fake_consistency", "real_consistency"} <= set(history)
    model.save_to_preset(tmp_path / "preset")
    copy = keras_infomodels.load_model(tmp_path / "preset")
    assert copy.get_config() == model.get_config()
    latents = model.latents.join(model.latents.sample(4, [0, 1]))
    np.testing.assert_array_equal(copy(latents), model(latents))


@pytest.mark.slow
def test_infogan_export_signatures_have_the_codes_names(make_gan, images, tmp_path):
    """After a training step, so that the statistics of batch normalization are its own."""
    model = make_gan()
    model.fit(images, verbose=0)
    path = export.to_tflite(model, tmp_path / "model.tflite", images=images)
    inputs = model.export_signatures()["generate"].inputs
    assert [each.name for each in inputs] == ["noise", "digit", "slant"]
    outputs = export.Runtime(path).infer_codes(images)
    assert set(outputs) == {"digit_probabilities", "slant_mean", "slant_stddev"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"posterior": "both"}, "shared"),
        ({"information_weight": -1.0}, "at least 0"),
        ({"codes": [Code("a", Uniform())], "fake_consistency_weight": 1.0}, "categorical code"),
        ({"information_weight": math.nan}, "finite"),
        ({"continuous_warmup": 0.5}, "integer"),
    ],
)
def test_infogan_refuses_settings_that_make_no_sense(make_gan, settings, words):
    with pytest.raises(ValueError, match=words):
        make_gan(**settings)


def test_infogan_refuses_a_discriminator_without_features(images):
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="features"):
        InfoGAN(generator, discriminator, 2, [Code("a", Uniform())])


def test_infogan_compile_refuses_jit_compile_for_affine_moves(make_gan, images):
    model = make_gan(fake_consistency_weight=1.0)
    with pytest.raises(ValueError, match="jit_compile"):
        model.compile(jit_compile=True)


@pytest.mark.slow
def test_jit_compile_takes_adversarial_moves(make_gan, images):
    model = make_gan(consistency=Consistency())
    model.compile(jit_compile=True)
    model.fit(images, batch_size=20, verbose=0)
