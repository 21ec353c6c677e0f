"""Codes whose relation to their factors is known."""

import numpy as np


def draw_factors(count=2000, sizes=(5, 5, 5, 5), seed=0):
    return np.random.default_rng(seed).integers(sizes, size=(count, len(sizes)))


def grid(*sizes):
    """Every combination once."""
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)


def make_codes(kind, factors, seed=1):
    """Codes of one kind; pairs of factors are rotated by 45 degrees or merged into one code."""
    x = factors.astype(float)
    even, odd = x[:, ::2], x[:, 1::2]
    if kind == "identity":
        return x
    if kind == "rotated":
        return np.hstack([even + odd, even - odd])
    if kind == "duplicated":
        return np.hstack([x, x])
    if kind == "merged":
        return even * (1 + odd.max(axis=0)) + odd
    assert kind == "random"
    return np.random.default_rng(seed).normal(size=x.shape)
