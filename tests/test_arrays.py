import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from synthetic_codes import draw_factors, make_codes

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    discretize,
    factor_entropies,
    information_matrix,
    split_rows,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_discretize_is_digitize_of_histogram_in_the_codes_own_type(dtype):
    codes = np.random.default_rng(0).normal(size=(500, 3)).astype(dtype)
    expected = [np.digitize(x, np.histogram(x, 20)[1][:-1]) for x in codes.T]
    found = discretize(check_arrays(codes, draw_factors(500))[0])
    np.testing.assert_array_equal(found.T, expected)
    assert found.min() == 1
    assert found.max() == 20


def test_information_matrix_is_codes_by_factors_of_sklearn():
    factors = draw_factors(300, (3, 7))
    codes = np.hstack([factors + 0.5, make_codes("random", factors)[:, :1]])
    found = information_matrix(codes, factors)
    assert found.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        expected = mutual_info_score(factors[:, j], discretize(codes)[:, i])
        assert found[i, j] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(np.diag(found), factor_entropies(factors), atol=1e-12)
    # Numbers and gaps of the values do not matter.
    np.testing.assert_allclose(information_matrix(codes, 10 * factors - 7), found, atol=1e-12)


def test_factor_entropies_of_shares():
    factors = np.array([[0, 5], [0, 6], [0, 7], [1, 8]])
    expected = [-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), np.log(4)]
    np.testing.assert_allclose(factor_entropies(factors), expected)


def test_split_rows_holds_a_third_out_and_repeats():
    factors = draw_factors(30, (2, 2))
    codes = np.arange(30.0)[:, None]
    (kept, kept_factors), (held, held_factors) = split_rows(codes, factors, None, 3)
    assert (len(kept), len(held)) == (20, 10)
    assert sorted([*kept[:, 0], *held[:, 0]]) == list(range(30))
    np.testing.assert_array_equal(factors[kept[:, 0].astype(int)], kept_factors)
    np.testing.assert_array_equal(factors[held[:, 0].astype(int)], held_factors)
    np.testing.assert_array_equal(split_rows(codes, factors, None, 3)[1][0], held)
    with pytest.raises(ValueError, match="1 codes and 2 factors"):
        split_rows(codes, factors, (held, held_factors[:, :1]), 0)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2), int), "one example a row"),
        (np.zeros(4), np.zeros((4, 2), int), "one example a row"),
        (np.full((4, 2), np.nan), np.eye(4, dtype=int), "finite real numbers"),
        (np.zeros((4, 2)), np.eye(4) / 2, "Factors are integers"),
        (np.zeros((4, 2)), np.array([[0, 1]] * 2 + [[1, 1]] * 2), "Factor 1 has a single value"),
    ],
)
def test_check_arrays_refuses(codes, factors, message):
    with pytest.raises(ValueError, match=message):
        check_arrays(codes, factors)
