import math

import numpy as np
import oracles
import pytest

from keras_infomodels.distributions import StandardNormal
from keras_infomodels.information import (
    AggregatedPosterior,
    Estimate,
    LinearGaussian,
    discrete_entropy,
)

rng = np.random.default_rng(0)


def random_case(seed):
    generator = np.random.default_rng(seed)
    d, k = 5, 3
    factor, noise = generator.normal(size=(d, d)), generator.normal(size=(k, k))
    return {
        "sx": factor @ factor.T / d + 0.1 * np.eye(d),
        "a": generator.normal(size=(k, d)),
        "b": generator.normal(size=k),
        "s": 0.2 * noise @ noise.T + 0.1 * np.eye(k),
        "w": generator.normal(size=(d, k)),
        "c": generator.normal(size=d),
        "sigma": 0.7,
    }


@pytest.mark.parametrize("seed", range(4))
def test_linear_gaussian_terms_are_the_closed_forms(seed):
    case = random_case(seed)
    oracle, expected = LinearGaussian(*case.values()), oracles.linear_gaussian(**case)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(oracle, name)(), value, rtol=1e-5, err_msg=name)
    # ELBO surgery, and the ELBO below the likelihood
    np.testing.assert_allclose(
        oracle.rate(), oracle.mutual_information() + oracle.marginal_kl(), rtol=1e-9
    )
    assert -oracle.loss(0, 1) < oracle.log_likelihood()


@pytest.mark.parametrize(
    ("alpha", "lambda_"), [(0, 1), (0, 1000), (1, 1), (1, 10), (0.5, 3), (-3, 4)]
)
def test_linear_gaussian_loss_agrees_with_the_infovae_objective(alpha, lambda_):
    case = random_case(11)
    t = oracles.linear_gaussian(**case)
    # From the joint KL: E_q(z) KL(q(x|z) || p(x|z)) = -H(x) + I_q + reconstruction, for which
    # the constant H(x) drops out.
    seed_objective = (
        lambda_ * t["marginal_kl"]
        + (t["mutual_information"] + t["reconstruction"])
        - alpha * t["mutual_information"]
    )
    by_information = (
        t["reconstruction"] + (1 - alpha) * t["mutual_information"] + lambda_ * t["marginal_kl"]
    )
    loss = LinearGaussian(*case.values()).loss(alpha, lambda_)
    np.testing.assert_allclose(loss, seed_objective, rtol=1e-5)
    np.testing.assert_allclose(loss, by_information, rtol=1e-5)


def test_linear_gaussian_elbo_and_information_add_up():
    oracle = LinearGaussian(*random_case(3).values())
    elbo = -oracle.loss(0, 1)
    expected = -oracle.reconstruction() - oracle.marginal_kl()
    np.testing.assert_allclose(elbo + oracle.mutual_information(), expected, rtol=1e-9)


def test_linear_gaussian_exact_posterior_closes_the_gap():
    generator = np.random.default_rng(5)
    w, c, sigma = generator.normal(size=(5, 2)), generator.normal(size=5), 0.6
    m = w.T @ w + sigma**2 * np.eye(2)
    a = np.linalg.solve(m, w.T)
    s = sigma**2 * np.linalg.inv(m)
    sx = generator.normal(size=(5, 5))
    oracle = LinearGaussian(sx @ sx.T, a, -a @ c, s, w, c, sigma)
    np.testing.assert_allclose(-oracle.loss(0, 1), oracle.log_likelihood(), rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-2])
def test_aggregated_posterior_log_prob_is_the_direct_mixture(scale):
    loc = rng.normal(size=(300, 4))
    z = loc + scale * rng.normal(size=(300, 4))
    scales = scale * rng.uniform(0.5, 1.5, size=(300, 4))
    exponent = -0.5 * ((z[:, None] - loc) / scales) ** 2 - np.log(scales * np.sqrt(2 * np.pi))
    joint = exponent.sum(-1)
    top = joint.max(1, keepdims=True)
    direct = top[:, 0] + np.log(np.mean(np.exp(joint - top), axis=1))
    np.testing.assert_allclose(
        AggregatedPosterior(z, loc, scales).log_prob, direct, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-3, 1e-8, 1e-9, 1e-13, 0.0])
def test_aggregated_mutual_information_stays_below_its_ceiling(scale):
    loc = rng.normal(size=(200, 4))
    z = loc + scale * rng.normal(size=(200, 4))
    estimate = AggregatedPosterior(z, loc, np.full((200, 4), scale)).lower_bound()
    assert estimate.nats == pytest.approx(math.log(200), abs=1e-9)


def test_aggregated_mutual_information_exceeds_minibatch_averages():
    """d = 8, I = 6.438 nats: averages over batches of 256 end at ln 256 = 5.545."""
    generator, n, d, scale = np.random.default_rng(4), 4000, 8, 0.447
    loc = math.sqrt(1 - scale**2) * generator.normal(size=(n, d))
    scales = np.full((n, d), scale)
    z = loc + scale * generator.normal(size=(n, d))
    estimate = AggregatedPosterior(z, loc, scales).lower_bound()
    assert 5.8 < estimate.nats < 6.438 + 3 * estimate.standard_error
    batches = [
        AggregatedPosterior(z[i : i + 256], loc[i : i + 256], scales[:256]).lower_bound().nats
        for i in range(0, 3840, 256)
    ]
    assert np.mean(batches) < math.log(256)


