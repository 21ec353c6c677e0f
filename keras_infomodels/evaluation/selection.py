"""Selection among runs without labels: the unsupervised disentanglement ranking (UDR)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

__all__ = ["UDR", "udr"]


@dataclass(frozen=True)
class UDR:
    """Result of `udr`: unsupervised disentanglement ranking of m runs.

    Attributes:
        scores: float array (m,). Score of each run, the median of its column in `pairs`. Choose the
            run with the highest score.
        pairs: float array (m, m). Score of each pair of runs; the codes of run i predict those of
            run j. The diagonal is NaN.

    Example:
        codes = np.random.default_rng(0).normal(size=(500, 3))
        ki.evaluation.udr([codes, -codes[:, ::-1]]).scores
    """

    scores: np.ndarray
    pairs: np.ndarray


def udr(
    codes: Sequence[np.ndarray],
    rates: Sequence[np.ndarray] | None = None,
    method: str = "lasso",
    threshold: float = 0.01,
) -> UDR:
    """Ranks runs of one recipe without labels, by how similar their codes are.

    Codes are the posterior means of a run's latents. Two runs are similar if their codes are equal
    up to order, sign and scale. For runs i and j, R_ab is the absolute weight of code a of run i in
    a lasso regression (penalty 0.1) that predicts code b of run j. With `method="spearman"`, R_ab
    is the absolute rank correlation of both codes. The score of the pair is the mean of mean_b
    max_a R_ab^2 / sum_a R_ab and mean_a max_b R_ab^2 / sum_b R_ab.

    Range: [0, 1]. With the lasso, equal codes have 0.9, because the penalty shrinks their weight.

    Does not detect: runs that are entangled in the same way, for example because the data prefer
    certain axes. The score assumes that disentangled runs agree and entangled runs differ.

    Source: Duan et al., "Unsupervised model selection for variational disentangled representation
    learning", 2020, with the averages of disentanglement_lib.

    Args:
        codes: sequence of arrays (n, d_i). For each of at least two runs, the posterior means of
            the same n examples.
        rates: sequence of arrays (d_i,). For each run, the mean KL(q(z_a|x) || p(z_a)) of each
            latent z_a, in nats. `None` uses all codes that are not constant.
        method: str. "lasso" or "spearman", the definition of R.
        threshold: float. Codes with a rate of at most this value, in nats, are left out.

    Returns:
        `UDR` with a score for each run.

    Raises:
        ValueError: If there are fewer than two runs, the numbers of examples differ, or `method` is
            unknown.

    Example:
        codes = np.random.default_rng(0).normal(size=(500, 3))
        runs = [codes, -codes[:, [2, 0, 1]]]
        ki.evaluation.udr(runs, method="spearman").scores  # about 0.9 each
    """
    if method not in ("lasso", "spearman"):
        raise ValueError(f'method is "lasso" or "spearman", got {method!r}.')
    codes = [np.asarray(run, np.float64) for run in codes]
    shapes = [run.shape for run in codes]
    if len(codes) < 2 or any(len(s) != 2 or s[0] != shapes[0][0] for s in shapes):
        raise ValueError(
            "Give the codes of at least two runs for the same n examples, (n, d) each; got "
            f"{shapes}."
        )
    rates = (
        [np.where(np.ptp(run, axis=0) > 0, np.inf, 0) for run in codes] if rates is None else rates
    )
    if [np.shape(rate) for rate in rates] != [s[1:] for s in shapes]:
        raise ValueError(
            f"Each run has one rate a code; got {[np.shape(rate) for rate in rates]} for codes "
            f"{shapes}."
        )
    used = [run[:, np.asarray(r) > threshold] for run, r in zip(codes, rates, strict=True)]
    used = [StandardScaler().fit_transform(run) if run.shape[1] else run for run in used]
    m = len(codes)
    pairs = np.full((m, m), np.nan)
    for i, j in np.ndindex(m, m):
        if i != j:
            pairs[i, j] = _agreement(used[i], used[j], method)
    return UDR(np.nanmedian(pairs, axis=0), pairs)


def _agreement(a: np.ndarray, b: np.ndarray, method: str) -> float:
    """Score of a pair; 0 where a run has no informative code."""
    if not (a.shape[1] and b.shape[1]):
        return 0.0
    if method == "lasso":
        weights = np.abs(np.atleast_2d(Lasso(alpha=0.1).fit(a, b).coef_)).T  # (d_i, d_j)
    else:
        ranks = np.hstack([rankdata(a, axis=0), rankdata(b, axis=0)])
        weights = np.abs(np.corrcoef(ranks.T)[: a.shape[1], a.shape[1] :])
    return (_strength(weights) + _strength(weights.T)) / 2


def _strength(weights: np.ndarray) -> float:
    """Mean over columns of max^2 / sum; columns of zeros count 0."""
    total = weights.sum(axis=0)
    best = weights.max(axis=0)
    return float(np.mean(np.where(total > 0, best**2 / np.where(total > 0, total, 1), 0)))
