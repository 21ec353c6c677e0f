"""Information of discrete variables: exact from a joint table, estimated from samples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, rel_entr
from scipy.stats import entropy

from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import Joint
from keras_infomodels.information.streams import generator

__all__ = [
    "JointTable",
    "ShuffleNull",
    "grassberger",
    "miller_madow",
    "plug_in",
    "row_codes",
    "shuffle_null",
    "without_missing",
]


class JointTable(Joint):
    """Discrete variables with a known joint distribution.

    Its methods, such as `entropy` and `mutual_information`, return exact results in nats.

    Args:
        probabilities: array (K_1, ..., K_n). Joint probabilities of n variables, with one axis for
            each variable. They are non-negative and sum to 1.
        names: sequence of str. Names of the variables. `None` means x, y, z for up to three
            variables and x1, x2, ... for more.

    Raises:
        ValueError: If the entries are negative or do not sum to 1.

    Example:
        table = ki.information.JointTable([[0.4, 0.1], [0.1, 0.4]])
        table.mutual_information("x", "y").bits()  # 0.278 bits
    """

    def __init__(self, probabilities: np.ndarray, names: Sequence[str] | None = None):
        p = np.asarray(probabilities, np.float64)
        if names is None:
            names = "xyz"[: p.ndim] if p.ndim <= 3 else [f"x{i + 1}" for i in range(p.ndim)]
        super().__init__(names)
        if p.ndim != len(self.names) or p.ndim == 0:
            raise ValueError(f"{len(self.names)} variables need as many axes, got {p.ndim}.")
        if not (np.all(p >= 0) and abs(p.sum() - 1) < 1e-6):
            raise ValueError(
                f"A joint table is non-negative and sums to 1; got a sum of {p.sum():.6g} and a "
                f"least entry of {p.min(initial=math.inf):.3g}. Divide counts by their sum."
            )
        self.probabilities = p / p.sum()

    def joint_entropy(self, names: frozenset[str]) -> float:
        """Computes the joint entropy of the named variables, in nats.

        Args:
            names: frozenset of str. Names of the variables.
        """
        return float(entropy(self.marginal(names).ravel())) if names else 0.0

    def log_size(self, names: frozenset[str]) -> float:
        """Returns the logarithm of the number of joint values of the named variables.

        Args:
            names: frozenset of str. Names of the variables.
        """
        sizes = dict(zip(self.names, self.probabilities.shape, strict=True))
        return sum(math.log(sizes[name]) for name in names)

    def marginal(self, names: Sequence[str] | frozenset[str]) -> np.ndarray:
        """Returns the joint probabilities of some variables, with axes in the original order.

        Args:
            names: sequence of str. Names of the variables to keep.

        Returns:
            Array with one axis for each variable in `names`.
        """
        group = self._group(names)
        others = tuple(i for i, name in enumerate(self.names) if name not in group)
        return self.probabilities.sum(axis=others)

    def divergence_from_independence(self, x: str, y: str) -> Estimate:
        """Computes the mutual information I(X;Y) as KL(p(x,y) || p(x) p(y)), in nats.

        Args:
            x: str. Name of the variable X.
            y: str. Name of the variable Y.

        Raises:
            ValueError: If x is y, or a name is unknown.
        """
        if x == y:
            raise ValueError(
                f"x and y are two different variables of {', '.join(self.names)}; got {x!r} twice."
            )
        joint = self.marginal((x, y))
        product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        ceiling = math.log(min(joint.shape))
        return Estimate(float(rel_entr(joint, product).sum()), 0.0, "exact", ceiling)


def plug_in(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Estimates I(X;Y) of discrete variables by the information of the observed frequencies.

    The estimate is too large on average. For independent variables its bias is about
    (K_x - 1)(K_y - 1) / (2n) nats, where K_x and K_y are the numbers of values and n is the number
    of pairs.
    `miller_madow` corrects the bias, and `shuffle_null` measures it.

    Args:
        x: array (n,) or (n, d). Labels of any type: numbers, text or bool. Equal rows are the same
            value of X.
        y: array (n,) or (n, d). Labels of Y, paired with those of X.

    Returns:
        `Estimate` in nats, never negative. Its ceiling is the smaller of ln K_x and ln K_y.

    Raises:
        ValueError: If there are no rows, x and y have different numbers of rows, or labels are NaN,
            NaT or None.

    Example:
        ki.information.plug_in(["a", "a", "b", "b"], [0, 0, 1, 1])  # ln 2 nats
    """
    counts, rows, columns = _contingency(x, y)
    n, (kx, ky) = len(rows), counts.shape
    log_ratio = np.log(counts[rows, columns]) + math.log(n)
    log_ratio -= np.log(counts.sum(1)[rows]) + np.log(counts.sum(0)[columns])
    error = float(log_ratio.std() / math.sqrt(n))
    return Estimate(float(log_ratio.mean()), error, ceiling=math.log(min(kx, ky)))


