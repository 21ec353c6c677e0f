"""The aggregated posterior where the answer is known; more of it in test_information.py."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from keras_infomodels import information
from keras_infomodels.distributions import StandardNormal
from keras_infomodels.information import (
    AggregatedPosterior,
    fitted_marginal_bound,
    mixture_marginal_log_prob,
    mutual_information_bounds,
)


def encodings(n, d, s, seed=0):
    """x ~ N(0, I), q(z|x) = N(sqrt(1 - s^2) x, s^2 I): I = -d ln s, and q(z) = N(0, I)."""
    rng = np.random.default_rng(seed)
    loc = math.sqrt(1 - s**2) * rng.normal(size=(n, d))
    return loc + s * rng.normal(size=(n, d)), loc, np.full((n, d), s)


@pytest.mark.parametrize("components", [2, 40, 2000])
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_mixture_marginal_log_prob_equals_the_mixture(components, spread):
    rng = np.random.default_rng(0)
    loc = rng.normal(size=components)
    scale = 0.05 * spread ** rng.uniform(size=components)
    own = np.arange(4000) % components
    z = loc[own] + scale[own] * rng.normal(size=4000)
    direct = logsumexp(norm.logpdf(z[:, None], loc, scale), axis=1) - math.log(components)
    error = np.abs(mixture_marginal_log_prob(z, loc, scale) - direct)
    assert error.max() < 1e-3
    assert error.mean() < 1e-5


def test_mixture_marginal_log_prob_sums_narrow_components_exactly():
    loc = np.arange(50.0)
    log_prob = mixture_marginal_log_prob(loc, loc, np.full(50, 1e-9))
    np.testing.assert_allclose(log_prob, norm.logpdf(0, 0, 1e-9) - math.log(50), rtol=1e-12)


@pytest.mark.parametrize("far", [2, 6, 12])
def test_mixture_marginal_log_prob_is_right_at_every_point(far):
    """Two groups of components whose middle a few samples reach: the logarithm bends there."""
    rng = np.random.default_rng(0)
    loc = rng.choice([-far / 2, far / 2], size=4000) + 0.1 * rng.normal(size=4000)
    scale = rng.uniform(0.8, 1.2, size=4000)
    z = np.concatenate([loc + scale * rng.normal(size=4000), np.linspace(-far, far, 2001)])
    terms = -0.5 * ((z[:, None] - loc) / scale) ** 2 - np.log(scale) - 0.5 * math.log(2 * math.pi)
    exact = logsumexp(terms, axis=1) - math.log(4000)
    np.testing.assert_allclose(mixture_marginal_log_prob(z, loc, scale), exact, atol=1e-7, rtol=0)


def test_aggregated_posterior_takes_fewer_z_than_posteriors():
    z, loc, scale = encodings(300, 2, 0.5, 0)
    whole = AggregatedPosterior(z, loc, scale)
    rows = np.array([5, 200, 7, 7])
    part = AggregatedPosterior(z[rows], loc, scale, rows)
    for name in ("own", "others", "log_prob", "marginals"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[rows], atol=1e-9)
    assert part.lower_bound().ceiling == pytest.approx(math.log(300))
    first = AggregatedPosterior(z[:50], loc, scale)
    np.testing.assert_allclose(first.log_prob, whole.log_prob[:50], atol=1e-9)
    for wrong in ([0, 1, 2, 300], [0, 1], [0.0, 1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="index"):
            AggregatedPosterior(z[rows], loc, scale, np.array(wrong))


def test_upper_bound_and_fitted_marginal_bound_need_more_examples():
    z, loc, scale = (np.full((1, 2), a) for a in (1.0, 0.5, 1.0))
    one = AggregatedPosterior(z, loc, scale)
    assert one.total_correlation().nats == pytest.approx(0, abs=1e-12)
    for estimate in one.dimension_wise_kl():  # log N(1; .5, 1) - log N(1; 0, 1)
        assert estimate.nats == pytest.approx(0.375)
    with pytest.raises(ValueError, match="at least 2 examples"):
        AggregatedPosterior(z, loc, scale).upper_bound()
    with pytest.raises(ValueError, match="at least 4 examples, got 3"):
        fitted_marginal_bound(*encodings(3, 2, 0.5))
    with pytest.raises(ValueError, match="at least 10 examples, got 9"):
        fitted_marginal_bound(*encodings(9, 2, 0.5), components=5)


def test_marginal_kl_and_total_correlation_refuse_zero_scale():
    """q(z) is N points: its KL from a density, and from its marginals' product, is infinite."""
    z = encodings(50, 2, 0.5)[1]
    for scale in (np.zeros((50, 2)), np.full((50, 2), 1e-13)):
        for measure in (
            AggregatedPosterior.total_correlation,
            AggregatedPosterior.dimension_wise_kl,
            lambda q: q.marginal_kl(StandardNormal(2).distribution()),
        ):
            with pytest.raises(ValueError, match=r"deterministic.*infinite"):
                measure(AggregatedPosterior(z, z, scale))
    # Which of the 50 it was is still what a code tells.
    information = AggregatedPosterior(z, z, np.zeros((50, 2))).lower_bound()
    assert information.nats == pytest.approx(math.log(50))


def test_aggregated_posterior_standard_error_equals_the_spread():
    """80 repeats: the spread itself is known to 8 %."""
    prior = StandardNormal(2).distribution()
    estimates = {}
    for seed in range(80):
        q = AggregatedPosterior(*encodings(200, 2, 0.5, seed))
        estimates.setdefault("lower", []).append(q.lower_bound())
        estimates.setdefault("upper", []).append(q.upper_bound())
        estimates.setdefault("marginal KL", []).append(q.marginal_kl(prior))
        estimates.setdefault("total correlation", []).append(q.total_correlation())
        estimates.setdefault("dimension", []).append(q.dimension_wise_kl()[0])
    for name, found in estimates.items():
        spread = np.std([e.nats for e in found], ddof=1)
        assert np.mean([e.standard_error for e in found]) == pytest.approx(spread, rel=0.25), name


