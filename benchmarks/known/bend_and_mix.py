"""Mixtures of joint Gaussians, bent: the log ratio is known point by point.

Source: Czyż et al., "On the properties and estimation of pointwise mutual information profiles",
2023. The truth is the mean of the log ratio over 400,000 draws, with an error below .003.
"""

import math

import numpy as np
from information_tasks import Task as Pairs
from information_tasks import mapped
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from known.bmi import squared_spiral


def mixture(name: str, means, covariances, dx: int, weights=None, fx=None, fy=None) -> Pairs:
    """Components over (x, y); x and y may then be bent by one-to-one maps."""
    means, covariances = np.asarray(means, float), np.asarray(covariances, float)
    weights = np.full(len(means), 1 / len(means)) if weights is None else np.asarray(weights)
    roots = np.linalg.cholesky(covariances)

    def both(n, rng):
        k = rng.choice(len(means), size=n, p=weights)
        e = rng.normal(size=(n, means.shape[1]))
        return means[k] + np.einsum("nij,nj->ni", roots[k], e)

    def log_prob(points, columns):
        parts = [
            math.log(w) + multivariate_normal(m[columns], c[columns, columns]).logpdf(points)
            for w, m, c in zip(weights, means, covariances, strict=True)
        ]
        return logsumexp(parts, axis=0)

    sample = both(400_000, np.random.default_rng(12345))
    left, right = np.s_[:dx], np.s_[dx:]
    ratio = log_prob(sample, np.s_[:]) - log_prob(sample[:, left], left)
    truth = float((ratio - log_prob(sample[:, right], right)).mean())

    def draw(n, rng):
        points = both(n, rng)
        return points[:, :dx], points[:, dx:]

    return Pairs(name, truth, mapped(draw, fx, fy))


def bend_and_mix() -> list[Pairs]:
    def pair(r, scale=1.0):
        return scale * np.array([[1, r], [r, 1]])

    wave = [[x, 1.5 * math.sin(1.1 * x)] for x in range(12)]
    galaxy = 0.3 * np.eye(3)
    signal = np.eye(6)
    signal[0, 3] = signal[3, 0] = signal[1, 4] = signal[4, 1] = 0.9
    return [
        mixture("X", np.zeros((2, 2)), [pair(0.9, 0.3), pair(-0.9, 0.3)], 1),
        mixture("waves", wave, [np.diag([0.1, 0.1])] * 12, 1),
        mixture(
            "galaxy 2x1",
            [[-1, -1, 1], [1, 1, -1]],
            [galaxy, galaxy],
            2,
            fx=squared_spiral(0, 1, 0.5),
        ),
        mixture("concentric 3x3", np.zeros((3, 6)), [s * np.eye(6) for s in (0.04, 0.5, 4.0)], 3),
        mixture("inliers 3x3", np.zeros((2, 6)), [signal, np.eye(6)], 3, (0.8, 0.2)),
        mixture("fence", [[x, x % 2 * 1.5] for x in range(6)], [np.diag([0.02, 0.2])] * 6, 1),
    ]
