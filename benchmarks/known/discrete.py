"""Tasks of discrete variables; truths are exact tables."""

import itertools
import math

import numpy as np
from scipy.stats import poisson

from known.tasks import Task, as_columns, table_information


def discrete_tasks() -> list[Task]:
    rng = np.random.default_rng(2026)
    prices, weights = rng.permutation(1000)[:100] / 10, rng.permutation(1000)[:100] * 1.0
    permuted = rng.permutation(50)
    rows = rng.dirichlet(np.ones(4), size=200)
    zipf = 1 / np.arange(1, 201)
    zipf /= zipf.sum()
    on = rng.uniform(0.2, 0.8, size=(4, 10))  # p(feature | class)
    ratings = rng.dirichlet(np.ones(5) * 2, size=(3, 6))  # p(rating of an item | segment)

    def flip(labels, k, p, rng):
        return np.where(rng.uniform(size=len(labels)) < p, rng.integers(0, k, len(labels)), labels)

    def flipped(k, p):  # of a uniform label, replaced with probability p by another draw
        return table_information(((1 - p) * np.eye(k) + p / k) / k)

    def onehot(n, rng):
        c = rng.integers(0, 10, n)
        return np.eye(10)[c], flip(c, 10, 0.2, rng)

    def codes(n, rng):
        c = rng.integers(0, 50, n)
        return c, flip(permuted[c], 50, 0.3, rng)

    def xor(n, rng):
        bits = rng.integers(0, 2, (n, 8))
        return bits, (bits[:, 2] ^ bits[:, 5]) ^ (rng.uniform(size=n) < 0.1)

    def modular(n, rng):
        x = rng.integers(0, 5, (n, 3))
        return x, flip((x[:, 0] + x[:, 2]) % 4, 4, 0.2, rng)

    mod_table = np.zeros((25, 4))
    for a, b in itertools.product(range(5), range(5)):
        mod_table[5 * a + b] = 0.2 / 4
        mod_table[5 * a + b, (a + b) % 4] += 0.8

    def words(n, rng):
        w = rng.choice(200, size=n, p=zipf)
        u = rng.uniform(size=(n, 1))
        return np.array([f"w{k}" for k in w]), (u > rows[w].cumsum(1)).sum(1)

    def bayes(n, rng):
        c = rng.integers(0, 4, n)
        return (rng.uniform(size=(n, 10)) < on[c]).astype(int), c

    patterns = np.array(list(itertools.product((0, 1), repeat=10)))
    likelihood = np.stack([np.prod(np.where(patterns == 1, p, 1 - p), axis=1) for p in on], axis=1)

    def survey(n, rng):
        c = rng.integers(0, 3, n)
        u = rng.uniform(size=(n, 6, 1))
        return 1 + (u > ratings[c].cumsum(-1)).sum(-1), np.array(list("abc"))[c]

    answers = np.array(list(itertools.product(range(5), repeat=6)))
    segments = np.stack(
        [np.prod([r[j, answers[:, j]] for j in range(6)], axis=0) for r in ratings], axis=1
    )

    def counts(n, rng):
        x = rng.integers(0, 10, n)
        return x, rng.poisson(np.exp(0.3 * x))

    k = np.arange(120)
    count_table = np.stack([poisson.pmf(k, math.exp(0.3 * i)) for i in range(10)])
    h_sum = -np.sum(poisson.pmf(np.arange(250), 100) * poisson.logpmf(np.arange(250), 100))

    def summed(n, rng):
        x = rng.poisson(50, size=(n, 2))
        return x, x.sum(1)

    def products(n, rng):
        item = rng.integers(0, 100, n)
        return prices[item], weights[item]

    def calendar(n, rng):
        return as_columns(rng.integers(0, 24, n), rng.integers(0, 7, n), rng.integers(0, 12, n))

    def task(name, truth, draw, n):
        return Task("discrete", name, float(truth), draw, n)

    return [
        task("3 integers, 10 classes, independent", 0,
             lambda n, r: (r.integers(0, 20, (n, 3)), r.integers(0, 10, n)), 2000),
        task("calendar, 10 classes, independent", 0,
             lambda n, r: (calendar(n, r), r.integers(0, 10, n)), 10_000),
        task("sum of two counts", h_sum, summed, 2000),
        task("100 products", math.log(100), products, 2000),
        task("one-hot, noisy label", flipped(10, 0.2), onehot, 2000),
        task("50 codes, permuted, noisy", flipped(50, 0.3), codes, 4000),
        task("XOR of 2 of 8 bits",
             math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9), xor, 2000),
        task("sum of 2 of 3 modulo 4", table_information(mod_table), modular, 4000),
        task("200 words, 4 classes", table_information(zipf[:, None] * rows), words, 4000),
        task("10 binary features, 4 classes", table_information(likelihood), bayes, 2000),
        task("6 ratings, 3 segments", table_information(segments), survey, 2000),
        task("integer to count", table_information(count_table), counts, 2000),
        task("two independent labels of 30", 0,
             lambda n, r: (r.integers(0, 30, n).astype(str), r.integers(0, 30, n).astype(str)),
             2000),
        task("two independent counts", 0, lambda n, r: (r.poisson(8, n), r.poisson(20, n)), 1000),
    ]  # fmt: skip
