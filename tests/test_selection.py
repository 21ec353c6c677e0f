import numpy as np
import pytest
from synthetic_codes import grid, make_codes

from keras_infomodels.evaluation.selection import udr

FACTORS = grid(5, 5, 5, 5).astype(float)
"""Uncorrelated columns, so that a lasso's weights are correlations less 0.1."""


def test_udr_of_runs_that_agree_up_to_order_sign_and_scale():
    runs = [FACTORS, -2 * FACTORS[:, [2, 3, 0, 1]], FACTORS + 7]
    assert udr(runs, method="spearman").scores == pytest.approx(np.ones(3))
    found = udr(runs)
    assert found.scores == pytest.approx(np.full(3, 0.9))
    assert np.isnan(np.diag(found.pairs)).all()


def test_udr_ranks_a_rotated_run_last_by_hand():
    runs = [FACTORS, FACTORS[:, ::-1], make_codes("rotated", FACTORS)]
    found = udr(runs)
    weight = np.sqrt(0.5) - 0.1
    # In a row or column of R two weights are equal: weight^2 / (2 weight).
    assert found.pairs[0, 2] == pytest.approx(weight / 2)
    assert found.pairs[2, 0] == pytest.approx(weight / 2)
    assert found.scores[2] == pytest.approx(weight / 2)
    assert found.scores[:2] == pytest.approx(np.full(2, (0.9 + weight / 2) / 2))


def test_udr_leaves_uninformative_codes_out():
    noise = np.random.default_rng(0).normal(size=(625, 1))
    runs = [np.hstack([FACTORS, noise]), np.hstack([FACTORS, 0 * noise])]
    rates = [np.array([2, 2, 2, 2, 0.001]), np.array([2, 2, 2, 2, 0.01])]
    assert udr(runs, rates).scores == pytest.approx([0.9, 0.9])
    assert (udr(runs, method="spearman").scores < 0.95).all()  # the noise counts
    assert (udr(runs, [np.zeros(5), np.ones(5)]).scores == 0).all()


def test_udr_refuses():
    with pytest.raises(ValueError, match="at least two runs"):
        udr([FACTORS])
    with pytest.raises(ValueError, match="same n examples"):
        udr([FACTORS, FACTORS[:5]])
    with pytest.raises(ValueError, match="one rate a code"):
        udr([FACTORS, FACTORS], [np.ones(4), np.ones(3)])
    with pytest.raises(ValueError, match="got 'pearson'"):
        udr([FACTORS, FACTORS], method="pearson")
