import math

import numpy as np
import pytest
from scipy.special import digamma

from keras_infomodels.information import (
    Estimate,
    MutualInformation,
    copula_information,
    gaussian_information,
    ksg,
    mixed_ksg,
    nearest_neighbor_entropy,
    normal_scores,
)
from keras_infomodels.information.estimate import mean_of_orders


def normal_pairs(n, *correlations, seed=0):
    rng, r = np.random.default_rng(seed), np.array(correlations)
    x = rng.normal(size=(n, len(r)))
    return x, r * x + np.sqrt(1 - r**2) * rng.normal(size=x.shape)


def exact(*correlations):
    return -0.5 * sum(math.log(1 - r**2) for r in correlations)


def textbook_ksg(x, y, k):
    """Kraskov et al., 2004, equation 8, point by point."""
    terms = []
    for i in range(len(x)):
        dx, dy = np.abs(x - x[i]).max(1), np.abs(y - y[i]).max(1)
        joint = np.delete(np.maximum(dx, dy), i)
        epsilon = np.sort(joint)[k - 1]
        nx, ny = np.sum(np.delete(dx, i) < epsilon), np.sum(np.delete(dy, i) < epsilon)
        terms.append(digamma(nx + 1) + digamma(ny + 1))
    return digamma(k) + digamma(len(x)) - np.mean(terms)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.filterwarnings("ignore:Nearest neighbors in 6")
def test_ksg_is_the_textbook_algorithm(d, k):
    x, y = normal_pairs(600, *[0.7] * d, seed=d)
    assert ksg(x, y, k).nats == pytest.approx(textbook_ksg(x, y, k), abs=1e-9)


def test_ksg_of_gaussians_and_of_nothing():
    # A standard error of about .02 at 2,500 points.
    assert ksg(*normal_pairs(2500, 0.8)).nats == pytest.approx(exact(0.8), abs=0.06)
    nothing = [ksg(*normal_pairs(500, 0.0, seed=s)).nats for s in range(20)]
    assert np.mean(nothing) == pytest.approx(0, abs=0.02)
    assert min(nothing) < 0
    with pytest.warns(UserWarning, match="8 dimensions"):
        ksg(*normal_pairs(50, *[0.5] * 4))
    with pytest.raises(ValueError, match="neighbors"):
        ksg(np.zeros(3), np.zeros(3), 3)


def test_mixed_ksg_of_a_label_and_a_number():
    """y one of 5, x uniform on (y, y + 2): ln 5 - 4/5 ln 2 = 1.0549."""
    rng = np.random.default_rng(0)
    y = rng.integers(5, size=4000)
    x = y + rng.uniform(0, 2, size=4000)
    truth = math.log(5) - 0.8 * math.log(2)
    assert mixed_ksg(x, 10 * y).nats == pytest.approx(truth, abs=0.03)
    estimate = MutualInformation().fit(x, np.array(list("abcde"))[y])
    assert estimate.method == "mixed"
    assert estimate.nats == pytest.approx(truth, abs=0.03)
    # Two discrete columns: what is equal has I = H.
    assert mixed_ksg(y, y).nats == pytest.approx(math.log(5), abs=0.01)


def test_mutual_information_of_zeros_among_numbers_is_mixed():
    """x = y = 0 half of the time, else one of Gaussians: H of the event + its share of theirs."""
    a, b = normal_pairs(4000, 0.8)
    zero = np.random.default_rng(1).uniform(size=(4000, 1)) < 0.5
    x, y = np.where(zero, 0, a), np.where(zero, 0, b)
    truth = math.log(2) + 0.5 * exact(0.8)
    estimate = MutualInformation().fit(x, y)
    assert estimate.method == "mixed"
    assert estimate.nats == pytest.approx(truth, abs=0.05)


def test_gaussian_information_is_unbiased_and_its_error_is_its_spread():
    estimates = [gaussian_information(*normal_pairs(100, 0.5, 0, 0, seed=s)) for s in range(400)]
    values = np.array([e.nats for e in estimates])
    # Without the correction of the bias the mean would be .047 higher; the spread is about .053.
    assert values.mean() == pytest.approx(exact(0.5), abs=0.012)
    assert gaussian_information(*normal_pairs(100, 0.0)).nats < 0
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(values.std(), rel=0.15)


def test_gaussian_information_takes_the_exact_bias_off():
    """r = .8 of 5 rows, whose mean bias is (psi(2) - psi(3/2)) / 2 = ln 2 - 1/2."""
    x, y = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.array([-1.0, -2.0, 0.0, 2.0, 1.0])
    expected = -math.log(0.6) - math.log(2) + 0.5
    assert gaussian_information(x, y).nats == pytest.approx(expected)


def test_copula_information_ignores_monotone_maps_of_columns():
    x, y = normal_pairs(4000, 0.6, 0.3)
    plain = copula_information(x, y).nats
    assert copula_information(np.exp(x), y**3).nats == pytest.approx(plain, abs=1e-12)
    assert plain == pytest.approx(exact(0.6, 0.3), abs=0.05)
    assert copula_information(x, np.abs(y)).nats < 0.05
    with pytest.raises(ValueError, match="needs more than 5 rows"):
        gaussian_information(x[:5], y[:5])


