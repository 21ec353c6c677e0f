import math

import numpy as np
import pytest

from keras_infomodels.information import JointTable, blahut_arimoto, im_alternation


def binary_entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


CHANNELS = {
    "symmetric": ([[0.9, 0.1], [0.1, 0.9]], math.log(2) - binary_entropy(0.1)),
    "erasure": ([[0.7, 0.3, 0.0], [0.0, 0.3, 0.7]], 0.7 * math.log(2)),
    # Cover and Thomas, problem 7.8: ln(5/4) for the Z-channel of error 1/2.
    "z": ([[1.0, 0.0], [0.5, 0.5]], math.log(5 / 4)),
    "noiseless": (np.eye(5), math.log(5)),
    "useless": (np.full((3, 4), 0.25), 0.0),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_blahut_arimoto_and_im_alternation_reach_the_capacity(name):
    channel, exact = CHANNELS[name]
    alternation, bounds = im_alternation(channel)
    for capacity in (blahut_arimoto(channel), alternation):
        assert capacity.estimate.nats == pytest.approx(exact, abs=1e-8)
        assert capacity.estimate.kind == "exact"
        joint = JointTable(capacity.inputs[:, None] * np.asarray(channel))
        information = joint.mutual_information("x", "y").nats
        assert information == pytest.approx(capacity.estimate.nats, abs=1e-9)
    assert np.all(np.diff(bounds) > -1e-12)


def test_blahut_arimoto_equals_im_alternation_on_a_random_channel():
    channel = np.random.default_rng(0).dirichlet(np.ones(6) / 2, size=5)
    one, (other, _) = blahut_arimoto(channel), im_alternation(channel)
    assert one.estimate.nats == pytest.approx(other.estimate.nats, abs=1e-8)
    even = JointTable(channel / 5).mutual_information("x", "y").nats
    assert even < one.estimate.nats <= one.upper < one.estimate.ceiling


def test_blahut_arimoto_stopped_early_is_a_lower_bound():
    channel = np.random.default_rng(0).dirichlet(np.ones(6) / 2, size=5)
    early = blahut_arimoto(channel, iterations=1)
    assert early.estimate.kind == "lower bound"
    assert early.estimate.nats < blahut_arimoto(channel).estimate.nats < early.upper


def test_blahut_arimoto_refuses_rows_that_do_not_sum_to_one():
    with pytest.raises(ValueError, match="each row sums to 1"):
        blahut_arimoto([[0.5, 0.6]])
