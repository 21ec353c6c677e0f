"""Tasks of BMI (Czyż et al., "Beyond normal", 2023), made anew from their definitions."""

import math

import numpy as np
from information_tasks import Task as Pairs
from information_tasks import (
    additive_noise,
    half_cube,
    mapped,
    normal_information,
    normal_pairs,
    student,
    swiss_roll,
    wiggly,
)
from scipy.stats import norm

from known.tasks import Task


def dense(d: int, r: float = 0.5) -> Pairs:
    """Every two of the 2d columns correlate by r."""
    covariance = np.full((2 * d, 2 * d), r) + (1 - r) * np.eye(2 * d)
    root = np.linalg.cholesky(covariance)

    def log_det(k):
        return math.log(1 + (k - 1) * r) + (k - 1) * math.log(1 - r)

    def draw(n, rng):
        both = rng.normal(size=(n, 2 * d)) @ root.T
        return both[:, :d], both[:, d:]

    return Pairs(f"dense normal {d}x{d}", log_det(d) - 0.5 * log_det(2 * d), draw)


def bimodal(x):
    """The map to two bumps at +-1.5 of deviation .5."""
    grid = np.linspace(-6, 6, 20_001)
    cdf = 0.5 * (norm.cdf(grid, -1.5, 0.5) + norm.cdf(grid, 1.5, 0.5))
    return np.interp(norm.cdf(x), cdf, grid)


def squared_spiral(first: int, second: int, speed: float = 1 / 3):
    """Turns two of the columns by an angle that grows with the squared norm."""

    def turn(x):
        angle = speed * (x**2).sum(axis=1)
        c, s = np.cos(angle), np.sin(angle)
        turned = x.copy()
        turned[:, first] = c * x[:, first] - s * x[:, second]
        turned[:, second] = s * x[:, first] + c * x[:, second]
        return turned

    return turn


def bmi_tasks() -> list[Task]:
    pair, r = normal_pairs([0.75]), normal_information(0.75)
    two = normal_information(0.8, 0.8)
    spirals = {d: (squared_spiral(0, 1), squared_spiral(1, 2)) for d in (3, 5)}
    tasks = [
        Pairs("normal 1x1", r, pair),
        Pairs("bimodal 1x1", r, mapped(pair, bimodal, bimodal)),
        Pairs("half-cube 1x1", r, mapped(pair, half_cube, half_cube)),
        Pairs("wiggly 1x1", r, mapped(pair, wiggly, wiggly)),
        Pairs("swiss roll 2x1", r, mapped(pair, swiss_roll, norm.cdf)),
        additive_noise(0.1),
        additive_noise(0.75),
        *(dense(d) for d in (2, 3, 5, 25, 50)),
        *(
            Pairs(f"sparse normal {d}x{d}", two, normal_pairs([0.8, 0.8], d, d))
            for d in (2, 3, 5, 25)
        ),
        Pairs("normal cdf 3x3", two, mapped(normal_pairs([0.8] * 2, 3, 3), norm.cdf, norm.cdf)),
        Pairs(
            "half-cube 25x25", two, mapped(normal_pairs([0.8] * 2, 25, 25), half_cube, half_cube)
        ),
        *(
            Pairs(f"spiral {d}x{d}", two, mapped(normal_pairs([0.8] * 2, d, d), *spirals[d]))
            for d in (3, 5)
        ),
        student(1, 1, 1),
        student(2, 2, 1),
        student(3, 3, 2),
        student(5, 5, 2),
        _asinh(student(5, 5, 3)),
    ]
    return [Task("bmi", task.name, task.truth, task.draw) for task in tasks]


def _asinh(task: Pairs) -> Pairs:
    return Pairs(f"asinh {task.name}", task.truth, mapped(task.draw, np.arcsinh, np.arcsinh))
