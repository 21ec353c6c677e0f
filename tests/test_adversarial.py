import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions import CategoricalNormal, StandardNormal
from keras_infomodels.divergences import Adversarial, Partwise, TotalCorrelation
from keras_infomodels.networks import MLPDiscriminator

tfd = tfp.distributions


def exact_discriminator(mean):
    """T = log N(z; 0, 1) - log N(z; m, 1) = m^2/2 - m z."""
    z = keras.Input((1,))
    layer = keras.layers.Dense(1)
    network = keras.Model(z, layer(z))
    layer.set_weights([np.array([[-mean]]), np.array([mean**2 / 2])])
    return network


def trained(divergence, draw, reference_prior, steps=1500):
    """The divergence after its discriminator was trained on z from `draw(seed)`."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps))
    variables = divergence.discriminator.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(i):
        seeds = tf.random.experimental.stateless_split(tf.stack([i, 0]), num=2)
        with tf.GradientTape() as tape:
            loss = divergence.discriminator_loss(draw(seeds[0]), reference_prior, seeds[1])
        optimizer.apply(tape.gradient(loss, variables), variables)

    for i in tf.range(steps):
        step(i)
    return divergence


@pytest.mark.parametrize(
    ("mean", "jsd"),
    [
        (2.0, 0.3368),
        pytest.param(1.0, 0.1114, marks=pytest.mark.slow),
        pytest.param(4.0, 0.6327, marks=pytest.mark.slow),
    ],
)
def test_adversarial_estimates_equal_closed_forms(mean, jsd):
    divergence = Adversarial(exact_discriminator(mean))
    prior = StandardNormal(1).distribution()
    z = tf.random.stateless_normal((100_000, 1), [1, 2]) + mean
    estimates = divergence.estimates(z, prior, tf.constant([3, 4]))
    loss = divergence.discriminator_loss(z, prior, tf.constant([3, 4]))
    assert float(loss) == pytest.approx(2 * np.log(2) - 2 * jsd, abs=0.01)
    assert estimates["jensen_shannon"].nats == pytest.approx(jsd, abs=0.005)
    assert estimates["log_ratio"].nats == pytest.approx(mean**2 / 2, rel=0.02)
    # -T is N(m^2/2, m^2) under q.
    assert estimates["log_ratio"].standard_error == pytest.approx(mean / 100_000**0.5, rel=0.02)
    assert estimates["jensen_shannon"].kind == "lower bound"
    assert estimates["jensen_shannon"].ceiling == pytest.approx(np.log(2))


def test_adversarial_noise_blurs_both_distributions():
    """With noise of variance 3, N(4, 1) and N(0, 1) are as far apart as N(2, 1) and N(0, 1)."""
    z = tf.random.stateless_normal((100_000, 1), [1, 2]) + 4
    prior = StandardNormal(1).distribution()
    # T = log N(z; 0, 4) - log N(z; 4, 4) = 2 - z
    network = exact_discriminator(1.0)
    network.set_weights([np.array([[-1.0]]), np.array([2.0])])
    divergence = Adversarial(network, "log_ratio", noise=3**0.5)
    estimates = divergence.estimates(z, prior, tf.constant([3, 4]))
    assert estimates["jensen_shannon"].nats == pytest.approx(0.3368, abs=0.005)
    assert estimates["log_ratio"].nats == pytest.approx(2, rel=0.02)
    loss = divergence(z, None, prior, tf.constant([3, 4]))
    assert float(loss) == pytest.approx(2, rel=0.02)
    trained = divergence.discriminator_loss(z, prior, tf.constant([3, 4]))
    assert float(trained) == pytest.approx(2 * np.log(2) - 2 * 0.3368, abs=0.01)
    with pytest.raises(ValueError, match="noise is a finite number of at least 0"):
        Adversarial(network, noise=-1.0)


@pytest.mark.parametrize(
    ("mean", "jsd"),
    [(1.0, 0.1114), (2.0, 0.3368), pytest.param(4.0, 0.6327, marks=pytest.mark.slow)],
)
def test_adversarial_discriminator_loss_reaches_its_optimum(mean, jsd):
    keras.utils.set_random_seed(0)
    prior = StandardNormal(1).distribution()
    divergence = trained(
        Adversarial(MLPDiscriminator(1, widths=(32, 32))),
        lambda seed: tf.random.stateless_normal((256, 1), seed) + mean,
        prior,
    )
    z = tf.random.stateless_normal((100_000, 1), [1, 2]) + mean
    loss = float(divergence.discriminator_loss(z, prior, tf.constant([5, 6])))
    assert loss == pytest.approx(2 * np.log(2) - 2 * jsd, abs=0.015)


def test_adversarial_loss_equals_its_three_formulas():
    z, prior = tf.constant([[0.3], [2.0], [-1.0]]), StandardNormal(1).distribution()
    t = (0.5 - z.numpy()).ravel()
    d = 1 / (1 + np.exp(-t))
    expected = {
        "saturating": np.mean(np.log(1 - d)),
        "non_saturating": np.mean(-np.log(d)),
        "log_ratio": np.mean(-t),
    }
    for loss, value in expected.items():
        divergence = Adversarial(exact_discriminator(1.0), loss)
        assert float(divergence(z, None, prior, None)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("loss", ["saturating", "non_saturating", "log_ratio"])
def test_adversarial_loss_moves_encodings_to_the_prior(loss):
    z = tf.Variable([[1.0], [3.0]])
    with tf.GradientTape() as tape:
        value = Adversarial(exact_discriminator(2.0), loss)(z, None, None, None)
    assert (tape.gradient(value, z).numpy() > 0).all()


def test_adversarial_discriminator_loss_has_no_gradient_for_z():
    z = tf.Variable([[1.0], [3.0]])
    divergence = Adversarial(exact_discriminator(2.0))
    with tf.GradientTape() as tape:
        loss = divergence.discriminator_loss(z, StandardNormal(1).distribution(), [1, 2])
    assert tape.gradient(loss, z) is None


def test_total_correlation_discriminator_loss_has_no_gradient_of_z():
    z = tf.Variable(tf.random.stateless_normal((6, 2), [0, 1]))
    divergence = TotalCorrelation(MLPDiscriminator(2))
    with tf.GradientTape() as tape:
        loss = divergence.discriminator_loss(z, None, tf.constant([1, 2]))
    assert tape.gradient(loss, z) is None
    with tf.GradientTape() as tape:
        shuffled = divergence.reference(z, None, tf.constant([1, 2]))
    assert tape.gradient(shuffled, z) is None


def test_total_correlation_reference_keeps_the_marginals_and_breaks_the_rest():
    x = tf.random.stateless_normal((500, 1), [1, 1])
    z = tf.concat([x, x, -x], axis=1)
    reference = TotalCorrelation(MLPDiscriminator(3)).reference(z, None, tf.constant([3, 3]))
    np.testing.assert_array_equal(np.sort(reference, axis=0), np.sort(z, axis=0))
    correlation = np.corrcoef(reference.numpy().T)
    assert np.abs(correlation[~np.eye(3, dtype=bool)]).max() < 0.15


@pytest.mark.slow
def test_total_correlation_of_a_gaussian():
    """TC = -1/2 ln(1 - rho^2) for two standard normals of correlation rho."""
    keras.utils.set_random_seed(0)
    rho = 0.8

    def draw(seed, n=512):
        e = tf.random.stateless_normal((n, 2), seed)
        second = rho * e[:, :1] + np.sqrt(1 - rho**2).astype("f") * e[:, 1:]
        return tf.concat([e[:, :1], second], axis=1)

    divergence = trained(TotalCorrelation(MLPDiscriminator(2, widths=(64, 64))), draw, None)
    z = draw(tf.constant([9, 9]), 50_000)
    truth = pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.05)
    assert float(divergence(z, None, None, None)) == truth
    assert divergence.estimates(z, None, tf.constant([7, 8]))["log_ratio"].nats == truth


def test_partwise_estimates_use_each_parts_discriminator():
    prior = CategoricalNormal(3, 2).distribution()
    parts = {
        "category": Adversarial(MLPDiscriminator(3, widths=(8,)), noise=0.3),
        "z": Adversarial(MLPDiscriminator(2, widths=(8,))),
    }
    z, seed = tf.random.stateless_normal((50, 5), [1, 2]), tf.constant([3, 4])
    estimates = Partwise(**parts).estimates(z, prior, seed)
    columns = {"category": z[:, :3], "z": z[:, 3:]}
    expected = {
        f"{quantity}_{name}": estimate
        for (name, part), block in zip(parts.items(), prior.distributions, strict=True)
        for quantity, estimate in part.estimates(columns[name], block, seed).items()
    }
    assert set(estimates) == {
        "jensen_shannon_category",
        "log_ratio_category",
        "jensen_shannon_z",
        "log_ratio_z",
    }
    assert estimates == expected


def test_adversarial_reference_draws_anew_for_each_seed():
    divergence = Adversarial(exact_discriminator(1.0))
    z, prior = tf.zeros((1000, 1)), StandardNormal(1).distribution()
    a, b = (divergence.reference(z, prior, tf.constant([0, s])).numpy()[:, 0] for s in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.15


def test_adversarial_estimates_run_without_dropout():
    """Its dropout is for training."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5)])
    z, prior = tf.ones((1000, 1)), StandardNormal(1).distribution()
    found = Adversarial(network).estimates(z, prior, tf.constant([0, 1]))
    assert found["log_ratio"].nats == pytest.approx(-1.0)
    assert found["log_ratio"].standard_error == pytest.approx(0.0, abs=1e-7)


def test_adversarial_get_config_keeps_loss_and_noise():
    config = Adversarial(MLPDiscriminator(latent_dim=2), "log_ratio", noise=0.5).get_config()
    again = Adversarial.from_config(config)
    assert (again.loss, again.noise) == ("log_ratio", 0.5)


def test_adversarial_refuses_unknown_loss_and_two_logits():
    with pytest.raises(ValueError, match="log_ratio"):
        Adversarial(MLPDiscriminator(1), "wasserstein")
    z = keras.Input((2,))
    two = keras.Model(z, keras.layers.Dense(2)(z))
    with pytest.raises(ValueError, match="one logit"):
        Adversarial(two).check(StandardNormal(2).distribution(), 2)


def test_total_correlation_reference_shuffles_anew_each_step():
    divergence = TotalCorrelation(MLPDiscriminator(2))
    z = tf.random.stateless_normal((50, 2), [0, 1])
    first, second = (divergence.reference(z, None, tf.constant([0, step])) for step in (1, 2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(second, axis=0))
