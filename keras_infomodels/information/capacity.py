"""Capacity of a discrete channel, computed by two algorithms with the same result."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, rel_entr, xlogy

from keras_infomodels.information.estimate import Estimate

__all__ = ["Capacity", "blahut_arimoto", "im_alternation"]


@dataclass(frozen=True)
class Capacity:
    """Capacity of a channel p(y|x): the largest I(X;Y) over all input distributions p(x).

    x has K_x values, and y has K_y values.

    Attributes:
        estimate: `Estimate`. Capacity in nats. Its kind is "exact" if the tolerance was reached,
            else "lower bound". Its ceiling is the smaller of ln K_x and ln K_y.
        upper: float. Upper bound on the capacity in nats.
        inputs: array (K_x,). Input distribution p(x) that reaches `estimate`.

    Example:
        capacity = ki.information.blahut_arimoto([[0.9, 0.1], [0.1, 0.9]])
        capacity.estimate.bits(), capacity.inputs  # 0.531, [0.5, 0.5]
    """

    estimate: Estimate
    upper: float
    inputs: np.ndarray


def blahut_arimoto(
    channel: np.ndarray, tolerance: float = 1e-9, iterations: int = 100_000
) -> Capacity:
    """Computes the capacity of a channel p(y|x) by Blahut and Arimoto's algorithm.

    The capacity is the largest I(X;Y) over all input distributions p(x). Each iteration updates
    p(x):

        p(x) <- p(x) exp(D_x) / sum,    D_x = KL(p(y|x) || p(y))

    In every iteration sum_x p(x) D_x <= capacity <= max_x D_x. The algorithm ends when the two
    bounds differ by at most the tolerance. Source: Blahut, "Computation of channel capacity and
    rate-distortion functions", 1972.

    Args:
        channel: array (K_x, K_y). Probabilities p(y|x); each row sums to 1.
        tolerance: float. Largest error of the capacity in nats.
        iterations: int. Largest number of iterations.

    Returns:
        `Capacity`, with the value in nats and the input distribution.

    Raises:
        ValueError: If the channel has negative entries, or rows that do not sum to 1.

    Example:
        flip = 0.1
        channel = [[1 - flip, flip], [flip, 1 - flip]]
        ki.information.blahut_arimoto(channel).estimate.bits()  # 0.531 bits
    """
    channel = _check(channel)
    p = np.full(len(channel), 1 / len(channel))
    for _ in range(iterations):
        divergence = rel_entr(channel, p @ channel).sum(axis=1)
        if divergence.max() - p @ divergence < tolerance:
            break
        p = p * np.exp(divergence - divergence.max())
        p /= p.sum()
    return _capacity(channel, p, tolerance)


def im_alternation(
    channel: np.ndarray, tolerance: float = 1e-9, iterations: int = 100_000
) -> tuple[Capacity, list[float]]:
    """Computes the capacity of a channel p(y|x) by maximizing Barber and Agakov's bound.

    The capacity is the largest I(X;Y) over all input distributions p(x). The bound is maximized
    over a model Q(x|y) and over p(x) in turn:

        I(X;Y) >= H(X) + E log Q(x|y)

    For fixed p(x) the best Q(x|y) is p(x|y), and the bound is tight. For fixed Q the best p(x) is
    proportional to exp E_{p(y|x)} log Q(x|y). This is the objective of InfoGAN for discrete
    variables, where both maximizations are exact. Source: Barber and Agakov, "The IM algorithm",
    2003.

    Args:
        channel: array (K_x, K_y). Probabilities p(y|x); each row sums to 1.
        tolerance: float. Largest error of the capacity in nats.
        iterations: int. Largest number of iterations.

    Returns:
        Two values: a `Capacity`, and a list of the bound in nats after each iteration, which never
        decreases.

    Example:
        capacity, bounds = ki.information.im_alternation([[0.9, 0.1], [0.1, 0.9]])
    """
    channel = _check(channel)
    with np.errstate(divide="ignore"):
        log_channel = np.log(channel)
    log_p = np.full(len(channel), -math.log(len(channel)))
    bounds = []
    for _ in range(iterations):
        joint = log_p[:, None] + log_channel
        log_q = joint - logsumexp(joint, axis=0)  # Q(x|y) = p(x|y)
        # E_{p(y|x)} log Q(x|y); where p(y|x) = 0 the term is 0.
        score = np.where(channel > 0, channel * np.where(channel > 0, log_q, 0), 0).sum(axis=1)
        # The bound, maximized over p(x): max H(p) + sum p(x) score(x) = ln sum exp score.
        bounds.append(float(logsumexp(score)))
        log_p = score - bounds[-1]
        if len(bounds) > 1 and _gap(channel, np.exp(log_p)) < tolerance:
            break
    return _capacity(channel, np.exp(log_p), tolerance), bounds


def _gap(channel: np.ndarray, p: np.ndarray) -> float:
    divergence = rel_entr(channel, p @ channel).sum(axis=1)
    return float(divergence.max() - p @ divergence)


def _capacity(channel: np.ndarray, p: np.ndarray, tolerance: float) -> Capacity:
    y = p @ channel
    information = float(-xlogy(y, y).sum() + p @ xlogy(channel, channel).sum(axis=1))
    upper = information + _gap(channel, p)
    kind = "exact" if upper - information < 2 * tolerance else "lower bound"
    estimate = Estimate(information, 0.0, kind, math.log(min(channel.shape)))
    return Capacity(estimate, upper, p)


def _check(channel) -> np.ndarray:
    channel = np.asarray(channel, np.float64)
    if channel.ndim != 2 or np.any(channel < 0) or not np.allclose(channel.sum(axis=1), 1):
        raise ValueError(
            "A channel is p(y|x) of shape (K_x, K_y): non-negative, and each row sums to 1."
        )
    used = channel[:, channel.sum(axis=0) > 0]
    return used / used.sum(axis=1, keepdims=True)
