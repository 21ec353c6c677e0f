"""Tasks of labels beside numbers; truths by quadrature."""

import math

import numpy as np
from information_tasks import normal_information, normal_pairs, shifted_label, zero_inflated
from scipy.special import logsumexp
from scipy.stats import norm, poisson
from scipy.stats import t as student_t

from known.tasks import Task, as_columns, channel, normal_inputs, table_information


def mixed_tasks() -> list[Task]:
    rng = np.random.default_rng(26)
    effects = rng.normal(size=100)
    levels = rng.permutation(10) * 1.0
    shops = rng.normal(size=300)
    shift = np.zeros(100)
    shift[:4] = 0.7
    centers = rng.normal(size=(5, 10)) * 0.6

    grid = np.linspace(-12, 24, 20_001)

    def gaussian(means, s):
        means = np.asarray(means, float)
        return channel(means, np.ones(len(means)), lambda y, m: norm.pdf(y, m, s), grid)

    def by_code(means, s, as_text=False, hot=False):
        def draw(n, rng):
            c = rng.integers(0, len(means), n)
            y = means[c] + s * rng.normal(size=n)
            x = np.array([f"k{k}" for k in range(len(means))])[c] if as_text else c
            return (np.eye(len(means))[c] if hot else x), y

        return draw

    def calendar_number(n, rng):
        x = as_columns(rng.integers(0, 24, n), rng.integers(0, 7, n), rng.integers(0, 12, n))
        return x, rng.normal(size=n)

    def hour(n, rng):
        h = rng.integers(0, 24, n)
        return h, np.sin(2 * np.pi * h / 24) + 0.3 * rng.normal(size=n)

    def switch(n, rng):
        a, b = rng.integers(0, 2, (2, n))
        x = rng.normal(size=n)
        y = np.where(a ^ b, 0.8, -0.8) * x + 0.6 * rng.normal(size=n)
        return {"a": np.array(["no", "yes"])[a], "b": b, "x": x}, y

    def wide_label(n, rng):
        c = rng.integers(0, 2, n)
        return rng.normal(size=(n, 100)) + c[:, None] * shift, c

    d = 0.7 * 2  # the distance of the two means
    line = np.linspace(-10, 12, 20_001)
    wide = channel([0, d], [1, 1], lambda y, m: norm.pdf(y, m, 1), line)

    def classes(n, rng):
        c = rng.integers(0, 5, n)
        return centers[c] + rng.normal(size=(n, 10)), c

    draws = np.random.default_rng(5)
    c = draws.integers(0, 5, 400_000)
    x = centers[c] + draws.normal(size=(len(c), 10))
    logits = -0.5 * ((x[:, None] - centers) ** 2).sum(-1)
    chosen = logits[np.arange(len(c)), c] - logsumexp(logits, axis=1)
    classes_truth = math.log(5) + chosen.mean()

    def quadrant(n, rng):
        x = rng.normal(size=(n, 6))
        return x, ((x[:, 1] * x[:, 4] > 0) ^ (rng.uniform(size=n) < 0.1)).astype(int)

    def zeros(n, rng):
        x, y = normal_pairs([0.8])(n, rng)
        zero = rng.uniform(size=(n, 1)) < 0.5
        return np.where(zero, 0, x), np.where(zero, 0, y)

    def count(n, rng):
        x = rng.normal(size=n)
        return x, rng.poisson(np.exp(1 + 0.7 * x))

    u, w = normal_inputs(4001)
    k = np.arange(400)
    table = w[:, None] * poisson.pmf(k, np.exp(1 + 0.7 * u)[:, None])

    def heavy(n, rng):
        c = rng.integers(0, 3, n)
        return np.array(list("xyz"))[c], 2 * c + rng.standard_t(2, size=n)

    tails = np.concatenate([-np.geomspace(2000, 1, 4000), np.linspace(-1, 5, 4001)[1:-1],
                            4 + np.geomspace(1, 2000, 4000)])  # fmt: skip
    heavy_truth = channel([0, 2, 4], [1, 1, 1], lambda y, m: student_t.pdf(y, 2, m), tails)

    def two_columns(n, rng):
        c = rng.integers(0, 4, n)
        x = rng.normal(size=(n, 2))
        return {"shop": np.array(list("abcd"))[c], "p": x[:, 0], "q": x[:, 1]}, (
            c * 1.0 + x[:, 0] + 0.5 * rng.normal(size=n)
        )

    fine = np.linspace(-12, 15, 6001)
    q = np.mean([norm.pdf(fine, m, math.sqrt(1.25)) for m in range(4)], axis=0)
    two_truth = -np.trapezoid(q * np.log(np.maximum(q, 1e-300)), fine)
    two_truth -= 0.5 * math.log(2 * math.pi * math.e * 0.25)

    def task(name, truth, draw, n=2000):
        return Task("mixed", name, float(truth), draw, n)

    label, inflated = shifted_label(), zero_inflated()
    return [
        task("100 codes as integers", gaussian(3 * effects, 0.5), by_code(3 * effects, 0.5)),
        task("100 codes as text", gaussian(3 * effects, 0.5), by_code(3 * effects, 0.5, True)),
        task("one-hot of 10, number", gaussian(levels, 0.1), by_code(levels, 0.1, hot=True)),
        task("300 labels", gaussian(shops, 0.5), by_code(shops, 0.5, True), 6000),
        task("calendar, normal, independent", 0, calendar_number),
        task("hour, periodic", gaussian(np.sin(2 * np.pi * np.arange(24) / 24), 0.3), hour),
        task("two switches and a number", -0.5 * math.log(1 - 0.64), switch),
        task("100 numbers, binary label", wide, wide_label),
        task("10 numbers, 5 classes", classes_truth, classes),
        task("quadrant of 2 of 6, label", math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9),
             quadrant, 4000),
        task("zeros half of the time", math.log(2) + 0.5 * normal_information(0.8), zeros),
        task("number to count", table_information(table), count),
        task("label, heavy tails", heavy_truth, heavy),
        task("label and two numbers", two_truth, two_columns),
        task(label.name, label.truth, label.draw, 4000),
        task(inflated.name, inflated.truth, inflated.draw, 4000),
    ]  # fmt: skip