def test_aggregated_mutual_information_refuses_unequal_shapes():
    with pytest.raises(ValueError, match="one shape"):
        AggregatedPosterior(np.zeros((3, 2)), np.zeros((3, 2)), np.ones((2, 2))).lower_bound()


def test_aggregated_posterior_log_prob_is_the_same_in_chunks(monkeypatch):
    from keras_infomodels.information import aggregate

    z, scale = rng.normal(size=(100, 2)), np.ones((100, 2))
    whole = AggregatedPosterior(z, z, scale).log_prob
    monkeypatch.setattr(aggregate, "_CELLS", 700)
    np.testing.assert_allclose(AggregatedPosterior(z, z, scale).log_prob, whole, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 0.8])
def test_aggregated_mutual_information_of_a_gaussian_channel(scale):
    """x ~ N(0, 1), z = sqrt(1 - s^2) x + s e: I = -ln s for each of k dimensions."""
    generator, n, k = np.random.default_rng(1), 5000, 2
    loc = math.sqrt(1 - scale**2) * generator.normal(size=(n, k))
    scales = np.full((n, k), scale)
    estimate = AggregatedPosterior(
        loc + scale * generator.normal(size=(n, k)), loc, scales
    ).lower_bound()
    exact = -k * math.log(scale)
    assert abs(estimate.nats - exact) < 4 * estimate.standard_error + 0.005
    assert estimate.kind == "lower bound"
    assert estimate.ceiling == pytest.approx(math.log(n))


def test_aggregated_mutual_information_reaches_its_ceiling():
    loc = np.arange(64.0)[:, None]
    estimate = AggregatedPosterior(loc, loc, np.full((64, 1), 1e-3)).lower_bound()
    assert estimate.nats == pytest.approx(math.log(64))
    assert estimate.near_ceiling()


def linear_gaussian_table(n=4000, correlation=0.0):
    """z = x + s e with x and e Gaussian, var z = 1: I, TC and dimension-wise KL are known."""
    generator, d, scale = np.random.default_rng(2), 3, 0.8
    sx = (1 - scale**2) * (np.eye(d) + correlation * (np.ones((d, d)) - np.eye(d)))
    loc = generator.multivariate_normal(np.full(d, 0.5), sx, size=n)
    z = loc + scale * generator.normal(size=(n, d))
    sz = sx + scale**2 * np.eye(d)
    logdet = np.linalg.slogdet(sz)[1]
    truth = {
        "information": 0.5 * (logdet - 2 * d * np.log(scale)),
        "total_correlation": -0.5 * logdet,
        "dimension_wise": 0.5 * 0.5**2,
        "marginal_kl": -0.5 * logdet + d * 0.5 * 0.5**2,
    }
    return z, loc, np.full((n, d), scale), truth


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_marginal_kl_total_correlation_dimension_wise_kl_are_exact(correlation):
    """No minibatch formula: those are off by tens of nats in such cases."""
    z, loc, scale, truth = linear_gaussian_table(correlation=correlation)
    prior = StandardNormal(3).distribution()
    information = AggregatedPosterior(z, loc, scale).lower_bound()
    correlation_total = AggregatedPosterior(z, loc, scale).total_correlation()
    dimensions = AggregatedPosterior(z, loc, scale).dimension_wise_kl()
    kl = AggregatedPosterior(z, loc, scale).marginal_kl(prior)
    assert AggregatedPosterior(z, loc, scale).marginal_kl().nats == pytest.approx(kl.nats, 1e-5)
    assert f"of {len(loc)} examples" in repr(AggregatedPosterior(z, loc, scale))
    assert information.nats == pytest.approx(truth["information"], abs=0.05)
    assert correlation_total.nats == pytest.approx(truth["total_correlation"], abs=0.05)
    assert kl.nats == pytest.approx(truth["marginal_kl"], abs=0.06)
    assert kl.kind == "upper bound"
    for estimate in dimensions:
        assert estimate.nats == pytest.approx(truth["dimension_wise"], abs=0.04)
    # rate = I + TC + sum of dimension-wise KL = I + KL(q(z) || p(z)), sample by sample
    total = information.nats + correlation_total.nats + sum(e.nats for e in dimensions)
    assert total == pytest.approx(information.nats + kl.nats, abs=1e-5)


def test_discrete_entropy_of_codes():
    assert discrete_entropy(np.arange(8.0)[:, None]).nats == pytest.approx(math.log(8))
    repeated = discrete_entropy(np.array([[0, 1], [0, 1], [2, 3], [4, 5]]))
    assert repeated.nats == pytest.approx(1.5 * math.log(2))
    assert repeated.kind == "exact"


def test_aggregated_mutual_information_of_a_collapse_is_zero():
    z = rng.normal(size=(64, 3))
    estimate = AggregatedPosterior(z, np.zeros((64, 3)), np.ones((64, 3))).lower_bound()
    assert estimate.nats == pytest.approx(0, abs=1e-12)
    assert not estimate.near_ceiling()


def test_estimate_prints_its_kind_and_ceiling_and_converts_to_bits():
    estimate = Estimate(math.log(2), 0.01, "lower bound", 2.0)
    assert estimate.bits() == pytest.approx(1)
    assert str(estimate) == "0.693 ± 0.010 nats (lower bound, ceiling 2.000)"
    assert "ceiling" not in str(Estimate(1.0))
    with pytest.raises(ValueError, match="upper bound"):
        Estimate(1.0, kind="guess")
