import numpy as np
import pytest

from keras_infomodels.datasets.factor_information import image_information
from keras_infomodels.datasets.factor_space import Factors


class Parity:
    """Images of one pixel: the sum of a and b modulo 2, and 10 c."""

    factors = Factors(("a", "b", "c"), (2, 3, 4))

    def images(self, factors):
        a, b, c = np.asarray(factors).T
        return ((a + b) % 2 + 10 * c).astype(np.uint8).reshape(-1, 1, 1, 1)


def test_image_information_is_counted():
    # b is 0, 1 or 2: the parity of a + b says nothing of a under b's prior only in part.
    joint = np.zeros((2, 2))
    for a in range(2):
        for b in range(3):
            joint[a, (a + b) % 2] += 1 / 6
    of_a = (joint * np.log(joint / joint.sum(0) / joint.sum(1)[:, None])).sum()
    nats = image_information(Parity())
    assert list(nats) == ["a", "b", "c"]
    assert nats["a"] == pytest.approx(of_a)
    assert nats["b"] == pytest.approx(0)
    assert nats["c"] == pytest.approx(np.log(4))


def test_image_information_with_fixed_factors():
    nats = image_information(Parity(), a=1)
    assert list(nats) == ["b", "c"]
    # Of three values of b two look the same.
    assert nats["b"] == pytest.approx(np.log(3) - 2 / 3 * np.log(2))
    with pytest.raises(ValueError, match="The factors are a, b, c"):
        image_information(Parity(), d=0)
    with pytest.raises(ValueError, match="a is from 0 to 1"):
        image_information(Parity(), a=2)


def test_image_information_refuses_too_many_combinations():
    drawn = Parity()
    drawn.factors = Factors(("a", "b"), (3000, 1000))
    with pytest.raises(ValueError, match=r"3000000 combinations .* fix some of the factors a, b"):
        image_information(drawn)
