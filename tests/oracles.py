"""Closed forms in NumPy and SciPy, apart from the code under test."""

import math

import numpy as np
from scipy.special import roots_laguerre


def gaussian_mmd(mean, covariance, length_squared):
    """MMD^2 of N(m, S) and N(0, I) for k = exp(-r^2 / (2 l^2)), with its two diagonal terms.

    Returns:
        MMD^2, E_q k(z, z'), E_p k(w, w').
    """
    k, identity = len(mean), np.eye(len(mean))

    def within(s):
        return np.linalg.det(identity + 2 * s / length_squared) ** -0.5

    exponent = mean @ np.linalg.inv(covariance + (1 + length_squared) * identity) @ mean
    cross = np.linalg.det(identity + (covariance + identity) / length_squared) ** -0.5
    cross *= np.exp(-0.5 * exponent)
    within_p = (1 + 2 / length_squared) ** (-k / 2)
    return within(covariance) + within_p - 2 * cross, within(covariance), within_p


def inverse_multiquadric_mmd(mean, covariance, constants):
    """The same for the mean over C of C / (C + r^2) = int e^-t exp(-t r^2 / C) dt."""
    nodes, weights = roots_laguerre(64)
    values = [
        np.sum([w * np.array(gaussian_mmd(mean, covariance, c / (2 * t))) for t, w in rule], axis=0)
        for c in constants
        for rule in [list(zip(nodes, weights, strict=True))]
    ]
    return tuple(np.mean(values, axis=0))


def linear_gaussian(sx, a, b, s, w, c, sigma):
    """Terms of the InfoVAE objective for x ~ N(0, Sx), q = N(Ax+b, S), p(x|z) = N(Wz+c, s^2 I)."""
    d, k = len(sx), len(b)
    logdet = lambda m: np.linalg.slogdet(m)[1]  # noqa: E731
    sz = a @ sx @ a.T + s
    residual = np.eye(d) - w @ a
    error = np.trace(residual @ sx @ residual.T) + np.trace(w @ s @ w.T)
    error += np.sum((w @ b + c) ** 2)
    model = w @ w.T + sigma**2 * np.eye(d)
    return {
        "mutual_information": 0.5 * (logdet(sz) - logdet(s)),
        "rate": 0.5 * (np.trace(s) + np.trace(a @ sx @ a.T) + b @ b - k - logdet(s)),
        "marginal_kl": 0.5 * (np.trace(sz) + b @ b - k - logdet(sz)),
        "reconstruction": 0.5 * d * np.log(2 * np.pi * sigma**2) + error / (2 * sigma**2),
        "log_likelihood": -0.5
        * (
            d * np.log(2 * np.pi)
            + logdet(model)
            + np.trace(np.linalg.inv(model) @ sx)
            + c @ np.linalg.inv(model) @ c
        ),
    }


S = 0.6
"""Standard deviation of the posteriors of `encodings`."""


def encodings(correlation=0.0, n=3000, d=3):
    """A table of z = x + S e with var z = 1, and its I_q and total correlation in closed form."""
    rng = np.random.default_rng(0)
    c = (1 - S**2) * ((1 - correlation) * np.eye(d) + correlation)
    loc = rng.multivariate_normal(np.zeros(d), c, size=n)
    log_det = np.linalg.slogdet(c + S**2 * np.eye(d))[1]
    truth = {"I_q": 0.5 * log_det - d * math.log(S), "total correlation": -0.5 * log_det}
    return (loc + S * rng.normal(size=(n, d)), loc, np.full((n, d), S)), truth
