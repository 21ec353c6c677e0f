"""Metrics that fit predictors of factors on codes: SAP, DCI and explicitness."""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from keras_infomodels.evaluation.disentanglement.arrays import Held, check_arrays, split_rows

__all__ = [
    "DCI",
    "completeness",
    "dci",
    "disentanglement",
    "explicitness",
    "sap",
    "sap_from_matrix",
    "sap_matrix",
]


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness.

    Attributes:
        disentanglement: float in [0, 1]. Whether each code matters for one factor alone.
        completeness: float in [0, 1]. Whether each factor is predicted from one code alone.
        informativeness_train: float in [0, 1]. Mean accuracy on the rows that were fitted.
        informativeness_test: float in [0, 1]. Mean accuracy on held-out rows.
        importance: float (d, k). Importance of each code for each factor; columns add up to 1.

    Example:
        codes = np.random.default_rng(0).normal(size=(200, 2))
        factors = (codes > 0).astype(int)
        ki.evaluation.disentanglement.dci(codes, factors).disentanglement  # about 1
    """

    disentanglement: float
    completeness: float
    informativeness_train: float
    informativeness_test: float
    importance: np.ndarray


def dci(codes, factors, test: Held | None = None, seed: int = 0) -> DCI:
    """Disentanglement, completeness and informativeness by gradient-boosted trees.

    For each factor a `GradientBoostingClassifier` with scikit-learn's defaults is fitted; its
    feature importances are a column of R. See `disentanglement` and `completeness` for the scores
    of R; informativeness is the mean accuracy.

    Values: identity codes 1 and 1 (disentanglement and completeness); k = 4 factors merged in pairs
    1 - ln 2 / ln 4 = .5 and 1; in general m factors in one code 1 - ln m / ln k.

    Blind to: importance that correlated codes share (trees may take either of two equal codes, so
    duplicated codes have completeness between 1/2 and 1 by chance); how a code depends on its
    factor, since trees see order alone: monotone maps of codes change nothing.

    Source: Eastwood and Williams, "A framework for the quantitative evaluation of disentangled
    representations", 2018, section 2, with the predictor of disentanglement_lib.

    Args:
        codes: float (n, d), d of at least 2.
        factors: integers (n, k), k of at least 2.
        test: codes and factors to score on. None holds a random third of the rows out.
        seed: int. Seed of the trees and of the choice of that third.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    (x, y), (test_x, test_y) = split_rows(codes, factors, test, seed, 2, 2)
    # Threads suffice: trees are grown outside of Python's lock.
    fitted = Parallel(n_jobs=-1, prefer="threads")(
        delayed(_boosted)(x, y[:, j], test_x, test_y[:, j], seed) for j in range(y.shape[1])
    )
    columns, train, held = zip(*fitted, strict=True)
    importance = np.stack(columns, axis=1)
    return DCI(
        disentanglement(importance),
        completeness(importance),
        float(np.mean(train)),
        float(np.mean(held)),
        importance,
    )


def _boosted(x, y, test_x, test_y, seed: int) -> tuple[np.ndarray, float, float]:
    trees = GradientBoostingClassifier(random_state=seed).fit(x, y)
    train, held = (np.mean(trees.predict(a) == b) for a, b in ((x, y), (test_x, test_y)))
    return np.abs(trees.feature_importances_), train, held


def disentanglement(importance: np.ndarray) -> float:
    """DCI's D: the codes' 1 - H(row / its sum) / ln k, weighted by the sums of their rows.

    Args:
        importance: float (d, k), not negative. Importance of each code for each factor.
    """
    return _concentration(np.asarray(importance, np.float64))


def completeness(importance: np.ndarray) -> float:
    """DCI's C: the factors' 1 - H(column / its sum) / ln d, weighted by the sums of their columns.

    Args:
        importance: float (d, k), not negative. Importance of each code for each factor.
    """
    return _concentration(np.asarray(importance, np.float64).T)


def _concentration(rows: np.ndarray) -> float:
    """Weighted mean of 1 - H(row) / ln(length); rows of zeros have weight and score 0."""
    padded = rows + 1e-11  # as disentanglement_lib does: a row of zeros is uniform
    shares = padded / padded.sum(axis=1, keepdims=True)
    scores = 1 + (shares * np.log(shares)).sum(axis=1) / np.log(rows.shape[1])
    total = rows.sum()
    weights = rows.sum(axis=1) / total if total > 0 else np.full(len(rows), 1 / len(rows))
    return float(scores @ weights)