def test_nearest_neighbor_entropy():
    x, _ = normal_pairs(4000, 0.5, 0.5)
    expected = math.log(2 * math.pi * math.e)
    assert nearest_neighbor_entropy(x).nats == pytest.approx(expected, abs=0.05)
    expected += 2 * math.log(3)
    assert nearest_neighbor_entropy(3 * x).nats == pytest.approx(expected, abs=0.05)
    with pytest.raises(ValueError, match="Equal rows"):
        nearest_neighbor_entropy(np.zeros(10))


@pytest.mark.parametrize("n", [400, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("unit", [0.02, 0.1])
@pytest.mark.parametrize("r", [0.0, 0.75])
def test_mutual_information_finds_no_dependence_in_rounding(n, unit, r):
    """Nearest neighbors that take every repeated number for a value of its own say up to .22."""
    estimates = []
    for seed in range(3):
        x, y = normal_pairs(n, r, seed=seed)
        estimates.append(MutualInformation().fit(np.round(x / unit), np.round(y / unit)))
    assert {e.method for e in estimates} <= {"ksg", "mixed"}
    mean = np.mean([e.nats for e in estimates])
    assert mean == pytest.approx(exact(r), abs=0.06 if n < 1000 else 0.03)


@pytest.mark.parametrize("estimator", ["auto", "ksg", "mixed"])
def test_mutual_information_of_rounded_numbers_hardly_depends_on_the_seed(estimator):
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = np.round(x + rng.normal(size=2000), 1)
    x = np.round(x, 1)  # about 20 rows a value: one order alone has a deviation of .013
    fits = [MutualInformation(estimator, seed=s).fit(x, y) for s in range(6)]
    nats = [fit.nats for fit in fits]
    assert np.std(nats, ddof=1) < 0.008
    assert np.mean(nats) == pytest.approx(math.log(2) / 2, abs=0.02)


def test_mean_of_orders_has_the_error_of_the_rows_and_of_the_orders():
    estimates = [Estimate(nats, 0.3, "estimate") for nats in (1.0, 1.2, 1.4)]
    mean = mean_of_orders(estimates)
    assert mean.nats == pytest.approx(1.2)
    assert mean.standard_error == pytest.approx(math.sqrt(0.3**2 + 0.04 / 3))
    assert mean_of_orders(estimates[:1]) == estimates[0]


def test_mutual_information_auto_chooses_by_the_data():
    x, y = normal_pairs(300, 0.7, 0.2)
    fit = MutualInformation().fit
    assert fit(x[:, 0], y[:, 0]).method == "ksg"
    assert fit(x, y).method == "copula"  # too few rows for a critic
    assert fit(x[:, 0] > 0, y[:, 0]).method == "mixed"
    assert fit(x > 0, y[:, 0] > 0).method == "miller_madow"
    assert fit({"a": x[:, 0], "b": np.repeat(["u", "v"], 150)}, y[:, 0]).method == "mixed"


def test_mutual_information_of_copies_is_infinite(caplog):
    x, y = normal_pairs(200, 0.7, 0.2)
    for other in (x, -x, x**3, np.exp(-x[:, :1]), x[:, :1] + x[:, 1:], np.hstack([y, x])):
        estimate = MutualInformation().fit(x, other)
        assert math.isinf(estimate.nats)
        assert "infinite" in estimate.note
    assert "infinite" in caplog.text
    labels = np.arange(200) % 7
    assert MutualInformation().fit(labels, labels).nats == pytest.approx(math.log(7), abs=0.05)
    counts = np.arange(200) % 40  # as many as numbers have
    estimate = MutualInformation().fit(counts, -counts)
    assert estimate.nats == pytest.approx(math.log(40), abs=0.1)
    assert "its entropy" in estimate.note


def test_mutual_information_ignores_constants_and_copied_rows():
    x, y = normal_pairs(300, 0.7)
    plain = MutualInformation().fit(x, y)
    assert MutualInformation().fit(np.hstack([x, np.ones_like(x)]), y).nats == plain.nats
    nothing = MutualInformation().fit(np.ones(300), y)
    assert (nothing.nats, nothing.kind) == (0, "exact")
    twice = MutualInformation().fit(np.vstack([x, x]), np.vstack([y, y]))
    assert twice.nats == pytest.approx(plain.nats, abs=1e-12)
    assert "300 rows are copies" in twice.note
    often = MutualInformation("copula").fit(np.tile(x[:20], (50, 1)), np.tile(y[:20], (50, 1)))
    assert often.nats == MutualInformation("copula").fit(x[:20], y[:20]).nats
    assert "980 rows are copies" in often.note


def test_mutual_information_fit_takes_ten_rows_and_refuses_the_rest():
    x, y = normal_pairs(10, 0.7)
    for estimator in ("auto", "ksg", "mixed", "gaussian", "copula"):
        assert math.isfinite(MutualInformation(estimator).fit(x, y).nats)
    with pytest.raises(ValueError, match="copula"):
        MutualInformation("info_nce").fit(x, y)
    many = np.random.default_rng(0).normal(size=(2, 10, 6))
    with pytest.warns(UserWarning, match="12 dimensions"):
        assert MutualInformation().fit(*many).method == "ksg"
    with pytest.raises(ValueError, match="more than 13 rows, got 10; take fewer"):
        MutualInformation("copula").fit(*many)
    with pytest.raises(ValueError, match="Give x and y"):
        MutualInformation().fit(x)
    with pytest.raises(ValueError, match="no column"):
        MutualInformation().fit({}, y)
    with pytest.raises(ValueError, match="x is empty"):
        MutualInformation().fit([], [])
    with pytest.raises(ValueError, match="neighbors is an integer"):
        MutualInformation(neighbors=2.5)
    with pytest.raises(ValueError, match="9 neighbors, got 10"):
        MutualInformation("ksg", neighbors=10).fit(x, y)
    with pytest.raises(TypeError, match="typo"):
        MutualInformation("ksg", typo=3)
    for setting in ({"steps": 0}, {"batch_size": 0}, {"held_out": 2.0}, {"learning_rate": -1.0}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            MutualInformation("info_nce", **setting)
    with pytest.raises(ValueError, match=r"\[9, 10\] rows"):
        MutualInformation().fit(x, y[:9])
    with pytest.raises(ValueError, match="too few"):
        MutualInformation().fit(x[:3], y[:3])
    with pytest.raises(ValueError, match="continuous"):
        MutualInformation("ksg").fit(x > 0, y)
    with pytest.raises(ValueError, match="info_nce"):
        MutualInformation("infonce")
    with pytest.raises(ValueError, match="neural"):
        MutualInformation("ksg").fit(lambda n, rng: (x, y))


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0, np.nan] * 5),
        np.array([1.0, np.inf] * 5),
        np.array([1.0, np.nan] * 5, object),
        np.array(["2020-01-01", "NaT"] * 5, "datetime64[D]"),
        ["a", np.nan] * 5,
        ["a", None] * 5,
    ],
    ids=["nan", "inf", "object", "time", "text", "none"],
)
def test_mutual_information_fit_refuses_missing_values(column):
    y = np.arange(10.0)
    for pair in ((column, y), (y, {"a": column})):
        with pytest.raises(ValueError, match="leave such rows out"):
            MutualInformation().fit(*pair)
    if isinstance(column, np.ndarray) and column.dtype == float:
        for function in (gaussian_information, copula_information):
            with pytest.raises(ValueError, match="leave such rows out"):
                function(column, y)


