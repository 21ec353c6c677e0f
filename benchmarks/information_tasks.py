"""Pairs of variables whose mutual information is known, drawn by name: the tasks of
`mutual_information.py`. Nats; truths in closed form, and from one quadrature where it is said."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln
from scipy.stats import norm

Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """Attributes: name, truth in nats, draw(n, rng) to x (n, d_x) and y (n, d_y)."""

    name: str
    truth: float
    draw: Draw


def normal_information(*correlations: float) -> float:
    return -0.5 * sum(math.log(1 - r**2) for r in correlations)


def normal_pairs(correlations, dx: int | None = None, dy: int | None = None) -> Draw:
    """x_i and y_i of the given correlations, the other columns independent."""
    k = len(correlations)
    r = np.asarray(correlations, float)

    def draw(n, rng):
        x = rng.normal(size=(n, max(dx or k, k)))
        y = rng.normal(size=(n, max(dy or k, k)))
        y[:, :k] = r * x[:, :k] + np.sqrt(1 - r**2) * y[:, :k]
        return x, y

    return draw


def mapped(draw: Draw, fx=None, fy=None) -> Draw:
    """One-to-one maps of x and of y: the information stays."""

    def mapped_draw(n, rng):
        x, y = draw(n, rng)
        return (fx(x) if fx else x), (fy(y) if fy else y)

    return mapped_draw


def half_cube(x):
    return np.sign(x) * np.abs(x) ** 1.5


def wiggly(x):
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def swiss_roll(x):
    """The real line, by its normal CDF, wound up in the plane."""
    t = 1.5 * np.pi * (1 + 2 * norm.cdf(x))
    return np.hstack([t * np.cos(t), t * np.sin(t)]) / 21


def spiral(x):
    """Turns the first two of the columns by an angle that grows with the radius."""
    angle = np.linalg.norm(x, axis=1)
    c, s = np.cos(angle), np.sin(angle)
    turned = np.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], axis=1)
    return np.hstack([turned, x[:, 2:]])


def additive_noise(eps: float) -> Task:
    """x uniform on (0, 1), y = x + uniform on (-eps, eps)."""

    def draw(n, rng):
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-eps, eps, size=(n, 1))

    truth = eps - math.log(2 * eps) if eps <= 0.5 else 1 / (4 * eps)
    return Task(f"additive noise {eps}", truth, draw)


def student(dx: int, dy: int, df: float) -> Task:
    """Multivariate Student-t with the identity as dispersion: dependent by its scale alone."""

    def draw(n, rng):
        t = rng.normal(size=(n, dx + dy)) / np.sqrt(rng.chisquare(df, size=(n, 1)) / df)
        return t[:, :dx], t[:, dx:]

    def part(d):
        h = (df + d) / 2
        return gammaln(h) - h * digamma(h)

    truth = part(0) + part(dx + dy) - part(dx) - part(dy)
    return Task(f"student {dx}x{dy}, df {df:g}", float(truth), draw)


def shifted_label() -> Task:
    """y one of 5, x uniform on (y, y + 2): ln 5 - 4/5 ln 2."""

    def draw(n, rng):
        y = rng.integers(5, size=(n, 1))
        return y + rng.uniform(0, 2, size=(n, 1)), y

    return Task("label and uniform", math.log(5) - 0.8 * math.log(2), draw)


def zero_inflated(p: float = 0.15) -> Task:
    """x exponential; y Poisson(x), but 0 with probability p: 0 or a label beside a real number."""

    def draw(n, rng):
        x = rng.exponential(size=(n, 1))
        y = rng.poisson(x) * (rng.uniform(size=(n, 1)) >= p)
        return x, y

    counts = np.arange(60)
    # p(y|x) and p(y), where p(Poisson = k) over x is 2^-(k+1); trapezoids in x.
    x = np.linspace(1e-9, 60, 400_001)[:, None]
    log_poisson = counts * np.log(x) - x - gammaln(counts + 1)
    truth = 0.0
    for k in counts:
        conditional = (1 - p) * np.exp(log_poisson[:, k]) + (p if k == 0 else 0)
        marginal = (1 - p) * 0.5 ** (k + 1) + (p if k == 0 else 0)
        terms = np.exp(-x[:, 0]) * conditional * np.log(np.maximum(conditional, 1e-300) / marginal)
        truth += np.trapezoid(terms, x[:, 0])
    return Task("zero-inflated poisson", float(truth), draw)


def hidden_sign(d: int = 3) -> Task:
    """y_1 = +-|N| whose sign is that of x_1 x_2 with probability .95; no correlation at all."""

    def draw(n, rng):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d))
        sign = np.sign(x[:, 0] * x[:, 1]) * np.where(rng.uniform(size=n) < 0.95, 1, -1)
        y[:, 0] = sign * np.abs(y[:, 0])
        return x, y

    p = 0.95
    truth = math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p)
    return Task(f"hidden sign {d}x{d}", truth, draw)


def gaussian_mixture(d: int = 2) -> Task:
    """Two clusters at +-1.5 in every one of 2d columns; truth by quadrature over the sums.

    Within a cluster everything is independent, so I(x;y) = I(c;x) + I(c;y) - I(c;x,y).
    """

    def about_the_cluster(columns):  # a sum of columns is sufficient: N(+-1.5 sqrt(m), 1)
        shift = 1.5 * math.sqrt(columns)
        t = np.linspace(-12 - shift, 12 + shift, 200_001)
        p, q = norm.pdf(t, shift), norm.pdf(t, -shift)
        mix = (p + q) / 2
        return np.trapezoid(np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / mix), 0), t)

    def draw(n, rng):
        c = rng.choice([-1.5, 1.5], size=(n, 1))
        return c + rng.normal(size=(n, d)), c + rng.normal(size=(n, d))

    truth = 2 * about_the_cluster(d) - about_the_cluster(2 * d)
    return Task(f"two clusters {d}x{d}", float(truth), draw)


def independent(dx: int, dy: int) -> Task:
    def draw(n, rng):
        return rng.normal(size=(n, dx)), rng.exponential(size=(n, dy))

    return Task(f"independent {dx}x{dy}", 0.0, draw)


_PAIR = normal_pairs([0.75])
_SPARSE = normal_information(0.8, 0.8)

TASKS = {
    task.name: task
    for task in (
        Task("normal 1x1", normal_information(0.75), _PAIR),
        Task("half-cube 1x1", normal_information(0.75), mapped(_PAIR, half_cube, half_cube)),
        Task("normal cdf 1x1", normal_information(0.75), mapped(_PAIR, norm.cdf, norm.cdf)),
        Task("wiggly 1x1", normal_information(0.75), mapped(_PAIR, wiggly, wiggly)),
        Task("swiss roll 2x1", normal_information(0.75), mapped(_PAIR, swiss_roll, norm.cdf)),
        additive_noise(0.1),
        additive_noise(0.75),
        student(1, 1, 1),
        student(2, 2, 2),
        student(3, 3, 3),
        student(5, 5, 2),
        Task("sparse normal 3x3", _SPARSE, normal_pairs([0.8, 0.8], 3, 3)),
        Task("sparse normal 25x25", _SPARSE, normal_pairs([0.8, 0.8], 25, 25)),
        Task("spiral 3x3", _SPARSE, mapped(normal_pairs([0.8, 0.8], 3, 3), spiral, None)),
        Task("spiral 5x5", _SPARSE, mapped(normal_pairs([0.8, 0.8], 5, 5), spiral, spiral)),
        hidden_sign(3),
        gaussian_mixture(2),
        shifted_label(),
        zero_inflated(),
        independent(5, 5),
    )
}
