"""The audit of a table of encodings, against closed forms."""

import math

import keras
import numpy as np
import pytest
from oracles import S, encodings

from keras_infomodels.distributions import GaussianMixture
from keras_infomodels.evaluation import audit, audit_codes
from keras_infomodels.evaluation.table_audit import _smallest


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_audit_codes_equals_the_closed_form(correlation):
    table, truth = encodings(correlation)
    result = audit_codes(*table)
    rows = {name: e.nats for name, e in result.rows.items()}
    # Standard errors of about .02, and what 3,000 posteriors lack of q(z).
    assert rows["I_q lower"] == pytest.approx(truth["I_q"], abs=0.06)
    assert rows["I_q upper"] == pytest.approx(truth["I_q"], abs=0.06)
    assert rows["total correlation"] == pytest.approx(truth["total correlation"], abs=0.06)
    assert rows["dimension-wise KL"] == pytest.approx(0, abs=0.06)
    # By ELBO surgery, up to the closed form of the rate in place of its draws.
    total = rows["I_q lower"] + rows["total correlation"] + rows["dimension-wise KL"]
    assert rows["rate"] == pytest.approx(total, abs=0.1)
    assert sum(e.nats for e in result.dimensions) == pytest.approx(rows["dimension-wise KL"])
    assert result.active_units == 3


def test_audit_codes_calibration_equals_the_known_error():
    """Encodings that are Gaussian themselves: the estimate's own error is of the same size."""
    (z, loc, _), _ = encodings(n=300)
    narrow = np.full_like(loc, 0.05)
    result = audit_codes(loc + 0.05 * (z - loc) / S, loc, narrow)
    truth = 0.5 * 3 * math.log1p((1 - S**2) / 0.05**2)
    error = result.rows["I_q lower"].nats - truth
    assert error < -1  # 300 codes cannot say what 8.3 nats are
    assert result.calibration["I_q lower"].nats == pytest.approx(error, abs=0.3)
    assert "capped" in result.rows["I_q lower"].note


def test_audit_codes_calibration_has_each_rows_closed_form():
    """Codes that are off N(0, 1) and dependent, so that each row's answer is far from 0."""
    (_, loc, _), _ = encodings(0.8, n=2000)
    rng = np.random.default_rng(1)
    c, s = 4 * (1 - S**2) * (0.2 * np.eye(3) + 0.8), np.array([0.5, 0.9, 1.3])
    z = 2 * loc + s * rng.normal(size=loc.shape)
    result = audit_codes(z, 2 * loc, np.tile(s, (len(z), 1)))
    variances = 4 * (1 - S**2) + s**2
    log_det = np.linalg.slogdet(c + np.diag(s**2))[1]
    information = 0.5 * log_det - np.log(s).sum()
    correlation = 0.5 * (np.log(variances).sum() - log_det)
    dimension_wise = 0.5 * np.sum(variances - 1 - np.log(variances))
    assert min(information, correlation, dimension_wise) > 0.5
    # KL(N(0, S) || N(0, I)) of codes, and of one posterior on average over its mean.
    marginal = 0.5 * (variances.sum() - 3 - log_det)
    truth = {
        "I_q lower": information,
        "I_q upper": information,
        "rate": 0.5 * (variances.sum() - 3) - np.log(s).sum(),
        "marginal KL": marginal,
        "total correlation": correlation,
        "dimension-wise KL": dimension_wise,
    }
    assert set(result.calibration) == set(truth) == set(result.rows)
    for name, value in truth.items():
        # Standard errors of up to .07.
        assert result.rows[name].nats == pytest.approx(value, abs=0.25), name
        assert result.calibration[name].nats == pytest.approx(0, abs=0.25), name


def test_audit_codes_skips_dimension_wise_kl_for_a_mixture():
    table, _ = encodings(n=200)
    result = audit_codes(*table, prior=GaussianMixture(np.eye(3), 1.0), calibrate=False)
    assert "dimension-wise KL" not in result.rows
    assert "total correlation" in result.rows
    assert "active units: 3 of 3" in str(result)


