"""Tasks of images of shapes whose places share the information."""

import math

import numpy as np
from information_tasks import normal_pairs
from scipy.stats import norm

from known.tasks import Task


def blobs(centers: np.ndarray, size: int) -> np.ndarray:
    """Round blobs at centers (n, 2) in [-1, 1], images (n, size, size)."""
    g = np.arange(size)
    c = size / 2 + 0.41 * size * centers
    w = 2 * (size / 8) ** 2
    dx, dy = (g[None] - c[:, :1]) ** 2, (g[None] - c[:, 1:]) ** 2
    return np.exp(-(dx[:, :, None] + dy[:, None, :]) / w).astype(np.float32)


def rectangles(corners: np.ndarray, size: int) -> np.ndarray:
    """Rectangles from the top left to corners (n, 2) in [-1, 1], with soft borders."""
    g = np.arange(size)
    c = size * (0.5 + 0.4 * corners)
    sides = [1 / (1 + np.exp(2 * (g[None] - c[:, i : i + 1]))) for i in (0, 1)]
    return (sides[0][:, :, None] * sides[1][:, None, :]).astype(np.float32)


def image_task(shape, size: int, nats: float, n: int, flat: bool = False, label: str = "") -> Task:
    """Two coordinates on either side, uniform, of a Gaussian copula with these nats."""
    r = math.sqrt(1 - math.exp(-nats))

    def draw(n, rng):
        x, y = normal_pairs([r, r])(n, rng)
        images = [shape(2 * norm.cdf(side) - 1, size) for side in (x, y)]
        return tuple(i.reshape(n, -1) if flat else i for i in images)

    name = f"{shape.__name__} {size}x{size}, {nats:g} nats" + (", flat" if flat else "")
    return Task("images", name + label, nats, draw, n)


def image_tasks() -> list[Task]:
    return [
        image_task(blobs, 16, 0.0, 4000),
        image_task(blobs, 16, 0.1, 4000),
        image_task(blobs, 16, 1.0, 4000),
        image_task(blobs, 16, 2.5, 10_000),
        image_task(blobs, 16, 2.5, 10_000, flat=True),
        image_task(blobs, 32, 2.0, 4000),
        image_task(rectangles, 16, 0.5, 4000),
        image_task(rectangles, 16, 3.0, 4000),
        image_task(rectangles, 32, 1.0, 4000),
        image_task(rectangles, 16, 10.0, 4000),
    ]
