"""Metrics from groups of examples that share a factor: FactorVAE score, BetaVAE score, IRS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    discretize,
    iterations_as_defined,
)
from keras_infomodels.evaluation.disentanglement.drawing import draws_of

if TYPE_CHECKING:
    from keras_infomodels.datasets.factor_space import Factors

__all__ = [
    "BetaVAEScore",
    "FactorVAEScore",
    "beta_vae_score",
    "factor_vae_score",
    "factor_vae_votes",
    "irs",
    "irs_matrix",
]

Codes = np.ndarray | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FactorVAEScore:
    """Result of `factor_vae_score`.

    Attributes:
        train_accuracy: float in [0, 1]. Share of training votes that the majority classifier
            predicts correctly.
        eval_accuracy: float in [0, 1]. The same share of new votes. This is the score.
        votes: int64 array (k, d). Training votes. Entry [j, i] counts how often code i varied least
            while factor j was fixed.
        eval_votes: int64 array (k, d). New votes, in the same form.
        active: bool array (d,). `True` for codes whose standard deviation is large enough to vote.

    Example:
        codes = np.random.default_rng(0).normal(size=(2000, 2))
        factors = (codes > 0).astype(int)
        ki.evaluation.disentanglement.factor_vae_score(codes, factors)
    """

    train_accuracy: float
    eval_accuracy: float
    votes: np.ndarray
    eval_votes: np.ndarray
    active: np.ndarray


def factor_vae_score(
    codes: Codes,
    factors: "np.ndarray | Factors",
    *,
    batch_size: int = 64,
    train: int = 10_000,
    evaluation: int = 5_000,
    variance_rows: int = 10_000,
    min_stddev: float = 0.05,
    seed: int = 0,
) -> FactorVAEScore:
    """Computes the FactorVAE score: 1 if the code that varies least identifies the fixed factor.

    For a vote, a factor is drawn, and a batch of examples that share its value. The code with the
    smallest variance in the batch, relative to its variance over all examples, votes for the
    factor. A classifier predicts, for each code, the factor with most of its training votes. The
    score is the accuracy of the classifier on new votes.

    Range: [0, 1]. Chance is 1 / k, for k factors. Without an active code the score is 0. Pairs of
    factors that are rotated by 45 degrees have 1/2.

    Does not detect: further codes of a factor (duplicated codes have 1), a second factor in a code,
    if the first has more influence, and the amount of information.

    Source: Kim and Mnih, "Disentangling by factorising", 2018, section 4, with the protocol of
    disentanglement_lib. If `codes` is a function, the draws equal those of disentanglement_lib for
    `RandomState(seed)` and a data set whose factors are all observed, one by one. In
    disentanglement_lib, the matrix of votes has the active codes in its first columns; here each
    code keeps its column.

    Args:
        codes: float array (n, d), or function. Representation of each example; batches are drawn
            with repetition. A function computes codes (m, d) from int factors (m, k).
        factors: int array (n, k), or `datasets.Factors`. Known factors of each example. If `codes`
            is a function, an object with the `sizes` of the factors.
        batch_size: int. Number of examples in a vote.
        train, evaluation: int. Numbers of training votes and of new votes.
        variance_rows: int. Number of examples from which the variances over all examples are
            measured, if `codes` is a function. For arrays all rows are used.
        min_stddev: float. Codes with a smaller standard deviation do not vote.
        seed: int. Seed of the draws.

    Returns:
        `FactorVAEScore`, whose `eval_accuracy` is the score.

    Raises:
        ValueError: If the arrays have other shapes, or a function is given without `sizes` or
            `sizes` without a function.
    """
    draws = draws_of(codes, factors, seed)
    variances = np.var(draws.sample(variance_rows), axis=0, ddof=1)
    active = np.sqrt(variances) >= min_stddev
    votes = []
    for count in (train, evaluation):
        table = np.zeros((draws.factors, len(variances)), np.int64)
        if active.any():
            for fixed, batches in draws.groups(count, batch_size):
                table += factor_vae_votes(batches, fixed, variances, active, draws.factors)
        votes.append(table)
    majority = votes[0].argmax(axis=0)
    columns = np.arange(len(variances))
    scores = [float(v[majority, columns].sum() / max(v.sum(), 1)) for v in votes]
    return FactorVAEScore(*scores, *votes, active)


def factor_vae_votes(
    batches: np.ndarray,
    fixed: np.ndarray,
    variances: np.ndarray,
    active: np.ndarray,
    factors: int,
) -> np.ndarray:
    """Counts the votes of batches in which a factor is fixed; see `factor_vae_score`.

    Args:
        batches: float array (m, b, d). Codes of b examples in each of m batches.
        fixed: int array (m,). Index of the fixed factor of each batch.
        variances: float array (d,). Variance of each code over all examples.
        active: bool array (d,). `True` for codes that may vote.
        factors: int. Number k of factors.

    Returns:
        int64 array (k, d). Number of votes of each code for each factor.
    """
    ratio = np.var(batches, axis=1, ddof=1)[:, active] / variances[active]
    least = np.flatnonzero(active)[ratio.argmin(axis=1)]
    votes = np.zeros((factors, len(variances)), np.int64)
    np.add.at(votes, (fixed, least), 1)
    return votes


@dataclass(frozen=True)
class BetaVAEScore:
    """Result of `beta_vae_score`.

    Attributes:
        train_accuracy: float in [0, 1]. Accuracy of the classifier on its training points.
        eval_accuracy: float in [0, 1]. Accuracy on new points. This is the score.

    Example:
        codes = np.random.default_rng(0).normal(size=(2000, 2))
        factors = (codes > 0).astype(int)
        ki.evaluation.disentanglement.beta_vae_score(codes, factors)
    """

    train_accuracy: float
    eval_accuracy: float


def beta_vae_score(
    codes: Codes,
    factors: "np.ndarray | Factors",
    *,
    batch_size: int = 64,
    train: int = 10_000,
    evaluation: int = 5_000,
    seed: int = 0,
) -> BetaVAEScore:
    """Computes the BetaVAE score: 1 if a linear classifier identifies a factor that pairs share.

    For a point, a factor is drawn, and a batch of pairs of examples that share its value. The
    features of the point are the mean absolute differences of the codes within pairs. A logistic
    regression predicts the factor from the features. The score is its accuracy on new points.

    Range: [0, 1]. Chance is 1 / k, for k factors.

    Does not detect: duplicated codes, and most rotations of the codes, because each factor has a
    characteristic effect on all codes. (Only a rotation by exactly 45 degrees gives two like
    factors the same effect.) Most models of the literature are close to 1.

    Source: Higgins et al., "beta-VAE", 2017, section 3, with the protocol of disentanglement_lib;
    see `factor_vae_score` for the draws.

    Args:
        codes: float array (n, d), or function. Representation of each example, or a function from
            int factors (m, k) to codes (m, d).
        factors: int array (n, k), or `datasets.Factors`. Known factors of each example, or, for a
            function, the sizes of the factors.
        batch_size: int. Number of pairs in a point.
        train: int. Number of points for training.
        evaluation: int. Number of points for evaluation.
        seed: int. Seed of the draws.

    Returns:
        `BetaVAEScore`, whose `eval_accuracy` is the score.

    Raises:
        ValueError: If the arrays have other shapes, or a function is given without `sizes` or
            `sizes` without a function.
    """
    draws = draws_of(codes, factors, seed)
    points = []
    for count in (train, evaluation):
        parts = [
            (np.mean(np.abs(first - second), axis=1), fixed)
            for fixed, first, second in draws.pairs(count, batch_size)
        ]
        features, labels = zip(*parts, strict=True)
        points.append((np.concatenate(features).astype(np.float64), np.concatenate(labels)))
    with iterations_as_defined():
        model = LogisticRegression(random_state=seed).fit(*points[0])
    return BetaVAEScore(*(float(np.mean(model.predict(x) == y)) for x, y in points))


def irs(codes, factors, bins: int = 20, quantile: float = 0.99) -> float:
    """Computes the interventional robustness score (IRS): 1 if each code depends on one factor.

    The score measures how little a code changes if one factor is fixed and all others vary. IRS =
    sum_i w_i max_j R_ij / sum_i w_i. R_ij is the robustness of code i with factor j fixed, see
    `irs_matrix`. The weight w_i is the largest deviation of code i from its mean. Constant codes
    are left out. If all codes are constant, the score is 0.

    Range: [0, 1]. Codes that each depend on one factor only have 1. Pairs of factors of five values
    that are rotated by 45 degrees have .50, and those merged into one code .83.

    Does not detect: whether every factor is encoded (copies of one factor have 1), and by how many
    codes. Rare extreme values of a code determine its weight and its scale.

    Source: Suter et al., "Robustly disentangled causal mechanisms", 2019, section 4, as in
    disentanglement_lib. There, factors are binned too: 40 values become 20.

    Args:
        codes: float array (n, d). Representation of each example, such as posterior means.
        factors: int array (n, k). Known factors of each example.
        bins: int. Number of equal-width bins of each factor.
        quantile: float. Quantile of the deviations that is used as the largest deviation.

    Raises:
        ValueError: If the arrays have other shapes, or a factor has a single value.
    """
    codes, factors = check_arrays(codes, factors)
    codes = codes[:, codes.var(axis=0) > 0]
    if not codes.any():
        return 0.0
    weights = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    scores = irs_matrix(codes, discretize(factors, bins), quantile).max(axis=1)
    return float(np.average(scores, weights=weights))


def irs_matrix(codes: np.ndarray, factors: np.ndarray, quantile: float = 0.99) -> np.ndarray:
    """Computes the robustness R of each code against changes of all factors but one.

    R_ij = 1 - E_ij / w_i. E_ij is the mean over values v of factor j of the largest deviation of
    code i from its mean given v. w_i is the largest deviation of code i from its overall mean. The
    largest deviation in E_ij is measured by `quantile`.

    Args:
        codes: float array (n, d). Representation of each example; no code is constant.
        factors: int array (n, k). Known factors of each example.
        quantile: float. Quantile of the deviations that is used as the largest deviation.

    Returns:
        float64 array (d, k), at most 1.
    """
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    deviations = np.zeros((codes.shape[1], factors.shape[1]))
    for j, column in enumerate(factors.T):
        values = np.unique(column)
        for value in values:
            rows = codes[column == value]
            moves = np.abs(rows - rows.mean(axis=0))
            deviations[:, j] += np.quantile(moves, quantile, axis=0) / len(values)
    return 1 - deviations / largest[:, None]
