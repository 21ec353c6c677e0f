import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from keras_infomodels import networks, seeds
from keras_infomodels.distributions import Categorical, Code, Normal, Uniform
from keras_infomodels.models import GAN, InfoGAN
from keras_infomodels.models.gan.objectives import OBJECTIVES

LN2 = math.log(2)
MEAN = 1.0  # of the data N(MEAN, 1); the generator is N(0, 1)


def log_ratio(x):
    """ln p/q of the two Gaussians."""
    return MEAN * x - MEAN**2 / 2


CLOSED_FORMS = {
    "non_saturating": (lambda r: np.log(r), 2 * LN2 - 2 * 0.1114),
    "hinge": (lambda r: np.sign(np.log(r)), 2 - 2 * (2 * stats.norm.cdf(MEAN / 2) - 1)),
    "kl": (lambda r: 1 + np.log(r), -(MEAN**2) / 2),
    "reverse_kl": (lambda r: np.log(r), -(MEAN**2) / 2),
    "js": (lambda r: np.log(r), -2 * 0.1114),
    "pearson": (lambda r: 2 * (r - 1), -(math.exp(MEAN**2) - 1)),
    "squared_hellinger": (lambda r: np.log(r) / 2, -2 * (1 - math.exp(-(MEAN**2) / 8))),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_objectives_minimum_is_the_divergence(name):
    """By quadrature, and every other discriminator tried has a higher loss."""
    best, value = CLOSED_FORMS[name]
    x = np.linspace(-9, 10, 40_001)
    p, q, t = stats.norm.pdf(x, MEAN), stats.norm.pdf(x), best(np.exp(log_ratio(x)))

    def loss(t):
        objective, t = OBJECTIVES[name], tf.constant(t)
        return integrate.trapezoid(p * objective.real(t) + q * objective.fake(t), x)

    assert loss(t) == pytest.approx(value, abs=2e-4)
    for change in (0.2, -0.2, 0.1 * np.sin(x), 0.1 * np.tanh(x)):
        assert loss(t + change) > loss(t) + 1e-4


class Shift(keras.layers.Layer):
    """A generator that the data are `MEAN` away from, and that learns nothing."""

    def __init__(self):
        super().__init__()
        self.moved = self.add_weight(shape=(1,), initializer="zeros", trainable=False)

    def call(self, z):
        return z + self.moved


def two_gaussians(make_layers, **kwargs):
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((1,)), Shift()])
    discriminator = keras.Sequential([keras.Input((1,)), *make_layers()])
    model = GAN(generator, discriminator, 1, **kwargs)
    model.compile("sgd", keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 300)))
    return model


@pytest.mark.parametrize("name", [name for name in CLOSED_FORMS if name != "hinge"])
def test_gan_discriminator_loss_reaches_the_divergence(name):
    before, mean, loss = [], MEAN, CLOSED_FORMS[name][1]
    if name == "pearson":  # the others' best T is linear in x, this one in p/q
        mean, loss = 0.5, 1 - math.exp(0.25)
        before = [keras.layers.Lambda(lambda x: tf.exp(mean * x - mean**2 / 2))]
    model = two_gaussians(lambda: [*before, keras.layers.Dense(1)], objective=name)
    data = np.random.default_rng(0).normal(mean, 1, (30_000, 1)).astype(np.float32)
    model.fit(data, batch_size=500, epochs=5, verbose=0)
    logs = model.evaluate(data, batch_size=30_000, verbose=0, return_dict=True)
    assert logs["discriminator_loss"] == pytest.approx(loss, abs=0.02)


