import numpy as np
import pytest
from synthetic_codes import draw_factors, grid, make_codes

from keras_infomodels.evaluation.disentanglement.binned import (
    mig,
    mig_from_matrix,
    modularity,
    modularity_from_matrix,
)

MATRIX = np.array([[0.9, 0.1, 0.0], [0.3, 0.5, 0.0], [0.0, 0.2, 0.6]])
"""I(code; factor), made up."""


def test_mig_from_matrix_by_hand():
    # Columns: (.9 - .3) / 1, (.5 - .2) / 1, (.6 - 0) / .8.
    assert mig_from_matrix(MATRIX, np.array([1.0, 1.0, 0.8])) == pytest.approx(0.55)


def test_modularity_from_matrix_by_hand():
    # Rows: 1 - .01 / (2 .81), 1 - .09 / (2 .25), 1 - .04 / (2 .36); a row of zeros has 0.
    assert modularity_from_matrix(MATRIX) == pytest.approx(0.9194239, abs=1e-7)
    assert modularity_from_matrix(np.vstack([MATRIX, np.zeros(3)])) == pytest.approx(
        0.75 * 0.9194239, abs=1e-7
    )


FACTORS = grid(5, 5, 5, 5)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("identity", 1, 1),
        ("duplicated", 0, 0),
        ("rotated", 0, 1e-9),  # both codes of a pair know the same of each of its factors
        ("merged", 0.9138, 0.9139),  # blind: one code carries two factors
        ("random", 0, 0.02),
    ],
)
def test_mig_of_known_codes(kind, least, most):
    assert least - 1e-9 <= mig(make_codes(kind, FACTORS), FACTORS) <= most + 1e-9


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("identity", 1, 1),
        ("duplicated", 1, 1),  # blind
        ("rotated", 2 / 3, 2 / 3),  # two of four factors alike: 1 - 1 / 3
        ("merged", 0.7716, 0.7717),
    ],
)
def test_modularity_of_known_codes(kind, least, most):
    assert least - 1e-9 <= modularity(make_codes(kind, FACTORS), FACTORS) <= most + 1e-9


def test_mig_of_identity_is_capped_by_20_bins():
    factors = np.arange(40)[:, None]
    codes = np.hstack([factors.astype(float), np.zeros((40, 1))])
    assert mig(codes, factors) == pytest.approx(np.log(20) / np.log(40))  # .81
    assert mig(codes, factors, bins=40) == pytest.approx(1)
    # The five factors of sprites.
    factors = draw_factors(20_000, (3, 6, 40, 32, 32))
    assert mig(factors.astype(float), factors) == pytest.approx(0.90, abs=0.005)


def test_mig_and_modularity_invariances():
    factors = draw_factors(500)
    codes = factors + np.random.default_rng(2).normal(size=factors.shape)
    order, scale = [2, 0, 3, 1], np.array([-3.0, 0.5, 2.0, 1.0])
    for metric in (mig, modularity):
        value = metric(codes, factors)
        assert metric(codes[:, order], factors) == pytest.approx(value)
        assert metric(codes, factors[:, order]) == pytest.approx(value)
        # Scaling moves bin edges by rounding alone; a monotone map moves the bins.
        assert metric(codes * np.abs(scale), factors) == pytest.approx(value, abs=0.02)
        assert abs(metric(np.exp(3 * codes), factors) - value) > 0.02


def test_mig_of_zero_codes_is_zero():
    assert mig(np.zeros((len(FACTORS), 3)), FACTORS) == 0
    assert modularity(np.zeros((len(FACTORS), 3)), FACTORS) == 0
    with pytest.raises(ValueError, match="at least 2 codes"):
        mig(np.zeros((len(FACTORS), 1)), FACTORS)