def test_audit_codes_draws_z_or_refuses_what_is_no_sample():
    (z, loc, scale), truth = encodings()
    drawn = audit_codes(loc=loc, scale=scale, calibrate=False)
    assert drawn.rows["I_q lower"].nats == pytest.approx(truth["I_q"], abs=0.06)
    for wrong in (loc, loc + 2 * (z - loc), np.roll(z, 1, axis=0)):
        with pytest.raises(ValueError, match="leave z out"):
            audit_codes(wrong, loc, scale, calibrate=False)
    one = z.copy()
    one[:, 1] = loc[:, 1]  # one dimension of three
    with pytest.raises(ValueError, match=r"is 0\.667, not 1"):
        audit_codes(one, loc, scale, calibrate=False)
    with pytest.raises(ValueError, match="needs loc and scale"):
        audit_codes(z)
    with pytest.raises(ValueError, match=r"audit_codes\(loc=z\)"):
        audit_codes(z, loc)
    narrow = loc + np.float32(1e-7) * (z - loc)  # what rounding leaves is not judged
    audit_codes(narrow.astype(np.float32), loc, 1e-7 * scale, calibrate=False)


def test_audit_codes_takes_loc_alone_as_a_deterministic_encoder():
    (z, *_), _ = encodings()
    text = str(audit_codes(loc=z))
    assert text == str(audit_codes(loc=z, scale=np.zeros_like(z)))
    assert text == str(audit(lambda x: {"loc": x}, z, limit=len(z)))
    assert "lower bound: I_q(x;z)" in text


def test_audit_says_that_loc_alone_is_enough():
    encoder = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r'\{"loc": z\} is enough'):
        audit(encoder, np.ones((5, 3), np.float32))


def test_audit_codes_says_that_bounds_cross():
    """Noise of the right size that grows with the mean: -ln s + .48 = .99 is above the rate."""
    rng = np.random.default_rng(0)
    loc, noise = (np.sort(a)[:, None] for a in rng.normal(size=(2, 1000)))
    scale = np.full_like(loc, 0.6)
    assert "bounds of I_q cross" in str(audit_codes(0.8 * loc + 0.6 * noise, 0.8 * loc, scale))
    assert not audit_codes(loc=0.8 * loc, scale=scale, calibrate=False).note


@pytest.mark.parametrize("ratios", [(15.0, 3.0), (3.0, 3.0, 3.0)])
def test_audit_codes_bounds_enclose_a_gaussian_channel_on_average(ratios):
    """N(x, 1) of x with the variances `ratios`, scaled to var z = 1, so that the rate is tight.

    I = sum ln(1 + s) / 2, here 2.079 nats.
    """
    ratios = np.array(ratios)
    truth = 0.5 * np.log1p(ratios).sum()
    found = []
    for seed in range(24):
        x = np.random.default_rng(seed).normal(size=(400, len(ratios)))
        loc, scale = x * np.sqrt(ratios / (1 + ratios)), np.ones_like(x) / np.sqrt(1 + ratios)
        result = audit_codes(loc=loc, scale=scale, calibrate=False, seed=seed)
        lower, upper = (result.rows[name] for name in ("I_q lower", "I_q upper"))
        assert ("bounds of I_q cross" in result.note) == (lower.nats > upper.nats)
        assert "One is wrong" not in result.note
        assert lower.nats - 3.5 * lower.standard_error < truth
        assert upper.nats + 3.5 * upper.standard_error > truth
        found.append((lower.nats, upper.nats))
    lower, upper = np.mean(found, axis=0)
    crossing = np.mean([low > high for low, high in found])
    assert lower < truth
    assert upper > truth - 0.03  # 24 means with standard errors of .07
    assert crossing < 0.3


def test_smallest_upper_bound_is_not_biased_by_the_choice():
    """The smallest of three means of 50 terms of N(0, 1) is .12 below 0 on average."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(300, 3, 50))
    means = [
        _smallest(dict(zip("abc", terms, strict=True)), seed)[0].mean()
        for seed, terms in enumerate(draws)
    ]
    assert draws.mean(axis=2).min(axis=1).mean() < -0.1
    assert np.mean(means) == pytest.approx(0, abs=0.03)
    apart = {"a": draws[0, 0] + 9, "b": draws[0, 1], "c": draws[0, 2] + 9}
    terms, name = _smallest(apart, 0)
    assert name == "b"
    np.testing.assert_array_equal(terms, apart["b"])


def test_audit_codes_active_units_start_at_one_hundredth():
    loc = np.random.default_rng(0).normal(size=(400, 3)) * np.sqrt([0.1, 0.02, 0.005])
    result = audit_codes(loc=loc, scale=np.ones_like(loc), calibrate=False)
    assert result.active_units == 2
    assert "active units: 2 of 3" in str(result)