@pytest.mark.parametrize(
    "shift", [0.5, *(pytest.param(s, marks=pytest.mark.slow) for s in (1.0, 2.0)), 4.0]
)
def test_gan_wasserstein_gap_with_its_gradient_penalty(shift):
    """The gap is D (1 + D / (2 mu)); over the mean gradient norm it is the distance D."""
    model = two_gaussians(
        lambda: [keras.layers.Dense(1)], objective="wasserstein", gradient_penalty=10.0
    )
    data = np.random.default_rng(0).normal(shift, 1, (20_000, 1)).astype(np.float32)
    model.fit(data, batch_size=500, epochs=8, verbose=0)
    logs = model.evaluate(data, batch_size=20_000, verbose=0, return_dict=True)
    gap = -logs["discriminator_loss"]
    assert gap == pytest.approx(shift * (1 + shift / 20), rel=0.05)
    assert gap / logs["gradient_norm"] == pytest.approx(shift, rel=0.05)
    assert logs["gradient_penalty"] == pytest.approx((shift / 20) ** 2, rel=0.2, abs=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gan_objective_moves_the_generator_towards_the_data(objective):
    """One step on a discriminator that knows where they are; the other sign would move away."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    discriminator.set_weights([np.full((1, 1), 0.5, np.float32), np.zeros(1, np.float32)])
    model = GAN(generator, discriminator, 1, objective=objective, gradient_penalty=0.0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0))
    model.fit(np.ones((64, 1), np.float32), batch_size=64, verbose=0)
    assert generator.get_weights()[1] > 0


GENERATORS_LOSSES = {
    "non_saturating": lambda t: np.log(1 + np.exp(-t)),
    "hinge": lambda t: -t,
    "wasserstein": lambda t: -t,
    # -f*(g(T)) by the table of the paper, conjugates written in the activated v = g(T).
    "kl": lambda t: -np.exp(t - 1),
    "reverse_kl": lambda t: 1 + np.log(np.exp(-t)),
    "js": lambda t: np.log(2 - np.exp(np.log(2) - np.log(1 + np.exp(-t)))),
    "pearson": lambda t: -(t**2 / 4 + t),
    "squared_hellinger": lambda t: -(1 - np.exp(-t)) / np.exp(-t),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_generator_loss_equals_the_papers_table(name):
    t = np.linspace(-1.9, 3, 50)
    loss = OBJECTIVES[name].generator(tf.constant(t))
    np.testing.assert_allclose(loss, GENERATORS_LOSSES[name](t), rtol=1e-6, atol=1e-9)


def test_gan_r1_and_gradient_penalty_agree_in_a_graph():
    """R1 of T = v'tanh(Wx + b), whose slope is W'((1 - tanh^2) v), beside the other penalty."""
    data = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    keras.utils.set_random_seed(1)
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    layers = keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)
    discriminator = keras.Sequential([keras.Input((2,)), *layers])
    model = GAN(generator, discriminator, 1, r1=3.0, gradient_penalty=2.0)
    seed = tf.constant([0, 1])

    def terms(x):
        return model.terms(x, None, seed, True)

    eager, graph = terms(tf.constant(data)), tf.function(terms)(tf.constant(data))
    for name, value in eager.items():
        assert float(graph[name]) == pytest.approx(float(value), rel=1e-5), name
    w, b, v, _ = discriminator.get_weights()
    slopes = (1 - np.tanh(data @ w + b) ** 2) * v[:, 0] @ w.T
    r1 = 1.5 * np.mean(np.sum(slopes**2, axis=1))
    penalty = 2 * float(eager["gradient_penalty"])
    total = float(eager["discriminator_objective"] - eager["discriminator_loss"])
    assert total == pytest.approx(r1 + penalty, rel=1e-4)
    assert penalty > 0.1


def test_gan_r1_and_label_smoothing_written_out():
    data = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model = GAN(generator, discriminator, 1, r1=3.0, label_smoothing=0.1)
    model.compile()
    seed = tf.constant([0, 1])
    real, fake = (
        model.discriminate_real(tf.constant(data), seed, False),
        model.generate_batch(50, seed, False),
    )
    terms = model.discriminator_terms(real, fake, None, tf.constant([0, 1]), False)
    kernel = discriminator.get_weights()[0]
    t, t_fake = discriminator(data).numpy(), discriminator(fake["images"]).numpy()
    expected = np.mean(0.9 * np.logaddexp(0, -t) + 0.1 * np.logaddexp(0, t))
    expected += np.logaddexp(0, t_fake).mean()
    assert float(terms["discriminator_loss"]) == pytest.approx(expected, rel=1e-5)
    penalty = float(terms["discriminator_objective"] - terms["discriminator_loss"])
    assert penalty == pytest.approx(1.5 * np.sum(kernel**2), rel=1e-4)


def test_gan_r1_flattens_the_discriminator():
    """One step of T = w'x + b by hand: R1 alone adds -lr r1 w to what the loss does."""
    data = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    start = [np.float32([[2.0], [-1.0]]), np.zeros(1, np.float32)]
    kernels = {}
    for r1 in (0.0, 3.0):
        keras.utils.set_random_seed(0)
        generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        discriminator.set_weights(start)
        model = GAN(generator, discriminator, 1, r1=r1, seed=0)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
        model.fit(data, batch_size=50, shuffle=False, verbose=0)
        kernels[r1] = discriminator.get_weights()[0]
    np.testing.assert_allclose(kernels[3.0] - kernels[0.0], -0.1 * 3 * start[0], rtol=1e-5)


@pytest.mark.parametrize(
    "update", [pytest.param("simultaneous", marks=pytest.mark.slow), "alternating"]
)
def test_gan_fit_moves_each_network_by_its_own_optimizer(make_gan, images, update):
    for moving in ("generator", "discriminator"):
        model = make_gan(GAN, update=update)
        frozen, moved = keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1)
        optimizers = (moved, frozen) if moving == "generator" else (frozen, moved)
        model.compile(*optimizers, run_eagerly=True)
        model.fit(images, batch_size=20, verbose=0)
        for name in ("generator", "discriminator"):
            trainable = getattr(model, name).trainable_variables
            start = make_gan(GAN, update=update)
            old = getattr(start, name).trainable_variables
            changed = [not np.array_equal(a, b) for a, b in zip(trainable, old, strict=True)]
            assert all(changed) if name == moving else not any(changed)


