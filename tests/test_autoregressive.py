"""The decoder of benchmarks/autoregressive.py."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def pixels():
    path = Path(__file__).parents[1] / "benchmarks" / "autoregressive.py"
    spec = importlib.util.spec_from_file_location("autoregressive", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pixel_network()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (13, 0), (14, 15), (20, 27), (27, 27)])
def test_pixel_network_shows_a_pixel_to_later_ones_alone(pixels, row, column):
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(1, 28, 28, 1)).astype(np.float32)
    other = image.copy()
    other[0, row, column] += 1
    z = rng.normal(size=(1, pixels.inputs[1].shape[1])).astype(np.float32)
    before, after = (pixels([x, z]).numpy().reshape(-1) for x in (image, other))
    place = 28 * row + column
    np.testing.assert_array_equal(before[: place + 1], after[: place + 1])
    # The nearest later pixels see it: the next of its row, and all of three below it.
    later = [28 * row + column + 1] * (column < 27)
    later += [28 * (row + 1) + c for c in range(column - 1, column + 2) if 0 <= c < 28 and row < 27]
    assert (np.abs(after - before)[later] > 1e-5).all()


def test_pixel_network_moves_every_pixel_with_z(pixels):
    image = np.zeros((2, 28, 28, 1), np.float32)
    z = np.random.default_rng(0).normal(size=(2, pixels.inputs[1].shape[1])).astype(np.float32)
    logits = pixels([image, z]).numpy()
    assert (np.abs(logits[0] - logits[1]) > 1e-5).all()
