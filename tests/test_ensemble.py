import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.information import (
    ConvolutionalCritic,
    MutualInformation,
    SeparableCritic,
    copula_information,
)
from keras_infomodels.information.columns import prepare_columns, read_side
from keras_infomodels.information.copula import GaussianRatio, shuffled_copula
from keras_infomodels.information.critics import StackedCritic
from keras_infomodels.information.ensemble import split_inputs
from keras_infomodels.information.members import Inputs, Members, gaussian_scores

FAST = {"epochs": 12, "patience": 3, "batch_size": 128}


def prepared(*sides):
    return [prepare_columns(read_side(side, "x")) for side in sides]


def test_stacked_critic_is_several_separable_critics():
    keras.utils.set_random_seed(0)
    stacked = StackedCritic(2, embedding=5, width=7)
    x, y = (keras.random.normal((4, d), seed=d) for d in (3, 2))
    stacked((x[None], y[None]))
    for weight in stacked.weights:
        weight.assign(keras.random.normal(weight.shape, seed=len(weight.shape)))
    both = stacked((tf.stack([x, x]), tf.stack([y, y])))
    assert both.shape == (2, 4, 4)
    single = SeparableCritic(5, (7, 7), activation=lambda a: tf.nn.gelu(a, approximate=True))
    single((x, y))
    for side, weights in zip((single.x_side, single.y_side), stacked.sides, strict=True):
        first, second = side.hidden.layers
        for layer, name in ((first, "first"), (second, "second"), (side.linear, "linear")):
            layer.set_weights([weights[name][1], weights[f"{name}_bias"][1, 0]])
        side.network.set_weights([weights["network"][1]])
        side.own.set_weights([weights["own"][1], np.zeros(1)])
    np.testing.assert_allclose(both[1], single((x, y)), atol=1e-4)


def test_stacked_critic_starts_at_zero():
    stacked = StackedCritic(3)
    scores = stacked((np.ones((1, 4, 2), np.float32), np.ones((1, 5, 2), np.float32)))
    np.testing.assert_array_equal(scores, np.zeros((3, 4, 5)))


def test_convolutional_critic_takes_images_and_tables():
    critic = ConvolutionalCritic((8, 8, 1), (3,), embedding=4, filters=(2,), units=5)
    again = ConvolutionalCritic.from_config(critic.get_config())
    x, y = np.ones((6, 8, 8, 1), np.float32), np.ones((4, 3), np.float32)
    assert critic((x, y)).shape == again((x, y)).shape == (6, 4)


def test_gaussian_scores_are_the_log_ratio():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 1))
    y = 0.8 * x + 0.6 * rng.normal(size=x.shape)
    ratio = GaussianRatio.fit(x, y)
    scores = gaussian_scores(ratio, tf.constant(x[:3]), tf.constant(y[:2])).numpy()
    precise = x[:3], y[:2]
    exact = np.empty((3, 2))
    for i, a in enumerate(precise[0][:, 0]):
        for j, b in enumerate(precise[1][:, 0]):
            exact[i, j] = -0.5 * (((b - 0.8 * a) / 0.6) ** 2 - b * b) - math.log(0.6)
    np.testing.assert_allclose(scores, exact, atol=0.2)