def test_gan_update_alternating_sees_the_new_discriminator():
    """Two steps by hand, SGD on scalars; simultaneous ones use the old one."""
    steps = {}
    for update, count in (("simultaneous", 1), ("alternating", 1), ("alternating", 2)):
        keras.utils.set_random_seed(0)
        generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        generator.set_weights([np.zeros((1, 1), np.float32), np.zeros(1, np.float32)])
        discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        discriminator.set_weights([np.full((1, 1), 0.5, np.float32), np.zeros(1, np.float32)])
        settings = {"objective": "wasserstein", "gradient_penalty": 0.0, "update": update}
        settings |= {"discriminator_steps": count}
        model = GAN(generator, discriminator, 1, **settings)
        model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.25))
        model.fit(np.ones((8, 1), np.float32), batch_size=8, verbose=0)
        steps[update, count] = float(generator.get_weights()[1][0])
    # dT/dx is 0.5, and 0.25 (1 - 0) more after each of the discriminator's own steps.
    assert steps == pytest.approx(
        {("simultaneous", 1): 0.5, ("alternating", 1): 0.75, ("alternating", 2): 1.0}
    )


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"label_smoothing": 0.1},
        pytest.param({"objective": "js"}, marks=pytest.mark.slow),
        pytest.param({"objective": "squared_hellinger"}, marks=pytest.mark.slow),
        {"objective": "hinge"},
    ],
)
def test_stop_on_saturation_ends_gan_fit_if_always_right(settings):
    model = two_gaussians(lambda: [keras.layers.Dense(1)], **settings)
    model.compile("sgd", keras.optimizers.Adam(0.1))
    far = np.full((1000, 1), 60.0, np.float32)
    with pytest.raises(FloatingPointError, match="does not learn"):
        model.fit(far, batch_size=20, epochs=20, verbose=0)


