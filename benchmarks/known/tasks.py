"""A task: pairs of variables whose mutual information is known, and ways to know it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """Attributes: group, name, truth in nats, draw(n, rng) to x and y with n rows each, n."""

    group: str
    name: str
    truth: float
    draw: Draw
    n: int = 4000


def table_information(p: np.ndarray) -> float:
    p = p / p.sum()
    product = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    inside = p > 0
    return float(np.sum(p[inside] * np.log(p[inside] / product[inside])))


def channel(inputs, weights, density, grid) -> float:
    """I of a discrete (or finely cut) input and a number of density(y, input), by trapezoids."""
    p = np.stack([density(grid, i) for i in inputs])
    w = np.asarray(weights, float) / np.sum(weights)
    q = w @ p
    inside = np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-300)), 0)
    return float(w @ np.trapezoid(inside, grid, axis=1))


def normal_inputs(count: int = 801):
    x = np.linspace(-6, 6, count)
    return x, norm.pdf(x)


def as_columns(*columns):
    return np.stack(columns, axis=1)