def sap(codes, factors, test: Held | None = None, continuous: bool = False, seed: int = 0) -> float:
    """Separated attribute predictability: how far a factor's best code is ahead of the second.

    SAP = mean over factors j of S_(1)j - S_(2)j, the two largest entries of column j of
    `sap_matrix`.

    Range: [0, 1]. With discrete factors it stays far below 1 for a perfect code, because one
    linear boundary for each value cannot single out the values in the middle.

    Values of the continuous version: identity codes 1, rotated and duplicated ones 0, two factors
    merged into one code 1/2, random codes about 0.

    Blind to: a code that carries several factors. The continuous version sees linear dependence
    alone: a factor whose effect is symmetric about its mean has 0.

    Source: Kumar et al., "Variational inference of disentangled latent concepts from unlabeled
    observations", 2018, section 3, as in disentanglement_lib.

    Args:
        codes: float (n, d), d of at least 2.
        factors: integers (n, k).
        test: codes and factors to score on. None holds a random third of the rows out; with
            continuous factors nothing is held out.
        continuous: bool. Whether S is the squared correlation in place of an accuracy.
        seed: int. Seed of the classifier and of the choice of that third.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    check_arrays(codes, factors, least_codes=2)
    return sap_from_matrix(sap_matrix(codes, factors, test, continuous, seed))


def sap_matrix(
    codes, factors, test: Held | None = None, continuous: bool = False, seed: int = 0
) -> np.ndarray:
    """Score of each code as the only predictor of each factor.

    Discrete factors: test accuracy of `LinearSVC(C=0.01, class_weight="balanced")`. Continuous
    ones: cov(code, factor)^2 / (var(code) var(factor)), and 0 for a variance below 1e-12.

    Args:
        codes: array (n, d). Codes of the examples.
        factors: array (n, k). Factors of the examples.
        test: held-out codes and factors; see `sap`. `None` holds out a part of the rows.
        continuous: bool. `True` for continuous factors.
        seed: int. Seed of the split.

    Returns:
        float64 (d, k).
    """
    if continuous:
        return _squared_correlations(*check_arrays(codes, factors))
    (x, y), (test_x, test_y) = split_rows(codes, factors, test, seed)
    scores = np.zeros((x.shape[1], y.shape[1]))
    for i, j in np.ndindex(*scores.shape):
        classifier = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
        classifier.fit(x[:, i : i + 1], y[:, j])
        scores[i, j] = np.mean(classifier.predict(test_x[:, i : i + 1]) == test_y[:, j])
    return scores


def sap_from_matrix(scores: np.ndarray) -> float:
    """SAP of a matrix of scores of each code for each factor, (d, k)."""
    ordered = np.sort(scores, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def _squared_correlations(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    d = codes.shape[1]
    covariance = np.cov(np.hstack([codes, factors]).astype(np.float64).T)
    variances = np.diag(covariance)
    varying = variances[:d] > 1e-12
    products = np.where(varying, variances[:d], 1)[:, None] * variances[d:]
    return np.where(varying[:, None], covariance[:d, d:] ** 2 / products, 0)


def explicitness(codes, factors, test: Held | None = None, seed: int = 0) -> tuple[float, float]:
    """Accuracy of a linear classifier on all codes for each factor's value.

    For each factor a logistic regression is fitted on standardized codes; explicitness is the mean
    over factors of the area under the ROC curve, averaged over the factor's values.

    Range: [0, 1]; chance is 1/2.

    Blind to: disentanglement. Invertible linear maps of the codes, such as rotations, change it by
    the fit's regularization alone.

    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss",
    2018, section 3, as in disentanglement_lib.

    Args:
        codes: float (n, d).
        factors: integers (n, k).
        test: codes and factors to score on. None holds a random third of the rows out.
        seed: int. Seed of the choice of that third.

    Returns:
        Explicitness on the rows that were fitted, and on held-out rows.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    (x, y), (test_x, test_y) = split_rows(codes, factors, test, seed)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    x, test_x = (x - mean) / deviation, (test_x - mean) / deviation
    scores = []
    for j in range(y.shape[1]):
        model = LogisticRegression().fit(x, y[:, j])
        rows = ((x, y[:, j]), (test_x, test_y[:, j]))
        scores.append([_area(model.classes_, b, model.predict_proba(a)) for a, b in rows])
    train, held = np.mean(scores, axis=0)
    return float(train), float(held)


def _area(classes: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean area under the ROC curve of the classes that some of the labels have, and some not."""
    members = labels[:, None] == classes
    scored = members.any(axis=0) & ~members.all(axis=0)
    return float(
        np.mean([roc_auc_score(members[:, i], probabilities[:, i]) for i in np.flatnonzero(scored)])
    )