@pytest.mark.parametrize("cls", [GAN, pytest.param(InfoGAN, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"update": "alternating"}, marks=pytest.mark.slow),
        {"update": "alternating", "discriminator_steps": 2},
    ],
)
def test_gan_fit_stops_at_nan_and_keeps_the_weights(make_gan, images, cls, settings):
    """NaN in the second of three batches: weights and batch normalization are as after one."""
    batches, kept = np.stack([images[:10]] * 3), []
    batches[1, 3] = np.nan
    model = make_gan(cls, **settings)
    # One in a graph: the check is the same code.
    model.run_eagerly = cls is InfoGAN or bool(settings)
    before = model.get_weights()
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: kept.append(model.get_weights())
    )
    with pytest.raises(FloatingPointError, match="step 2"):
        model.fit(tf.data.Dataset.from_tensor_slices(batches), callbacks=[keep], verbose=0)
    assert any((a != b).any() for a, b in zip(before, kept[0], strict=True))
    for a, b in zip(kept[0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_gan_fit_keeps_sums_in_pairs_and_restores_the_options(make_gan, images):
    """Merged by the optimizer of graphs, they would round by what ran first."""

    def merging():
        return tf.config.optimizer.get_experimental_options().get("arithmetic_optimization", True)

    seen = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda b, logs: seen.append(merging())
    )
    make_gan(GAN).fit(images[:20], batch_size=20, callbacks=[look], verbose=0)
    assert (seen, merging()) == ([False], True)
    broken = np.full((20, 8, 8, 1), 0.5, np.float32)
    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda b, logs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_gan(GAN).fit(broken, batch_size=20, callbacks=[stop], verbose=0)
    assert merging()


def test_objectives_never_push_the_generator_from_the_data():
    for name, objective in OBJECTIVES.items():
        t = tf.constant(np.linspace(-5, 5, 41))
        with tf.GradientTape() as tape:
            tape.watch(t)
            loss = objective.generator(t)
        assert (tape.gradient(loss, t).numpy() <= 0).all(), name


def test_generate_changes_the_codes_that_are_set_and_no_others(make_gan):
    model = make_gan(codes=[Code("digit", Categorical(4)), Code("a", Uniform())])
    parts = model.latents.sample(5, model.drawing_seed(7))
    parts["digit"] = tf.one_hot([2] * 5, 4)
    expected = model.generator(model.latents.join(parts))
    np.testing.assert_allclose(model.generate(5, {"digit": 2}, seed=7), expected, atol=1e-6)


def test_generate_takes_codes(make_gan):
    model = make_gan(
        codes=[Code("digit", Categorical(4)), Code("a", Uniform()), Code("b", Normal())]
    )
    x = model.generate(3, {"digit": 2, "a": [-1.0, 0.0, 1.0]}, seed=7)
    assert x.shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(x, model.generate(3, {"digit": 2, "a": [-1, 0, 1]}, seed=7))
    assert not np.array_equal(x, model.generate(3, {"digit": 1, "a": [-1, 0, 1]}, seed=7))
    assert not np.array_equal(model.generate(2), model.generate(2))
    for codes, words in (
        ({"digit": 4}, "0 to 3"),
        ({"digit": 1.5}, "0 to 3"),
        ({"a": 1.2}, "-1 to 1"),
        ({"c": 1}, "codes are digit, a, b"),
        ({"a": [0.0, 0.1]}, "one value or 3"),
    ):
        with pytest.raises(ValueError, match=words):
            model.generate(3, codes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "nothing"}, "objective is one of"),
        ({"update": "never"}, "simultaneous"),
        ({"discriminator_steps": 2}, "alternating"),
        ({"r1": -1.0}, "at least 0"),
        ({"gradient_penalty": math.nan}, "finite"),
        ({"update": "alternating", "discriminator_steps": 1.9}, "integer of at least 1"),
        ({"noise_dim": 3.5}, "integer"),
        ({"label_smoothing": 0.1, "objective": "hinge"}, "non_saturating"),
        ({"noise_dim": 7}, "takes latents"),
    ],
)
def test_gan_refuses_settings_that_make_no_sense(make_gan, settings, words):
    with pytest.raises(ValueError, match=words):
        make_gan(GAN, **settings)


def test_gan_fit_refuses_pixels_outside_0_and_1(make_gan, images):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        make_gan(GAN).fit(images * 2 - 1)


def test_conv_discriminator_spectral_normalization_bounds_kernels():
    keras.utils.set_random_seed(0)
    net = networks.ConvDiscriminator((8, 8, 1), (4, 6), 8, normalization="spectral")
    x = np.random.default_rng(0).uniform(size=(16, 8, 8, 1)).astype(np.float32)
    for _ in range(30):
        net(x, training=True)
    for name in ("convolution_0", "convolution_1", "hidden", "logits"):
        kernel = np.asarray(net.get_layer(f"{name}_spectral").kernel)
        matrix = kernel.reshape(-1, kernel.shape[-1])
        assert np.linalg.norm(matrix, 2) == pytest.approx(1, rel=0.02), name


