import json

import numpy as np
import pytest
from synthetic_codes import draw_factors, make_codes

from keras_infomodels.evaluation import latent_information
from keras_infomodels.evaluation.disentanglement.binned import mig
from keras_infomodels.evaluation.disentanglement.reporting import METRICS, report

QUICK = ["mig", "modularity", "irs", "unsupervised"]


def test_report_has_every_metric_of_small_codes():
    factors = draw_factors(200, (2, 2))
    codes = factors + 0.1 * make_codes("random", factors)
    found = report(codes, factors, ["hue", "size"], groups=0)
    assert len(found.scores) == 18
    assert min(found.scores[name].value for name in ("InfoM", "MIG", "BetaVAE score")) > 0.9
    assert found.scores["MIG"].low is None
    for name in found.scores:
        assert f"\n{name} " in str(found)
    assert f"hue: {found.entropies[0]:.3f} of" in str(found)


def test_report_interval_is_a_jackknife_that_covers():
    factors = draw_factors(600, (4, 4))
    codes = factors + 0.4 * make_codes("random", factors)
    score = report(codes, factors, metrics=["mig"]).scores["MIG"]
    group = np.random.default_rng(0).permutation(600) % 10
    without = [mig(codes[group != g], factors[group != g]) for g in range(10)]
    error = np.sqrt(9 / 10 * np.sum((without - np.mean(without)) ** 2))
    assert score.high - score.value == pytest.approx(1.96 * error)
    assert score.value - score.low == pytest.approx(1.96 * error)
    # The interval is about as wide as the spread over fresh samples.
    values = []
    for seed in range(12):
        fresh = draw_factors(600, (4, 4), seed + 10)
        values.append(mig(fresh + 0.4 * make_codes("random", fresh, seed + 50), fresh))
    assert 0.4 < error / np.std(values) < 2.5


def test_report_as_dict_is_json_without_infinities():
    factors = draw_factors(300, (3, 3))
    codes = np.hstack([factors, factors[:, :1]]).astype(float)
    found = report(codes, factors, metrics=QUICK)
    assert found.scores["Gaussian total correlation"].value == np.inf
    assert found.scores["Gaussian total correlation"].low is None
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert read["scores"]["Gaussian total correlation"]["value"] is None
    assert read["codes"] == ["code 0", "code 1", "code 2"]
    assert read["factors"] == ["factor 0", "factor 1"]
    np.testing.assert_allclose(read["information"], found.information)


def test_report_heat_map_shows_nats_by_code_and_factor():
    factors = draw_factors(300, (3, 4))
    codes = np.hstack([factors, make_codes("random", factors)[:, :1]])
    axes = report(codes, factors, ["a$b", "c"], metrics=["mig"]).heat_map().axes[0]
    assert axes.images[0].get_array().shape == (3, 2)
    np.testing.assert_allclose(axes.images[0].get_array()[:2], np.eye(2), atol=0.1)
    assert axes.texts[0].get_text().startswith("1.")
    assert axes.get_xticklabels()[0].get_text().startswith("a$b")


def test_report_refuses_unknown_metrics_and_names():
    factors = draw_factors(50, (2, 2))
    with pytest.raises(ValueError, match=r"The metrics are infomec.*got fid"):
        report(factors, factors, metrics=["fid"])
    with pytest.raises(ValueError, match="names has one name a factor, 2 in all; got 1"):
        report(factors, factors, ["hue"], metrics=["mig"])
    with pytest.raises(ValueError, match="groups is 0 or from 2"):
        report(factors, factors, groups=1)
    assert set(QUICK) < set(METRICS)


def test_report_information_error_is_the_spread_over_samples():
    found, errors = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        factors = rng.integers(3, size=(500, 2))
        codes = factors + rng.normal(size=factors.shape)
        measured = report(codes, factors, metrics=["mig"])
        found.append(measured.information)
        errors.append(measured.information_error)
    spread = np.std(found, axis=0, ddof=1)
    # A spread of 20 samples has a relative error of 1 / sqrt(38): three of them, on the diagonal.
    np.testing.assert_allclose(np.diag(np.mean(errors, axis=0) / spread), 1, atol=0.5)


def test_report_refits_metrics_for_their_intervals_where_asked():
    factors = draw_factors(200, (2, 3))
    codes = make_codes("identity", factors) + 0.3 * np.random.default_rng(0).normal(size=(200, 2))
    once = report(codes, factors, metrics=["sap"], groups=4)
    again = report(codes, factors, metrics=["sap"], groups=4, refit=True)
    assert once.scores["SAP"].low is None
    score = again.scores["SAP"]
    assert once.scores["SAP"].value == score.value
    assert score.low < score.value < score.high


def test_report_puts_what_latents_carry_beside_the_scores():
    factors = draw_factors(100, (2, 3))
    codes = make_codes("identity", factors).astype(float)
    latents = latent_information(loc=codes, scale=np.zeros_like(codes))
    found = report(codes, factors, metrics=["mig"], groups=0, latents=latents)
    assert found.information_error is None
    assert "total correlation of q(z)" in str(found)
    assert found.as_dict()["latents"]["parts"] == latents.parts
