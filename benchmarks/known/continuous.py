"""Tasks of numbers: one of many columns, XOR-like, heavy tails, ties; truths by quadrature."""

import math

import numpy as np
from information_tasks import hidden_sign, mapped, normal_information, normal_pairs, student
from scipy.stats import cauchy as cauchy_density
from scipy.stats import norm

from known.bend_and_mix import bend_and_mix
from known.tasks import Task, channel, normal_inputs, table_information


def continuous_tasks() -> list[Task]:
    def function(mean, noise, d, density=None):
        def draw(n, rng):
            x = rng.normal(size=(n, d))
            return x, mean(x) + noise * rng.normal(size=n)

        return draw

    u, w = normal_inputs(4001)
    fine = np.linspace(-4, 4, 8001)

    def by_mean(mean, noise, grid):
        return channel(mean(u), w, lambda y, m: norm.pdf(y, m, noise), grid)

    def normal_channel(density, grid):
        return channel(u[::5], w[::5], density, grid)

    rng = np.random.default_rng(3)
    products = rng.normal(size=200_000) * rng.normal(size=200_000)
    counts, edges = np.histogram(products, bins=20_000, range=(-14, 14))
    centers = (edges[1:] + edges[:-1]) / 2
    step = centers[1] - centers[0]
    kernel = norm.pdf(np.arange(-2, 2 + step, step), 0, 0.2)
    q = np.convolve(counts / counts.sum(), kernel, "same")
    product_truth = -np.sum(q * step * np.log(np.maximum(q, 1e-300)))
    product_truth -= 0.5 * math.log(2 * math.pi * math.e * 0.04)

    def circle(n, rng):
        a = rng.uniform(0, 2 * np.pi, n)
        return np.cos(a) + 0.1 * rng.normal(size=n), np.sin(a) + 0.1 * rng.normal(size=n)

    # I = h(x) + h(y) - h(x,y) on a grid.
    g = np.linspace(-1.7, 1.7, 681)
    angles = np.linspace(0, 2 * np.pi, 721)[:-1]
    px = np.stack([norm.pdf(g, m, 0.1) for m in np.cos(angles)])
    py = np.stack([norm.pdf(g, m, 0.1) for m in np.sin(angles)])
    circle_truth = table_information(px.T @ py)

    def rounded(r, unit):
        def draw(n, rng):
            x, y = normal_pairs([r])(n, rng)
            return np.round(x / unit) * unit, np.round(y / unit) * unit

        return draw

    bins = (np.arange(-60, 61) + 0.5) * 0.15
    cells = np.diff(norm.cdf(bins))
    middle = bins[:-1] + 0.075
    inner = np.linspace(-0.075, 0.075, 9)
    rounded_table = np.mean(
        [
            norm.pdf(middle + e)[:, None]
            * np.diff(norm.cdf((bins - 0.75 * (middle + e)[:, None]) / math.sqrt(1 - 0.75**2)))
            for e in inner
        ],
        axis=0,
    )
    assert abs(cells.sum() - 1) < 1e-6

    def cauchy(n, rng):
        x = rng.normal(size=n)
        return x, x + 0.3 * rng.standard_cauchy(n)

    tails = np.concatenate([-np.geomspace(3e4, 6, 4000), np.linspace(-6, 6, 6001)[1:-1],
                            np.geomspace(6, 3e4, 4000)])  # fmt: skip

    def collinear(n, rng):
        z, y = normal_pairs([0.8, 0.6])(n, rng)
        mix = np.random.default_rng(1).normal(size=(2, 12))
        return z @ mix + 1e-4 * rng.normal(size=(n, 12)), y

    def volatility(n, rng):
        x = rng.normal(size=n)
        return x, np.exp(x) * rng.normal(size=n)

    spread = np.concatenate([-np.geomspace(4000, 1e-4, 5000), np.geomspace(1e-4, 4000, 5000)])

    def task(name, truth, draw, n=4000):
        return Task("continuous", name, float(truth), draw, n)

    sine = by_mean(lambda x: np.sin(3 * x), 0.2, fine)
    square = by_mean(lambda x: x**2, 0.3, np.linspace(-3, 40, 20_001))
    sign, t = hidden_sign(3), student(3, 3, 1)
    log = mapped(normal_pairs([0.6] * 5), np.exp, lambda y: np.exp(2 * y))
    mixes = [task(m.name, m.truth, m.draw) for m in bend_and_mix()]
    return [
        task("sine of 1 of 6", sine, function(lambda x: np.sin(3 * x[:, 2]), 0.2, 6), 2000),
        task("square of 1 of 4, 400 rows", square, function(lambda x: x[:, 2] ** 2, 0.3, 4), 400),
        task("sine of 1 of 20", sine, function(lambda x: np.sin(3 * x[:, 2]), 0.2, 20)),
        task("1 of 20, normal", normal_information(0.9), normal_pairs([0.9], 20, 1), 2000),
        task("product of 2", product_truth, function(lambda x: x[:, 0] * x[:, 1], 0.2, 2), 2000),
        task("circle", circle_truth, circle, 2000),
        task("rounded to .15, independent", 0, rounded(0.0, 0.15), 2000),
        task("rounded to .15, r = .75", table_information(rounded_table),
             rounded(0.75, 0.15), 2000),
        task(sign.name, sign.truth, sign.draw),
        task(t.name, t.truth, t.draw),
        task("cauchy noise",
             normal_channel(lambda y, m: cauchy_density.pdf(y, m, 0.3), tails),
             cauchy, 2000),
        task("12 collinear columns", normal_information(0.8, 0.6), collinear, 2000),
        task("lognormal 5x5", normal_information(*[0.6] * 5), log),
        task("independent 10x10", 0,
             lambda n, r: (r.normal(size=(n, 10)), r.exponential(size=(n, 10)))),
        task("volatility",
             normal_channel(lambda y, m: norm.pdf(y, 0, np.exp(m)), spread),
             volatility, 2000),
        *mixes,
    ]  # fmt: skip