def test_gan_gradient_penalty_is_between_real_and_generated_data():
    """With T(x) = x^2 / 2 the slope at x is |x|, and x is uniform between 0 and 3."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda z: 0 * z + 3)])
    critic = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x**2 / 2)])
    model = GAN(generator, critic, 1, objective="wasserstein")
    model.compile()
    logs = model.evaluate(np.zeros((50_000, 1), np.float32), batch_size=50_000, return_dict=True)
    assert logs["gradient_norm"] == pytest.approx(1.5, abs=0.02)
    assert logs["gradient_penalty"] == pytest.approx(1.0, abs=0.02)  # 3^2 / 3 - 3 + 1
    found = model.terms(tf.zeros((50_000, 1)), None, tf.constant([1, 2]), training=False)
    extra = found["discriminator_objective"] - found["discriminator_loss"]
    assert float(extra) == pytest.approx(10 * float(found["gradient_penalty"]), rel=1e-5)


def test_gan_penalty_is_between_real_and_generated_data_on_one_side_of_0():
    """Between 1 and 3 the slope |x| of x^2 / 2 has the mean 2, and (|x| - 1)^2 the mean 4/3."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda z: 0 * z + 3)])
    critic = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x**2 / 2)])
    model = GAN(generator, critic, 1, objective="wasserstein")
    terms = model.terms(tf.ones((50_000, 1)), None, tf.constant([0, 1]), training=False)
    assert float(terms["gradient_norm"]) == pytest.approx(2, abs=0.02)
    assert float(terms["gradient_penalty"]) == pytest.approx(4 / 3, abs=0.03)


def test_gan_discriminator_steps_have_noise_of_their_own(make_gan, images):
    losses = []
    for turns in (1, 2):
        model = make_gan(GAN, update="alternating", discriminator_steps=turns)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
        logs = model.train_on_batch(images, return_dict=True)
        losses.append(float(logs["discriminator_loss"]))  # the last turn's
    seed = seeds.fold_seed(model.seed, seeds.TRAIN, 0)
    generators = model.terms(tf.constant(images), None, seed, training=True)
    assert len({*losses, float(generators["discriminator_loss"])}) == 3


@pytest.mark.parametrize("bad", [0, 1])
def test_gan_discriminator_steps_stop_at_a_loss_that_is_not_finite(bad):
    """The discriminator's loss overflows in one of two turns; nobody moves from there on."""
    turn = tf.Variable(0)

    class Overflowing(keras.layers.Layer):
        def call(self, x):
            count = turn.assign_add(1)
            # Of each turn's two looks, at generated and at real data.
            return tf.where((count - 1) // 2 == bad, np.inf, 1.0) * x

    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    discriminator = keras.Sequential([keras.Input((1,)), Overflowing(), keras.layers.Dense(1)])
    turn.assign(0)
    model = GAN(generator, discriminator, 1, update="alternating", discriminator_steps=2)
    model.compile()
    before = generator.get_weights()
    with pytest.raises(FloatingPointError):
        model.fit(np.ones((8, 1), np.float32), batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == 0
    assert int(model.discriminator_optimizer.iterations) == bad
    for a, b in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "dtype", [pytest.param("float32", marks=pytest.mark.slow), "mixed_bfloat16"]
)
def test_conv_discriminator_spectral_kernels_come_back_after_nan(images, dtype):
    keras.utils.set_random_seed(0)
    generator = networks.ConvGenerator((8, 8, 1), 5, (4, 3), 8, dtype=dtype)
    discriminator = networks.ConvDiscriminator((8, 8, 1), (3, 4), 8, "spectral", dtype=dtype)
    model = GAN(generator, discriminator, 5, dtype=dtype)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    model.fit(images, batch_size=20, verbose=0)
    kernel = discriminator.get_layer("hidden_spectral").layer.kernel
    after = np.array(kernel)
    rounded = tf.cast(tf.cast(after, tf.bfloat16), tf.float32)
    assert np.abs(after - rounded).max() > 0
    batches = np.stack([images[:20]] * 2)
    batches[1, 3] = np.nan
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(np.array(kernel))
    )
    data = tf.data.Dataset.from_tensor_slices(batches)
    with pytest.raises(FloatingPointError):
        model.fit(data, callbacks=[watch], verbose=0)
    assert np.abs(seen[1] - seen[0]).max() > 0
    np.testing.assert_array_equal(kernel, seen[1])
