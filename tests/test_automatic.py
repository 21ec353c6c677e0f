"""What "auto" says of data that people have; none of these needs TensorFlow."""

import math

import numpy as np
import pytest

from keras_infomodels.information import (
    Estimate,
    JointTable,
    MutualInformation,
    grassberger,
    mixed_ksg,
)
from keras_infomodels.information.automatic import automatic
from keras_infomodels.information.checks import pair_floor
from keras_infomodels.information.columns import prepare_columns, read_side


def fit(x, y, **kwargs) -> Estimate:
    return MutualInformation(**kwargs).fit(x, y)


def covers(estimate: Estimate, truth: float) -> bool:
    lower, upper = estimate.interval
    return lower <= truth <= (math.inf if upper is None else upper)


def test_automatic_finds_nothing_in_integers_that_are_independent():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 20, (1000, 3)), rng.integers(0, 10, 1000)
    estimate = fit(x, y)
    assert estimate.nats == pytest.approx(0, abs=0.06)
    assert estimate.is_nothing()
    assert "not distinguishable from 0" in str(estimate)
    two = rng.normal(size=(2, 1000))
    assert fit(*(np.round(two / 0.15) * 0.15)).nats == pytest.approx(0, abs=0.06)
    many = [rng.integers(0, 30, 1000).astype(str) for _ in range(2)]  # 900 cells, 1,000 rows
    assert fit(*many).nats == pytest.approx(0, abs=0.02)


def test_automatic_reads_one_hot_columns_and_codes_as_labels():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 40, 1200)
    effects = 3 * rng.normal(size=40)
    y = effects[code] + 0.5 * rng.normal(size=1200)
    grid = np.linspace(-15, 15, 6001)
    p = np.exp(-0.5 * ((grid - effects[:, None]) / 0.5) ** 2) / (0.5 * math.sqrt(2 * math.pi))
    q = p.mean(axis=0)
    truth = np.trapezoid(np.sum(p * np.log((p + 1e-300) / (q + 1e-300)), axis=0) / 40, grid)
    for x in (code, code.astype(str), np.eye(40)[code]):
        estimate = fit(x, y)
        assert estimate.nats == pytest.approx(truth, abs=0.1)
        assert covers(estimate, truth)


def test_automatic_knows_products_by_price_and_weight():
    rng = np.random.default_rng(0)
    item = rng.integers(0, 50, 1000)
    price, weight = (rng.permutation(1000)[:50] / 8 for _ in range(2))
    estimate = fit(price[item], weight[item])
    assert estimate.nats == pytest.approx(math.log(50), abs=0.05)
    assert estimate.note == ""


def test_automatic_never_takes_the_plug_in_of_many_cells():
    """A permuted code of 30, replaced half of the time: 900 cells for 1,500 rows."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 30, 1500)
    y = np.where(rng.uniform(size=1500) < 0.5, rng.integers(0, 30, 1500), rng.permutation(30)[x])
    table = JointTable((0.5 * np.eye(30) + 0.5 / 30) / 30)
    truth = table.mutual_information("x", "y").nats
    estimate = fit(x.astype(str), y.astype(str))
    assert estimate.method == "table"
    assert estimate.nats == pytest.approx(truth, abs=0.12)
    assert covers(estimate, truth)
    assert estimate.checks["held-out bound"].nats < truth


def test_automatic_bounds_what_many_columns_tell_of_a_label():
    """Twenty columns, two of which are shifted by one deviation: d' = sqrt(2)."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000)
    x = rng.normal(size=(1000, 20))
    x[:, :2] += label[:, None]
    grid = np.linspace(-8, 10, 4001)
    p = np.exp(-0.5 * (grid - np.array([[0.0], [math.sqrt(2)]])) ** 2) / math.sqrt(2 * math.pi)
    truth = np.trapezoid(np.sum(p * np.log(p / p.mean(axis=0)), axis=0) / 2, grid)
    estimate = fit(x, label)
    assert (estimate.method, estimate.kind) == ("classifier", "lower bound")
    assert truth - 0.06 < estimate.nats < truth + 2 * estimate.standard_error
    assert covers(estimate, truth)
    assert estimate.ceiling == pytest.approx(math.log(2))
    nothing = fit(x, rng.permutation(label))
    assert nothing.nats == pytest.approx(0, abs=0.03)


def test_automatic_sees_a_table_behind_an_exclusive_or():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (800, 6))
    y = bits[:, 1] ^ bits[:, 4]
    estimate = fit(bits, y)
    assert estimate.nats == pytest.approx(math.log(2), abs=0.1)


def test_known_relation_of_counts_is_the_entropy_of_their_sum():
    rng = np.random.default_rng(0)
    x = rng.poisson(20, size=(1500, 2))
    k = np.arange(200)
    log_p = k * math.log(40) - 40 - np.array([math.lgamma(i + 1) for i in k])
    entropy = -np.sum(np.exp(log_p) * log_p)
    estimate = fit(x, x.sum(axis=1))
    assert estimate.nats == pytest.approx(entropy, abs=0.06)
    assert covers(estimate, entropy)
    assert math.isinf(fit(x + rng.normal(size=x.shape), x[:, 0] * 0.5).nats) is False
    wide = rng.integers(0, 10**6, size=(300, 2))
    alone = fit(wide, wide.sum(axis=1))  # finite, but not from 300 rows
    assert alone.kind == "lower bound"
    assert alone.nats > 5


