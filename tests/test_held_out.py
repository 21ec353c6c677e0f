import math

import numpy as np
import pytest

from keras_infomodels.information.held_out import (
    best_pair,
    crossed_choice,
    label_table_terms,
    neighbor_terms,
    pair_information,
    parts_of,
)


def test_crossed_choice_reads_no_row_that_chose():
    halves = np.array([True, True, False, False])
    candidates = np.array([[9.0, 9.0, -1.0, -1.0], [1.0, 2.0, 3.0, 4.0]])
    # The first half takes what is best in the second, the second what is best in the first.
    np.testing.assert_array_equal(crossed_choice(candidates, halves), [1, 2, -1, -1])
    np.testing.assert_array_equal(crossed_choice(-np.ones((1, 4)), halves), np.zeros(4))


@pytest.mark.parametrize("r", [0.0, 0.6, 0.95])
def test_neighbor_terms_bound_gaussians_from_below(r):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1))
    y = r * x[:, 0] + math.sqrt(1 - r**2) * rng.normal(size=2000)
    exact = -0.5 * math.log(1 - r**2)
    terms = neighbor_terms(x, y, False)
    # A standard error of .02.
    assert exact - 0.1 < terms.mean() < exact + 0.05
    label = np.searchsorted(np.quantile(y, [0.25, 0.5, 0.75]), y)
    assert neighbor_terms(x, label, True).mean() < exact + 0.05


def test_neighbor_terms_of_a_label_reach_its_entropy():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 1000)
    x = 10.0 * label[:, None] + rng.normal(size=(1000, 1))
    assert neighbor_terms(x, label, True).mean() == pytest.approx(math.log(4), abs=0.05)
    assert neighbor_terms(x, rng.permutation(label), True).mean() == pytest.approx(0, abs=0.02)


def test_label_table_terms_leave_each_row_out():
    """Two rows a cell: each row knows one other, so that nothing can be learned by heart."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.arange(300), 2)
    y = rng.integers(0, 5, 600)
    assert label_table_terms(x, y).mean() == pytest.approx(0, abs=0.05)
    told = label_table_terms(y, y).mean()
    assert told == pytest.approx(math.log(5), abs=0.1)


def test_pair_information_is_the_plug_in_of_parts():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 600)
    x = np.stack([rng.normal(size=600), label], axis=1)
    found = pair_information(x, label[:, None])
    counts = np.bincount(label) / 600
    assert found[1, 0] == pytest.approx(-np.sum(counts * np.log(counts)), abs=1e-5)
    assert found[0, 0] == pytest.approx(11 * 2 / (2 * 600), abs=0.02)  # its bias alone
    assert best_pair(x, label[:, None], np.arange(300)) == (1, 0)
    assert (parts_of(label), parts_of(x[:, 0])) == (3, 12)
