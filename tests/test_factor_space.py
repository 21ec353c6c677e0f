import itertools

import numpy as np
import pytest

from keras_infomodels.datasets import Factors

FACTORS = Factors(("hue", "shape", "size"), (4, 2, 3))


def test_factors_number_combinations_as_a_product_does():
    every = np.array(list(itertools.product(range(4), range(2), range(3))))
    assert FACTORS.count == 24
    np.testing.assert_array_equal(FACTORS.index(every), np.arange(24))
    np.testing.assert_array_equal(FACTORS.combination(np.arange(24)), every)
    assert FACTORS.index([1, 0, 2]) == 8
    assert FACTORS.combination(8).tolist() == [1, 0, 2]
    assert FACTORS.index(every.astype(np.uint8).reshape(6, 4, 3)).shape == (6, 4)


def test_factors_sample_is_uniform_with_some_fixed():
    drawn = FACTORS.sample(6000, seed=1, shape=1)
    assert (drawn[:, 1] == 1).all()
    counts = np.bincount(FACTORS.index(drawn), minlength=24).reshape(4, 2, 3)
    assert (counts[:, 0] == 0).all()
    assert abs(counts[:, 1] - 500).max() < 100  # 4.7 standard deviations
    np.testing.assert_array_equal(drawn, FACTORS.sample(6000, seed=1, shape=1))
    assert (drawn != FACTORS.sample(6000, seed=2, shape=1)).any()


def test_factors_refuse_what_is_no_combination():
    with pytest.raises(ValueError, match="shape is from 0 to 1, got values from 0 to 2"):
        FACTORS.index([[0, 0, 0], [0, 2, 0]])
    with pytest.raises(ValueError, match="hue is from 0 to 3"):
        FACTORS.index([-1, 0, 0])
    with pytest.raises(ValueError, match="hue is from 0 to 3"):
        FACTORS.sample(3, hue=4)
    with pytest.raises(ValueError, match=r"factors are hue, shape, size; got \['color'\]"):
        FACTORS.sample(3, color=0)
    for wrong in ([0, 0], [[0.5, 0, 0]], 3):
        with pytest.raises(ValueError, match="integers"):
            FACTORS.index(wrong)
    with pytest.raises(ValueError, match="one name and one size"):
        Factors(("hue", "hue"), (2, 2))
    with pytest.raises(ValueError, match="at least one value"):
        Factors(("hue",), (0,))