def test_pair_floor_finds_the_one_column_that_tells():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 5))
    y = np.sin(3 * x[:, 3]) + 0.2 * rng.normal(size=1500)
    sides = [prepare_columns(read_side(side, "x")) for side in (x, y)]
    bound, near, pair = pair_floor(*sides, seed=0)
    assert pair == (3, 0)
    assert 0.85 < bound.nats < 1.154 + 2 * bound.standard_error  # by quadrature
    assert near.nats == pytest.approx(1.154, abs=0.1)


@pytest.mark.parametrize("truth_in_both", [True, False])
def test_automatic_switches_view_only_for_a_gain(truth_in_both):
    """Rounded Gaussians are numbers: as labels each is rare."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=1500)
    y = 0.75 * x + math.sqrt(1 - 0.75**2) * rng.normal(size=1500)
    y = y if truth_in_both else rng.permutation(y)
    estimate = fit(np.round(x / 0.15), np.round(y / 0.15))
    truth = -0.5 * math.log(1 - 0.75**2) if truth_in_both else 0
    assert estimate.nats == pytest.approx(truth, abs=0.06)
    assert covers(estimate, truth)


def test_automatic_intervals_cover_gaussians():
    covered = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=500)
        estimate = fit(x, 0.6 * x + 0.8 * rng.normal(size=500), seed=seed)
        lower, upper = estimate.interval
        covered += lower <= -math.log(0.8) <= upper
        assert upper - lower < 0.4
        assert estimate.assumption
    assert covered >= 9


def test_mixed_ksg_of_labels_is_that_of_far_points():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 500)
    x, y = rng.normal(size=(2, 500, 1))
    y = y + label[:, None]
    apart = np.hstack([x, 1000 * np.eye(4)[label]])
    assert mixed_ksg(x, y, 3, label).nats == pytest.approx(mixed_ksg(apart, y).nats, abs=1e-9)
    other = rng.integers(0, 3, 500)
    both = mixed_ksg(x, y, 3, label, other).nats
    assert both == pytest.approx(mixed_ksg(apart, np.hstack([y, 1000 * np.eye(3)[other]])).nats)
    alone = mixed_ksg(np.zeros((500, 0)), y, 3, np.arange(500))
    assert alone.nats == pytest.approx(0, abs=0.01)  # labels that no row shares tell nothing


def test_grassberger_is_less_biased_than_the_plug_in():
    """Three rows a cell; without dependence, and H = ln 10 where y repeats x."""
    rng = np.random.default_rng(0)
    values = [
        grassberger(rng.integers(0, 10, 300), rng.integers(0, 10, 300)).nats for _ in range(20)
    ]
    assert np.mean(values) == pytest.approx(0, abs=0.02)
    x = rng.integers(0, 10, 300)
    assert grassberger(x, x).nats == pytest.approx(math.log(10), abs=0.01)


def test_estimate_as_dict_holds_checks_and_interval():
    rng = np.random.default_rng(0)
    estimate = fit(*rng.normal(size=(2, 200)))
    found = estimate.as_dict()
    assert found["interval"] == list(estimate.interval)
    assert found["assumption"] == estimate.assumption
    assert set(found["checks"]) == {"held-out bound", "shuffled"}


def test_automatic_of_columns_is_what_fit_returns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300))
    sides = [prepare_columns(read_side(side, "x")) for side in (x, y)]
    settings = MutualInformation().settings
    assert automatic(*sides, 3, 0, settings).nats == fit(x, y).nats


@pytest.mark.parametrize(
    ("nats", "error", "lower", "shuffled", "words"),
    [
        (0.03, 0.02, -0.01, (0.01, 0.02), "not distinguishable from 0"),
        (0.03, 0.02, 0.001, (0.01, 0.02), ""),  # the held-out bound is above 0
        (0.08, 0.02, -0.01, (0.01, 0.04), "not distinguishable from shuffled pairs"),
        (0.08, 0.02, -0.01, (0.01, 0.01), ""),
        (0.03, 0.02, None, (0.01, 0.02), "not distinguishable from 0"),
    ],
)
def test_estimate_is_nothing_only_if_its_interval_includes_0(nats, error, lower, shuffled, words):
    interval = None if lower is None else (lower, 0.2)
    checks = {"shuffled": Estimate(*shuffled)}
    estimate = Estimate(nats, error, checks=checks, interval=interval)
    assert estimate.doubt() == words
    assert estimate.is_nothing() == bool(words)
    assert ("not distinguishable" in str(estimate)) == bool(words)


def test_automatic_with_an_interval_above_0_finds_something():
    """A weak dependence of an answer on a scale of 1 to 5; its held-out bound is above 0."""
    rng = np.random.default_rng(3)
    age = rng.integers(18, 80, 600)
    answer = np.clip(np.round(3 + 0.012 * (age - 45) + rng.normal(size=600)), 1, 5)
    for seed in (0, 1):
        estimate = fit(age, answer, seed=seed)
        assert estimate.interval[0] > 0
        assert "distinguishable" not in str(estimate)


def test_estimate_interval_holds_floats_and_the_value():
    estimate = Estimate(np.float64(-0.001), np.float64(0.0), interval=(np.float64(0), 7.1e-5))
    assert estimate.interval == (-0.001, 7.1e-5)
    assert Estimate(0.3, interval=(0.1, 0.2)).interval == (0.1, 0.3)
    assert Estimate(0.3, interval=(0.1, None)).interval == (0.1, None)
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    estimate = fit(x, x + rng.normal(size=300))
    numbers = (estimate.nats, estimate.standard_error, *estimate.interval)
    assert {type(number) for number in numbers} == {float}
