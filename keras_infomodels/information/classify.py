"""Information about a label: its entropy minus the held-out cross-entropy of classifiers."""

import warnings

import numpy as np

from keras_infomodels.information.columns import Columns
from keras_infomodels.information.discrete import row_codes
from keras_infomodels.information.held_out import crossed_choice, label_table_terms
from keras_infomodels.information.streams import generator

__all__ = ["classifier_terms"]

_FOLDS = 5
_PENALTIES = (0.003, 0.03, 0.3, 3.0)
"""Values of scikit-learn's C for logistic regression."""
_SHARES = (0.02, 0.2, 0.5)
"""Weights of the marginal distribution that is mixed into a classifier's probabilities.

They keep every probability above 0.
"""
_PATTERNS = 0.5
"""Largest number of distinct rows of labels for a table candidate, as a share of the rows."""


def classifier_terms(x: Columns, label: np.ndarray, scores: np.ndarray, seed: int) -> np.ndarray:
    """Computes ln q(label|x) - ln p(label) of each row, for a classifier q not trained on the row.

        I(X;Y) >= H(Y) + E ln q(y|x)

    There are up to five classifiers: the marginal distribution of the label, logistic regression on
    numbers and one-hot labels, a random forest (out of bag), the mean of the last two, and, if rows
    of x repeat, the table of the other rows. For each half of the rows, the classifier is used that
    is best on the other half.

    Args:
        x: `Columns`. The other side.
        label: int array (n,). Labels from 0.
        scores: array (n, d). Numbers of x on one scale.
        seed: int. Seed of folds, trees and halves.

    Returns:
        Array (n,) in nats, whose mean is a lower bound.

    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.
    """
    n = len(label)
    margin = np.bincount(label) / n
    own = margin[label]
    labeled = x.as_labels()
    told = [_logistic(_one_of(labeled, scores), label, c, seed) for c in _PENALTIES]
    forest = _forest(np.hstack([x.values, x.labels]), label, seed)
    best = max(told, key=lambda p: np.log(p + 1e-3 * own).mean())
    told += [forest, (best + forest) / 2]
    candidates = [np.log((1 - s) * p / own + s) for p in told for s in _SHARES]
    if not labeled.values.shape[1]:
        cells = row_codes(labeled.labels)
        if cells.max() + 1 <= _PATTERNS * n:
            candidates.append(label_table_terms(cells, label, seed))
    return crossed_choice(np.stack(candidates), generator(seed, 1).uniform(size=n) < 0.5)


def _one_of(labeled: Columns, scores: np.ndarray) -> np.ndarray:
    """Features of scaled numbers and one-hot labels."""
    columns = [np.eye(c.max() + 1)[c] for c in labeled.labels.T if c.max() < 50]
    return np.hstack([scores, *columns])


def _logistic(features: np.ndarray, label: np.ndarray, penalty: float, seed: int) -> np.ndarray:
    """Probability q(label|x) of each row by logistic regression on the other folds, (n,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    told = np.full(len(label), 0.0)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(features):
        kinds = np.unique(label[train])
        if len(kinds) == 1:
            told[test] = label[test] == kinds[0]
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an optimum that is not reached, which costs little
            model = LogisticRegression(C=penalty, max_iter=100).fit(features[train], label[train])
        told[test] = _own(model.predict_proba(features[test]), kinds, label[test])
    return told


def _forest(features: np.ndarray, label: np.ndarray, seed: int) -> np.ndarray:
    """Probability q(label|x) of each row by the trees that were not grown from it, (n,)."""
    from sklearn.ensemble import RandomForestClassifier

    few = features.shape[1] <= 8
    model = RandomForestClassifier(
        100, min_samples_leaf=5, max_features=None if few else "sqrt", oob_score=True,
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features, label)
    told = np.nan_to_num(model.oob_decision_function_)
    return _own(told, model.classes_, label)


def _own(told: np.ndarray, kinds: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Probability of each row's own label; 0 for a label that the classifier was not trained on."""
    place = np.searchsorted(kinds, label).clip(max=len(kinds) - 1)
    return np.where(kinds[place] == label, told[np.arange(len(label)), place], 0.0)