@pytest.mark.parametrize(
    ("s", "k", "width"), [(0.5, 256, 0.05), (0.5, 2000, 0.01), (0.1, 10_000, 0.08)]
)
def test_mutual_information_bounds_enclose_the_exact_value(s, k, width):
    """d = 2, I = 1.386 or 4.605; a mean over 50 blocks of K, over 6, or of one."""
    lower, upper = mutual_information_bounds(*encodings(12_800, 2, s), components=k)
    exact = -2 * math.log(s)
    assert lower.nats < exact + 3 * lower.standard_error
    assert upper.nats > exact - 3 * upper.standard_error
    assert 0 < upper.nats - lower.nats < width
    assert (lower.kind, upper.kind) == ("lower bound", "upper bound")
    assert lower.ceiling == pytest.approx(math.log(k))


def test_mutual_information_bounds_mark_a_capped_case():
    """(s, d) = (.1, 5): 11.51 nats are above ln 2,000 = 7.60."""
    lower, upper = mutual_information_bounds(*encodings(2000, 5, 0.1))
    assert lower.near_ceiling(0.1)
    assert upper.nats > 11.51
    with pytest.raises(ValueError, match="2 to 2000"):
        mutual_information_bounds(*encodings(2000, 5, 0.1), components=1)


def test_mutual_information_bounds_use_the_whole_table():
    table = encodings(500, 3, 0.5)
    lower, _ = mutual_information_bounds(*table)
    assert lower.nats == pytest.approx(AggregatedPosterior(*table).lower_bound().nats, abs=1e-12)


def test_upper_bound_leaves_one_out_with_n_minus_1():
    """Equal codes carry nothing; N(0, 1) and N(3, 1) at their means are 9/2 nats apart."""
    same = np.zeros((3, 2))
    assert AggregatedPosterior(same, same, same + 1).upper_bound().nats == pytest.approx(0)
    loc = np.array([[0.0], [3.0]])
    bound = AggregatedPosterior(loc, loc, np.ones((2, 1))).upper_bound()
    assert (bound.nats, bound.kind) == (pytest.approx(4.5), "upper bound")


def test_mutual_information_bounds_of_blocks_of_equal_codes_are_0():
    same = np.zeros((7, 2))
    lower, upper = mutual_information_bounds(same, same, same + 1, components=3)
    assert (lower.nats, upper.nats) == (pytest.approx(0), pytest.approx(0))


def test_fitted_marginal_bound_measures_codes_that_did_not_fit():
    """In 20 dimensions 4 codes fit a Gaussian that has no room for any but themselves."""
    table = encodings(8, 20, 0.5)
    assert fitted_marginal_bound(*table).nats > 1000


def test_aggregated_posterior_log_prob_is_exact_far_from_zero():
    z, loc, scale = encodings(400, 3, 0.1)
    near, far = AggregatedPosterior(z, loc, scale), AggregatedPosterior(z + 1e6, loc + 1e6, scale)
    np.testing.assert_allclose(far.log_prob, near.log_prob, atol=1e-6)
    assert far.upper_bound().nats == pytest.approx(near.upper_bound().nats, abs=1e-6)


def test_fitted_marginal_bound_is_an_upper_bound():
    table = encodings(4000, 3, 0.4)
    bound = fitted_marginal_bound(*table)
    # Half of 4,000 codes: a standard error of .03; the fit costs about 9 parameters / (2 * 2,000).
    assert bound.nats == pytest.approx(-3 * math.log(0.4), abs=0.1)
    # Two clusters need two components.
    z, loc, scale = table
    shift = np.where(np.arange(4000) % 2, 4.0, -4.0)[:, None]
    apart = (z + shift, loc + shift, scale)
    one, two = (fitted_marginal_bound(*apart, components=c).nats for c in (1, 2))
    assert two == pytest.approx(-3 * math.log(0.4) + math.log(2), abs=0.12)
    assert one > two + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_mutual_information_bounds_hold_where_minibatch_formulas_fail(correlation):
    """d = 8, s = .447, 60,000 queries: (6.438, 0, 0) nats without correlation."""
    rng, n, d, s = np.random.default_rng(0), 60_000, 8, 0.447
    sx = (1 - s**2) * ((1 - correlation) * np.eye(d) + correlation)
    loc = rng.multivariate_normal(np.zeros(d), sx, size=n)
    z, scale = loc + s * rng.normal(size=(n, d)), np.full((n, d), s)
    log_det = np.linalg.slogdet(sx + s**2 * np.eye(d))[1]
    information = 0.5 * log_det - d * math.log(s)
    lower, upper = mutual_information_bounds(z, loc, scale)
    assert lower.nats == pytest.approx(information, abs=0.15)
    assert upper.nats - lower.nats < 0.2
    q = AggregatedPosterior(z, loc, scale)
    assert q.total_correlation().nats == pytest.approx(-0.5 * log_det, abs=0.1)
    assert abs(sum(e.nats for e in q.dimension_wise_kl())) < 0.1


def test_aggregated_posterior_has_the_functions_of_0_1_with_a_warning():
    table = encodings(50, 2, 0.5)
    q = AggregatedPosterior(*table)
    with pytest.warns(DeprecationWarning, match=r"removed in version 0.3.*lower_bound"):
        assert information.aggregated_mutual_information(*table) == q.lower_bound()
    with pytest.warns(DeprecationWarning, match="log_prob"):
        np.testing.assert_array_equal(information.aggregated_log_prob(*table), q.log_prob)
