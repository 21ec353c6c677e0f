"""Metrics that fit predictors of factors on codes: SAP, DCI and explicitness."""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from keras_infomodels.evaluation.disentanglement.arrays import (
    Held,
    check_arrays,
    iterations_as_defined,
    split_rows,
)

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
    """Result of `dci`: disentanglement, completeness and informativeness.

    Attributes:
        disentanglement: float in [0, 1]. 1 if each code is important for one factor only.
        completeness: float in [0, 1]. 1 if each factor is predicted from one code only.
        informativeness_train: float in [0, 1]. Mean accuracy of the predictors on their training
            rows.
        informativeness_test: float in [0, 1]. Mean accuracy of the predictors on held-out rows.
        importance: float array (d, k). Importance of each code for each factor; columns sum to 1.

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
    """Computes disentanglement, completeness and informativeness (DCI) by boosted trees.

    For each factor, scikit-learn's `GradientBoostingClassifier` predicts the factor from the codes.
    Its feature importances form a matrix. Disentanglement is 1 if each code is important for one
    factor only; completeness is 1 if each factor needs one code only. Their formulas are in
    `disentanglement` and `completeness`. Informativeness is the mean accuracy of the classifiers.

    Values of disentanglement and completeness: identity codes 1 and 1; k = 4 factors merged in
    pairs 1 - ln 2 / ln 4 = 0.5 and 1. In general, codes that merge m factors have the
    disentanglement 1 - ln m / ln k.

    Does not detect: how importance is shared by correlated codes. Trees may use either of two equal
    codes, so duplicated codes have a random completeness between 1/2 and 1. Monotone functions of
    codes do not change the scores, because trees use only the order of values.

    Source: Eastwood and Williams, "A framework for the quantitative evaluation of disentangled
    representations", 2018, section 2, with the predictor of disentanglement_lib.

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        factors: int array (n, k), k at least 2. Known factors of each example.
        test: pair of arrays. Codes and factors to score on. `None` holds out a random third of the
            rows.
        seed: int. Seed of the trees and of the choice of held-out rows.

    Returns:
        `DCI` with the scores and the importance matrix.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
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
    """Computes DCI's disentanglement from a matrix of importances.

    Each code i has the score 1 - H(p_i) / ln k. p_i is row i divided by its sum, and H the entropy.
    The result is the mean of the scores, weighted by the sums of the rows.

    Args:
        importance: float array (d, k), not negative. Importance of each of d codes for each of k
            factors.
    """
    return _concentration(np.asarray(importance, np.float64))


def completeness(importance: np.ndarray) -> float:
    """Computes DCI's completeness from a matrix of importances.

    Each factor j has the score 1 - H(p_j) / ln d. p_j is column j divided by its sum, and H the
    entropy. The result is the mean of the scores, weighted by the sums of the columns.

    Args:
        importance: float array (d, k), not negative. Importance of each of d codes for each of k
            factors.
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
    """Computes separated attribute predictability (SAP): the gap of a factor's two best codes.

    SAP = mean over factors j of S_(1)j - S_(2)j. S_ij is the score of code i as the only predictor
    of factor j, see `sap_matrix`. S_(1)j and S_(2)j are the two largest scores for factor j.

    Range: [0, 1]. With discrete factors, SAP is far below 1 even for a perfect code, because a
    linear boundary cannot separate values in the middle from all others.

    Values of the continuous version: identity codes 1, rotated and duplicated ones 0, two factors
    merged into one code 1/2, random codes about 0.

    Does not detect: a code that encodes several factors. The continuous version detects only linear
    dependence: a code that depends on a factor symmetrically about its mean has 0.

    Source: Kumar et al., "Variational inference of disentangled latent concepts from unlabeled
    observations", 2018, section 3, as in disentanglement_lib.

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        factors: int array (n, k). Known factors of each example.
        test: pair of arrays. Codes and factors to score on. `None` holds out a random third of the
            rows. With continuous factors no rows are held out.
        continuous: bool. `True` uses the squared correlation as the score S, `False` the accuracy
            of a linear classifier.
        seed: int. Seed of the classifier and of the choice of held-out rows.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
    """
    check_arrays(codes, factors, least_codes=2)
    return sap_from_matrix(sap_matrix(codes, factors, test, continuous, seed))


def sap_matrix(
    codes, factors, test: Held | None = None, continuous: bool = False, seed: int = 0
) -> np.ndarray:
    """Computes the score of each code as the only predictor of each factor.

    For discrete factors the score is the test accuracy of scikit-learn's
    `LinearSVC(C=0.01, class_weight="balanced")`. For continuous factors it is the squared
    correlation, cov(code, factor)^2 / (var(code) var(factor)), and 0 for a variance below 1e-12.

    Args:
        codes: array (n, d). Codes of the examples.
        factors: array (n, k). Factors of the examples.
        test: held-out codes and factors; see `sap`. `None` holds out a part of the rows.
        continuous: bool. `True` for continuous factors.
        seed: int. Seed of the split.

    Returns:
        float64 array (d, k).
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
    """Computes SAP from a matrix of scores; see `sap`.

    Args:
        scores: float array (d, k). Score of each code as the only predictor of each factor; see
            `sap_matrix`.
    """
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
    """Computes explicitness: 1 if a linear classifier predicts each factor from all codes.

    For each factor, a logistic regression is fitted to standardized codes. Its score is the area
    under the ROC curve, averaged over the values of the factor. Explicitness is the mean score of
    the factors.

    Range: [0, 1]. Chance is 1/2.

    Does not detect: disentanglement. Invertible linear maps of the codes, such as rotations, hardly
    change the score, only through the regularization of the fit.

    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss",
    2018, section 3, as in disentanglement_lib.

    Args:
        codes: float array (n, d). Representation of each example, such as posterior means.
        factors: int array (n, k). Known factors of each example.
        test: pair of arrays. Codes and factors to score on. `None` holds out a random third of the
            rows.
        seed: int. Seed of the choice of held-out rows.

    Returns:
        Two floats: explicitness on the training rows, and on held-out rows.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
    """
    (x, y), (test_x, test_y) = split_rows(codes, factors, test, seed)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    x, test_x = (x - mean) / deviation, (test_x - mean) / deviation
    scores = []
    for j in range(y.shape[1]):
        with iterations_as_defined():
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
