import numpy as np
import pytest
from synthetic_codes import draw_factors, grid, make_codes

from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.evaluation.disentanglement.interventions import (
    beta_vae_score,
    factor_vae_score,
    factor_vae_votes,
    irs,
    irs_matrix,
)

FEW = {"batch_size": 16, "train": 400, "evaluation": 200}


def test_factor_vae_votes_by_hand():
    batches = np.array(
        [
            [[0, 0, 5], [1, 4, 5]],  # variances 1/2, 8 and 0: the last may not vote
            [[0, 0, 5], [1, 1, 5]],  # 1/2 and 1/2, relative to 1 and 9
            [[0, 3, 5], [0, 1, 5]],  # 0 and 2
        ],
        float,
    )
    active = np.array([True, True, False])
    votes = factor_vae_votes(batches, np.array([0, 1, 0]), np.array([1.0, 9.0, 1e-9]), active, 2)
    assert votes.tolist() == [[2, 0, 0], [0, 1, 0]]


def test_factor_vae_score_draws_as_disentanglement_lib():
    """Vote by vote, with its order of draws from a RandomState."""
    sizes = (3, 4, 2)
    mixing = np.random.default_rng(0).normal(size=(3, 4))

    def represent(rows):
        return rows @ mixing

    random = np.random.RandomState(5)

    def draw(count):
        return np.stack([random.randint(size, size=count) for size in sizes], axis=1)

    variances = np.var(represent(draw(100)), axis=0, ddof=1)
    tables = []
    for count in (700, 30):  # more than a chunk
        votes = np.zeros((3, 4), int)
        for _ in range(count):
            factor = random.randint(3)
            rows = draw(8)
            rows[:, factor] = rows[0, factor]
            votes[factor, np.argmin(np.var(represent(rows), axis=0, ddof=1) / variances)] += 1
        tables.append(votes)
    found = factor_vae_score(
        represent,
        Factors(("a", "b", "c"), sizes),
        batch_size=8,
        train=700,
        evaluation=30,
        variance_rows=100,
        seed=5,
    )
    np.testing.assert_array_equal(found.votes, tables[0])
    np.testing.assert_array_equal(found.eval_votes, tables[1])
    majority = tables[0].argmax(axis=0)
    assert found.eval_accuracy == tables[1][majority, range(4)].sum() / 30


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("identity", 1, 1),
        ("duplicated", 1, 1),  # blind
        ("rotated", 0.3, 0.65),  # pairs share their codes
        ("merged", 0.3, 0.65),
        ("random", 0.1, 0.45),
    ],
)
def test_factor_vae_score_of_known_codes(kind, least, most):
    factors = draw_factors()
    found = factor_vae_score(make_codes(kind, factors), factors, **FEW)
    assert least <= found.eval_accuracy <= most
    assert found.votes.sum() == 400


def test_factor_vae_score_prunes_and_keeps_columns():
    factors = draw_factors()
    codes = np.hstack([np.zeros((2000, 1)), factors])
    found = factor_vae_score(codes, factors, **FEW)
    assert found.active.tolist() == [False, True, True, True, True]
    assert (found.votes[:, 0] == 0).all()
    assert found.votes[:, 1:].sum() == np.trace(found.votes[:, 1:]) == 400
    assert factor_vae_score(np.zeros((2000, 2)), factors, **FEW).eval_accuracy == 0


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("identity", 1, 1), ("rotated", 0.3, 0.6), ("duplicated", 1, 1), ("random", 0.1, 0.45)],
)
def test_beta_vae_score_of_known_codes(kind, least, most):
    factors = draw_factors()
    found = beta_vae_score(make_codes(kind, factors), factors, **FEW)
    assert least <= found.eval_accuracy <= most


def test_beta_vae_score_is_blind_to_rotation_by_20_degrees():
    """By 45 degrees it is not, because both factors of a pair then leave the same trace."""
    factors = draw_factors(sizes=(5, 5))
    cos, sin = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    found = beta_vae_score(factors @ [[cos, sin], [-sin, cos]], factors, **FEW)
    assert found.eval_accuracy > 0.9


def test_beta_vae_score_of_a_function():
    found = beta_vae_score(lambda rows: rows.astype(float), Factors(("a", "b"), (4, 4)), **FEW)
    assert found.eval_accuracy == 1
    with pytest.raises(ValueError, match=r"a function from factors to codes"):
        beta_vae_score(lambda rows: rows, np.zeros((4, 2), int))
    with pytest.raises(ValueError, match="Give arrays"):
        beta_vae_score(np.zeros((4, 2)), Factors(("a", "b"), (4, 4)))


def test_irs_by_hand():
    factors = grid(2, 2)
    codes = np.stack([factors[:, 0], factors[:, 0] + factors[:, 1] / 2], axis=1).astype(float)
    expected = [[1, 0], [2 / 3, 1 / 3]]  # 1 - 0/.5, 1 - .5/.5; 1 - .25/.75, 1 - .5/.75
    np.testing.assert_allclose(irs_matrix(codes, factors), expected, atol=1e-12)
    assert irs(codes, factors) == pytest.approx((0.5 * 1 + 0.75 * 2 / 3) / 1.25)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("identity", 1, 1),
        ("duplicated", 1, 1),  # blind
        ("rotated", 0.5, 0.5),
        ("merged", 5 / 6, 5 / 6),
        ("random", 0, 0.4),
    ],
)
def test_irs_of_known_codes(kind, least, most):
    factors = grid(5, 5, 5, 5)
    assert least - 1e-9 <= irs(make_codes(kind, factors), factors) <= most + 1e-9


def test_irs_of_constant_codes_is_zero_and_binned_factors_count():
    factors = draw_factors()
    assert irs(np.zeros((2000, 2)), factors) == 0
    # 40 values are 20 bins of two, within which an identity code moves by 1/2 of 19.5.
    many = np.arange(40)[:, None]
    assert irs(many.astype(float), many) == pytest.approx(1 - 0.5 / 19.5)
    assert irs(many.astype(float), many, bins=40) == pytest.approx(1)
