import numpy as np

from keras_infomodels.information.streams import generator


def test_generator_shares_no_numbers_with_the_callers():
    own = np.random.default_rng(0).normal(size=1000)
    for stream in range(3):
        noise = generator(0, stream).normal(size=1000)
        assert abs(np.corrcoef(own, noise)[0, 1]) < 0.15
    assert generator(0, 1).normal() == generator(0, 1).normal() != generator(1, 1).normal()
