import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from synthetic_codes import draw_factors, grid, make_codes

from keras_infomodels.evaluation.disentanglement.infomec import (
    active_codes,
    infoc,
    infoe,
    infom,
    infomec,
    normalized_information,
)

NMI = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.0], [0.0, 0.0, 0.6]])


def test_infom_and_infoc_by_hand():
    # Shares of the largest in rows: .8, .5, 1; in columns: .8, 2/3, 6/7.
    assert infom(NMI) == pytest.approx((2.3 / 3 - 1 / 3) * 1.5)
    assert infoc(NMI) == pytest.approx(((0.8 + 2 / 3 + 6 / 7) / 3 - 1 / 3) * 1.5)
    assert infom(np.zeros((0, 3))) == infoc(np.zeros((0, 3))) == 0
    assert np.isnan(infoc(NMI[:1]))


def test_active_codes_have_a_twentieth_of_the_largest_range():
    codes = np.array([[0, 0, 0, 5.0], [20, 1, 1.001, 5.0]])
    assert active_codes(codes).tolist() == [True, False, True, False]
    assert active_codes(codes, discrete=True).tolist() == [True, True, True, False]


GRID = grid(4, 4, 4, 4)


@pytest.mark.parametrize(
    ("kind", "modularity", "compactness"),
    [
        ("identity", 1, 1),
        ("duplicated", 1, 3 / 7),  # each factor in two of eight codes
        ("rotated", 1 / 3, 1 / 3),  # two of four equal entries
        ("merged", 1 / 3, 1),  # each code knows two factors whole
    ],
)
def test_infomec_of_discrete_codes(kind, modularity, compactness):
    found = infomec(make_codes(kind, GRID), GRID, discrete=True)
    assert found.infom == pytest.approx(modularity)
    assert found.infoc == pytest.approx(compactness)
    assert found.nmi.shape == (found.active.size, 4)
    if kind != "rotated":
        assert found.infoe == pytest.approx(1, abs=0.01)


def test_infomec_of_continuous_codes():
    factors = draw_factors(1000, (4, 4))
    noise = make_codes("random", factors)
    codes = np.hstack([factors + 0.02 * noise, 1e-3 * noise[:, :1]])
    found = infomec(codes, factors)
    assert found.active.tolist() == [True, True, False]
    np.testing.assert_allclose(found.nmi[:2], np.eye(2), atol=0.03)
    assert found.infom > 0.95
    assert found.infoc > 0.95
    np.testing.assert_array_equal(normalized_information(codes, factors), found.nmi)


def test_infoe_is_the_normalized_gain_of_logistic_regression():
    factors = draw_factors(400, (3, 2))
    codes = factors + make_codes("random", factors)
    x = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    expected = []
    for y in factors.T:
        losses = []
        for inputs in (x, np.zeros_like(x)):
            model = LogisticRegression(C=np.inf, class_weight="balanced").fit(inputs, y)
            losses.append(log_loss(y, model.predict_proba(inputs)))
        expected.append((losses[1] - losses[0]) / losses[1])
    assert infoe(codes, factors) == pytest.approx(np.mean(expected), abs=1e-6)
    assert infoe(make_codes("rotated", factors) + 0, factors) > 0.9
    assert abs(infoe(make_codes("random", factors), factors)) < 0.03
    assert infoe(np.zeros_like(x), factors) == pytest.approx(0, abs=1e-3)
