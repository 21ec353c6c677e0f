"""Metrics of groups of examples that share a factor: FactorVAE score, BetaVAE score, IRS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from keras_infomodels.evaluation.disentanglement.arrays import check_arrays, discretize
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
    """FactorVAE score.

    Attributes:
        train_accuracy: float in [0, 1]. Share of the training votes that the classifier predicts.
        eval_accuracy: float in [0, 1]. The same of new votes: the score.
        votes: int64 (k, d). Training votes: how often code i varied least while factor j was fixed.
        eval_votes: int64 (k, d). New votes.
        active: bool (d,). Codes whose standard deviation is large enough to vote.

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
    """FactorVAE score: whether the code that varies least names the factor that is fixed.

    A vote draws a factor and a batch of examples that share its value; the code with the smallest
    variance in the batch, relative to its variance among all examples, votes for the factor. The
    classifier is the majority of the training votes of each code; the score is its accuracy.

    Range: [0, 1]; chance is 1 / k. No active code gives 0. Pairs of factors that are rotated by 45
    degrees have 1/2.

    Blind to: a factor's further codes (duplicated codes have 1); a factor that a code carries in
    addition, as long as another one is carried more; the size of what is carried.

    Source: Kim and Mnih, "Disentangling by factorising", 2018, section 4, with the protocol of
    disentanglement_lib. With a function, draws are those of disentanglement_lib for
    `RandomState(seed)` and a set whose factors are all observed, one by one. Its matrix of votes
    has the active codes in its first columns; here each code keeps its column.

    Args:
        codes: float (n, d), one row an example, from which batches are drawn with repetition. Or a
            function from integers (m, k), rows of factors, to codes (m, d).
        factors: integers (n, k). With a function, `datasets.Factors`, or what has its `sizes`.
        batch_size: int. Examples in a vote.
        train, evaluation: int. Numbers of votes.
        variance_rows: int. Examples from which a function's variances are measured; arrays use all
            their rows.
        min_stddev: float. Codes whose standard deviation is smaller do not vote.
        seed: int. Seed of the draws.

    Raises:
        ValueError: arrays of other shapes, a function without `sizes`, or the reverse.
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
    """Counts the votes of batches in which a factor is fixed.

    Args:
        batches: float (m, b, d). Codes of b examples of each of m batches.
        fixed: integers (m,). Number of the factor that each batch shares.
        variances: float (d,). Variance of each code among all examples.
        active: bool (d,). Codes that may vote.
        factors: int. Number k of factors.

    Returns:
        int64 (k, d).
    """
    ratio = np.var(batches, axis=1, ddof=1)[:, active] / variances[active]
    least = np.flatnonzero(active)[ratio.argmin(axis=1)]
    votes = np.zeros((factors, len(variances)), np.int64)
    np.add.at(votes, (fixed, least), 1)
    return votes


@dataclass(frozen=True)
class BetaVAEScore:
    """BetaVAE score.

    Attributes:
        train_accuracy: float in [0, 1]. Accuracy on the batches that were fitted.
        eval_accuracy: float in [0, 1]. Accuracy on new batches: the score.

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
    """BetaVAE score: whether a linear classifier names the factor that pairs of examples share.

    A point draws a factor and a batch of pairs that share its value; its features are the mean
    absolute differences of the codes within pairs. The score is the accuracy of a logistic
    regression from features to factors.

    Range: [0, 1]; chance is 1 / k.

    Blind to: most rotations of the codes, because each factor leaves a trace of its own in all of
    them (by exactly 45 degrees two like factors leave the same one); duplicated codes. Most models
    of the literature are close to 1.

    Source: Higgins et al., "beta-VAE", 2017, section 3, with the protocol of disentanglement_lib;
    see `factor_vae_score` for the draws.

    Args:
        codes: array (n, d) or function; see `factor_vae_score`.
        factors: int array (n, k) or `Factors`; see `factor_vae_score`.
        batch_size: int. Number of pairs in a point.
        train: int. Number of points for training.
        evaluation: int. Number of points for evaluation.
        seed: int. Seed of the draws.

    Raises:
        ValueError: as `factor_vae_score`.
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
    model = LogisticRegression(random_state=seed).fit(*points[0])
    return BetaVAEScore(*(float(np.mean(model.predict(x) == y)) for x, y in points))


def irs(codes, factors, bins: int = 20, quantile: float = 0.99) -> float:
    """Interventional robustness: how little a code moves while its factor stays.

    IRS = sum_i w_i max_j R_ij / sum_i w_i, with R of `irs_matrix` and the largest deviation of code
    i from its mean as w_i. Constant codes are left out; none left gives 0.

    Range: [0, 1]; codes that depend on one factor alone have 1. Pairs of factors of five values
    that are rotated by 45 degrees have .50, and those merged into one code .83.

    Blind to: whether every factor is known (copies of one factor have 1) and by how many codes.
    Rare values of a code set its weight and its scale.

    Source: Suter et al., "Robustly disentangled causal mechanisms", 2019, section 4, as in
    disentanglement_lib, where factors are binned too: 40 values become 20.

    Args:
        codes: float (n, d).
        factors: integers (n, k).
        bins: int. Number of equal-width bins of each factor.
        quantile: float. Quantile of the deviations that counts as the largest.

    Raises:
        ValueError: arrays of other shapes, or a factor with a single value.
    """
    codes, factors = check_arrays(codes, factors)
    codes = codes[:, codes.var(axis=0) > 0]
    if not codes.any():
        return 0.0
    weights = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    scores = irs_matrix(codes, discretize(factors, bins), quantile).max(axis=1)
    return float(np.average(scores, weights=weights))


def irs_matrix(codes: np.ndarray, factors: np.ndarray, quantile: float = 0.99) -> np.ndarray:
    """Robustness R of each code against changes of all factors but one.

    R_ij = 1 - (mean over values v of factor j of the quantile of |code i - its mean given v|) /
    (largest |code i - its mean|).

    Args:
        codes: float (n, d), of which none is constant.
        factors: integers (n, k).
        quantile: float. Quantile of the deviations that counts as the largest.

    Returns:
        float64 (d, k), at most 1.
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