def test_mutual_information_fit_reads_any_numbers_and_no_identifiers():
    x, y = normal_pairs(300, 0.7)
    plain = MutualInformation().fit(x, y)
    days = np.datetime64("2020-01-01", "ns") + (x[:, 0] * 1e12).astype(int).astype("m8[ns]")
    for same in (x.astype(object), x.astype(str), list(map(str, x[:, 0]))):
        assert MutualInformation().fit(same, y) == plain
    assert MutualInformation().fit(days, y).nats == pytest.approx(plain.nats, abs=1e-6)
    mixed = [[value, "even" if k % 2 else "odd"] for k, value in enumerate(x[:, 0])]
    assert MutualInformation().fit(mixed, y).nats == pytest.approx(plain.nats, abs=0.2)
    with pytest.raises(ValueError, match="300 different labels in 300 rows"):
        MutualInformation().fit([f"id{k}" for k in range(300)], y)


@pytest.mark.parametrize("estimator", ["gaussian", "copula", "auto"])
def test_mutual_information_notes_more_than_the_rows_can_certify(estimator, caplog):
    x, y = normal_pairs(300, *[0.95] * 20)
    estimate = MutualInformation(estimator).fit(x, y)
    printed = caplog.text
    if estimator == "auto":  # no critic can tell 5 nats from 23 by the 60 pairs that are held out
        assert "near or above ln 60 = 4.09" in printed
        return
    assert estimate.nats > math.log(300)
    assert "ln 300 = 5.70" in estimate.note
    assert "jointly Gaussian" in printed


def test_normal_scores_are_ranks_as_quantiles():
    scores = normal_scores(np.array([[3.0], [1.0], [2.0], [2.0]]))
    np.testing.assert_allclose(scores[1], [-1.1503494], atol=1e-6)  # the quantile of 1/8
    assert scores[2] == scores[3] == pytest.approx(0)


def test_ksg_standard_error_is_somewhat_small():
    """It ignores that points share neighbors, as its docstring says."""
    estimates = [ksg(*normal_pairs(300, 0.6, seed=seed)) for seed in range(150)]
    spread = np.std([e.nats for e in estimates], ddof=1)
    assert 0.65 < np.mean([e.standard_error for e in estimates]) / spread < 1