def test_gaussian_ratio_shrinks_collinear_columns():
    """Forty columns of one number and tiny noise, from 60 rows: certain where not shrunk."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 1))
    x = z + 1e-3 * rng.normal(size=(60, 40))
    y = rng.normal(size=(60, 10))
    plain, shrunk = (GaussianRatio.fit(x, y, shrink=s).constant for s in (False, True))
    assert plain > 1.5
    assert shrunk < 0.2


def test_shuffled_copula_spreads_as_gaussians_do():
    x, y = np.random.default_rng(0).normal(size=(2, 500, 8))
    found = shuffled_copula(x, y, np.random.default_rng(1), 40)
    assert found.nats == pytest.approx(0, abs=4 * found.standard_error / math.sqrt(40))
    assert found.standard_error == pytest.approx(math.sqrt(8 * 8 / 2) / 500, rel=0.3)


def test_split_inputs_selects_the_columns_that_depend():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 5))
    y = np.sin(3 * x[:, 2]) + 0.2 * rng.normal(size=1500)
    parts, (of_x, of_y) = split_inputs(*prepared(x, y), 0)
    assert of_x.tolist() == [False, False, True, False, False]
    assert of_y.tolist() == [True]
    sizes = [len(part[0]) for part in (parts.train, parts.validation, parts.test)]
    assert sizes == [975, 225, 300]


def test_members_mask_columns():
    keras.utils.set_random_seed(0)
    critic = StackedCritic(2, 4, 4)
    x, y = np.ones((1, 3, 2), np.float32), np.ones((1, 3, 1), np.float32)
    inputs = [Inputs(np.array([[1, 1], [1, 0]]), [True, True]), Inputs(np.ones((2, 1)), [True] * 2)]
    critic((inputs[0](x), inputs[1](y)))
    for weight in critic.weights:
        weight.assign(keras.random.normal(weight.shape, seed=1))
    members = Members(critic, inputs, None, [0.0, 0.0])
    before, changed = members(x, y), members(x * [[[1.0, 5.0]]], y)
    np.testing.assert_array_equal(before[1], changed[1])
    assert np.abs(before[0] - changed[0]).max() > 1e-3


def test_inputs_add_the_norm_of_the_columns_that_a_member_sees():
    x = np.random.default_rng(0).normal(size=(1, 4000, 3)).astype(np.float32)
    columns = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    found = Inputs(columns, [True, True, False])(x).numpy()
    assert found.shape == (3, 4000, 4)
    np.testing.assert_array_equal(found[1, :, 1], 0)
    expected = ((x[0, :, [0, 2]] ** 2).sum(axis=0) - 2) / 2
    np.testing.assert_allclose(found[1, :, 3], expected.clip(-4, 4), atol=1e-4)
    assert found[0, :, 3].mean() == pytest.approx(0, abs=0.05)
    assert found[0, :, 3].std() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(found[2, :, 3], 0)


def test_trained_finds_one_column_of_many():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 6))
    y = np.sin(3 * x[:, 2]) + 0.2 * rng.normal(size=1200)
    estimate = MutualInformation(**FAST).fit(x, y)
    # 1.154 by quadrature. The copula would say 0.
    assert 0.85 < estimate.nats < 1.25
    assert estimate.interval[0] < 1.154
    assert {"plain", "warm", "selected", "shuffled", "best pair"} <= set(estimate.checks)
    assert abs(estimate.checks["shuffled"].nats) < 0.1
    assert estimate.checks["ratio"].nats < 0.1


def test_trained_says_nothing_of_what_is_independent():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(800, 4)), rng.normal(size=(800, 3))
    estimate = MutualInformation(epochs=4, patience=1).fit(x, y)
    assert estimate.nats == pytest.approx(0, abs=0.03)
    assert estimate.is_nothing()
    assert estimate.interval[0] <= 0 <= estimate.interval[1]


def test_trained_says_nothing_of_pixels_that_are_independent():
    """The error of the copula is for Gaussians: of these it says .26 nats, 5 errors."""
    rng = np.random.default_rng(9)
    grid = np.arange(8)
    centers = 4 + 1.1 * rng.normal(size=(2, 2, 1200, 1)).clip(-3, 3)
    x, y = (
        (np.exp(-((grid - a) ** 2) / 2)[:, :, None] * np.exp(-((grid - b) ** 2) / 2)[:, None])
        for a, b in centers
    )
    x, y = (side.reshape(1200, -1) for side in (x, y))
    copula = copula_information(x, y)
    assert copula.nats > 3 * copula.standard_error
    estimate = MutualInformation(epochs=4, patience=1).fit(x, y)
    assert estimate.nats == pytest.approx(0, abs=0.03)
    assert estimate.is_nothing()
    assert estimate.checks["copula, shuffled"].standard_error > 0.1


def test_trained_takes_images():
    """A bar at one of 8 columns on either side, the same with probability 1/2."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 8, 1200)
    b = np.where(rng.uniform(size=1200) < 0.5, a, rng.integers(0, 8, 1200))
    images = [np.repeat(np.eye(8)[c][:, None], 8, axis=1) for c in (a, b)]
    joint = (0.5 * np.eye(8) + 0.5 / 8) / 8
    truth = np.sum(joint * np.log(joint * 64))
    estimate = MutualInformation(**FAST).fit(*images)
    assert estimate.nats == pytest.approx(truth, abs=0.2)
    assert estimate.method == "info_nce"
    bound = MutualInformation("info_nce", epochs=1).fit(*images)
    assert bound.kind == "lower bound"
    with pytest.raises(ValueError, match="takes tables"):
        MutualInformation("ksg").fit(*images)