def miller_madow(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Estimates I(X;Y) of discrete variables by `plug_in` with a correction of its bias.

        plug-in + (K_x + K_y - K_xy - 1) / (2n)

    K_x, K_y and K_xy are the numbers of values of x, y and pairs (x, y) that occur among the n
    pairs. The estimate may be negative. It may exceed `plug_in` by at most (K - 1) / (2n), where K
    is the smaller of K_x and K_y.
    Source: Miller, "Note on the bias of information estimates", 1955.

    Args:
        x: array (n,) or (n, d). Labels of any type: numbers, text or bool. Equal rows are the same
            value of X.
        y: array (n,) or (n, d). Labels of Y, paired with those of X.

    Returns:
        `Estimate` in nats. Its ceiling is the smaller of ln K_x and ln K_y, plus (K - 1) / (2n).

    Raises:
        ValueError: If there are no rows, x and y have different numbers of rows, or labels are NaN,
            NaT or None.

    Example:
        rng = np.random.default_rng(1)
        x, y = rng.integers(5, size=(2, 1000))
        print(ki.information.miller_madow(x, y))  # the truth is 0
    """
    counts, rows, _ = _contingency(x, y)
    kx, ky = counts.shape
    correction = (kx + ky - np.count_nonzero(counts) - 1) / (2 * len(rows))
    biased = plug_in(x, y)
    ceiling = biased.ceiling + (min(kx, ky) - 1) / (2 * len(rows))
    return Estimate(biased.nats + correction, biased.standard_error, ceiling=ceiling)


def grassberger(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Estimates I(X;Y) = H(X) + H(Y) - H(X,Y) by Grassberger's estimator of each entropy.

        H = ln n - (1/n) sum_i n_i G(n_i)
        G(n) = psi(n) + (-1)^n / 2 (psi((n + 1) / 2) - psi(n / 2))

    n_i is the number of rows with the i-th value, n the number of all rows and psi the digamma
    function. If the table of x and y has two to ten rows per cell, the bias is a fraction of that
    of `miller_madow`. With fewer rows per cell the estimate is too large. The standard error is
    that of `plug_in`.

    Args:
        x: array (n,) or (n, d). Labels of any type: numbers, text or bool. Equal rows are the same
            value of X.
        y: array (n,) or (n, d). Labels of Y, paired with those of X.

    Returns:
        `Estimate` in nats, which may be negative.

    Raises:
        ValueError: If there are no rows, x and y have different numbers of rows, or labels are NaN,
            NaT or None.

    Source: Grassberger, "Entropy estimates from insufficient samplings", 2003, equation 30.

    Example:
        rng = np.random.default_rng(1)
        x, y = rng.integers(20, size=(2, 2000))
        print(ki.information.grassberger(x, y))  # the truth is 0
    """
    counts, _, _ = _contingency(x, y)
    tables = (counts.sum(1), counts.sum(0), counts[counts > 0])
    h_x, h_y, h_both = (_grassberger_entropy(table) for table in tables)
    plain = plug_in(x, y)
    return Estimate(float(h_x + h_y - h_both), plain.standard_error)


def _grassberger_entropy(counts: np.ndarray) -> float:
    n = counts.sum()
    sign = np.where(counts % 2, -0.5, 0.5)
    g = digamma(counts) + sign * (digamma((counts + 1) / 2) - digamma(counts / 2))
    return float(math.log(n) - (counts * g).sum() / n)


@dataclass(frozen=True)
class ShuffleNull:
    """Result of `shuffle_null`: an estimator's values on pairs that were shuffled.

    Shuffled pairs are independent, with the same distributions of x and y.

    Attributes:
        estimate: `Estimate`. Mean over the shuffles in nats, with the standard error of the mean.
        spread: float. Standard deviation over the shuffles in nats.
        p_value: float. Share of shuffles whose value is at least that of the original pairs. The
            smallest possible value is 1 / (shuffles + 1).

    Example:
        null = ki.information.shuffle_null([0, 1, 0, 1], [0, 1, 0, 1], shuffles=20)
        null.estimate, null.spread, null.p_value
    """

    estimate: Estimate
    spread: float
    p_value: float


def shuffle_null(
    x: np.ndarray,
    y: np.ndarray,
    information: Callable[[np.ndarray, np.ndarray], Estimate] = plug_in,
    shuffles: int = 100,
    seed: int = 0,
) -> ShuffleNull:
    """Applies an estimator of I(X;Y) to shuffled pairs, to test for independence.

    Shuffling y makes the pairs independent, so the truth is 0. The values on shuffled pairs show
    the bias and the spread of the estimator.

    Args:
        x: array with n rows. Samples of X, as `information` takes them.
        y: array with n rows. Samples of Y, paired with those of X.
        information: function. Estimator from (x, y) to an `Estimate`, such as `plug_in` or `ksg`.
        shuffles: int. Number of shuffles, at least 2.
        seed: int. Seed of the permutations.

    Returns:
        `ShuffleNull`, with the mean, the spread and a p-value.

    Raises:
        ValueError: If `shuffles` is below 2, or x or y contains NaN, NaT or None.

    Example:
        x, y = [0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 1, 0]
        ki.information.shuffle_null(x, y).p_value
    """
    if shuffles < 2:
        raise ValueError(f"A spread needs at least 2 shuffles, got {shuffles}.")
    x, y = without_missing(x, "x"), without_missing(y, "y")
    rng = generator(seed, 13)
    values = np.array([information(x, rng.permutation(y)).nats for _ in range(shuffles)])
    spread = float(values.std(ddof=1))
    reached = 1 + np.sum(values >= information(x, y).nats - 1e-12)
    return ShuffleNull(
        Estimate(float(values.mean()), spread / math.sqrt(shuffles)),
        spread,
        float(reached / (shuffles + 1)),
    )


def _contingency(x, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts (K_x, K_y), and the row and the column of each example."""
    x, y = without_missing(x, "x"), without_missing(y, "y")
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x and y have one row an example, got {len(x)} and {len(y)} rows.")
    rows, columns = row_codes(x), row_codes(y)
    counts = np.zeros((rows.max() + 1, columns.max() + 1), int)
    np.add.at(counts, (rows, columns), 1)
    return counts, rows, columns


def without_missing(side, name: str) -> np.ndarray:
    """Converts to an array, and raises ValueError if some value is NaN, NaT or None."""
    side = np.asarray(side)
    missing = side != side  # NaN and NaT, which differ from themselves
    if side.dtype == object:
        missing = np.array([_is_missing(value) for value in side.flat]).reshape(side.shape)
    if missing.any():
        row = np.argwhere(missing)[0][0]
        raise ValueError(f"{name} holds NaN or None, first in row {row}; leave such rows out.")
    return side


def _is_missing(value) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA will not compare
        return True


def row_codes(side: np.ndarray) -> np.ndarray:
    """Returns an integer from 0 for each row; equal rows get the same integer."""
    columns = side.reshape(len(side), -1).T
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
