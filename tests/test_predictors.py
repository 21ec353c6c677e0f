import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC
from synthetic_codes import draw_factors, make_codes

from keras_infomodels.evaluation.disentanglement.predictors import (
    completeness,
    dci,
    disentanglement,
    explicitness,
    sap,
    sap_from_matrix,
    sap_matrix,
)

IMPORTANCE = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.5]])
HALF = 1 - np.log(2) / np.log(3)
"""Score of a row or column of three with two equal entries."""


def test_disentanglement_and_completeness_by_hand():
    assert disentanglement(IMPORTANCE) == pytest.approx(2 / 3 * HALF + 1 / 3)
    assert completeness(IMPORTANCE) == pytest.approx(2 / 3 + 1 / 3 * HALF)
    assert disentanglement(np.zeros((3, 3))) == pytest.approx(0)
    assert completeness(np.eye(3)[[2, 0, 1]]) == pytest.approx(1)


def test_disentanglement_of_one_code_for_two_factors():
    importance = np.repeat(np.eye(5), 2, axis=1)  # 5 codes, 10 factors
    assert disentanglement(importance) == pytest.approx(1 - np.log(2) / np.log(10))
    assert completeness(importance) == pytest.approx(1)


def test_dci_of_identity_codes():
    factors = draw_factors(400, (3, 2))
    codes = np.hstack([factors.astype(float), make_codes("random", factors)[:, :1]])
    found = dci(codes, factors)
    assert found.importance.shape == (3, 2)
    np.testing.assert_allclose(found.importance, [[1, 0], [0, 1], [0, 0]], atol=1e-3)
    assert min(found.disentanglement, found.completeness, found.informativeness_test) > 0.99


def test_dci_of_a_code_that_carries_two_factors():
    factors = draw_factors(400, (2, 2))
    codes = np.hstack([make_codes("merged", factors), make_codes("random", factors)[:, :1]])
    found = dci(codes, factors, test=(codes[:100], factors[:100]))
    assert found.disentanglement < 0.05
    assert found.completeness > 0.95
    assert found.informativeness_test > 0.99


def test_sap_from_matrix_by_hand():
    matrix = np.array([[0.9, 0.2, 0.1], [0.5, 0.7, 0.1], [0.1, 0.3, 0.4]])
    assert sap_from_matrix(matrix) == pytest.approx((0.4 + 0.4 + 0.3) / 3)


def test_sap_continuous_is_squared_correlation():
    factors = draw_factors(500)
    codes = make_codes("rotated", factors) + make_codes("random", factors)
    codes[:, 3] = 2
    expected = np.corrcoef(codes[:, :3].T, factors.T)[:3, 3:] ** 2
    found = sap_matrix(codes, factors, continuous=True)
    np.testing.assert_allclose(found[:3], expected, atol=1e-12)
    assert (found[3] == 0).all()


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("identity", 0.97, 1),
        ("rotated", 0, 0.06),
        ("duplicated", 0, 0),
        ("merged", 0.45, 0.6),  # blind: correlations 25/26 and 1/26
        ("random", 0, 0.02),
    ],
)
def test_sap_continuous_of_known_codes(kind, least, most):
    factors = draw_factors()
    value = sap(make_codes(kind, factors), factors, continuous=True)
    assert least - 1e-9 <= value <= most + 1e-9


def test_sap_discrete_is_the_accuracy_of_linear_classifiers():
    factors = draw_factors(300, (3, 2))
    codes = make_codes("identity", factors) + 0.3 * make_codes("random", factors)
    test = codes[200:], factors[200:]
    found = sap_matrix(codes[:200], factors[:200], test)
    for i, j in np.ndindex(2, 2):
        model = LinearSVC(C=0.01, class_weight="balanced")
        model.fit(codes[:200, [i]], factors[:200, j])
        assert found[i, j] == np.mean(model.predict(codes[200:, [i]]) == factors[200:, j])
    assert sap(codes[:200], factors[:200], test) == pytest.approx(sap_from_matrix(found))
    assert sap(make_codes("duplicated", factors), factors) == pytest.approx(0, abs=1e-9)


def test_explicitness_is_the_area_under_roc_of_logistic_regression():
    factors = draw_factors(300, (3, 2))
    codes = make_codes("rotated", factors) + make_codes("random", factors)
    x, test_x = codes[:200], codes[200:]
    scale = x.mean(axis=0), x.std(axis=0)
    x, test_x = (x - scale[0]) / scale[1], (test_x - scale[0]) / scale[1]
    expected = []
    for y, test_y in zip(factors[:200].T, factors[200:].T, strict=True):
        model = LogisticRegression().fit(x, y)
        expected.append(
            [
                roc_auc_score(
                    MultiLabelBinarizer().fit_transform(labels[:, None]), model.predict_proba(a)
                )
                for a, labels in ((x, y), (test_x, test_y))
            ]
        )
    found = explicitness(codes[:200], factors[:200], (codes[200:], factors[200:]))
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-9)


def test_explicitness_is_blind_to_rotation():
    factors = draw_factors(300, (2, 2))
    identity, rotated, random = (
        explicitness(make_codes(kind, factors), factors)[1]
        for kind in ("identity", "rotated", "random")
    )
    assert identity == pytest.approx(1)
    assert rotated == pytest.approx(1, abs=1e-3)
    assert 0.35 < random < 0.65
