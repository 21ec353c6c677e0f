import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from keras_infomodels.information import JointTable, miller_madow, plug_in, shuffle_null

TOLERANCE = 1e-9
"""Sums of at most 64 logarithms in float64."""


@st.composite
def tables(draw, dimensions):
    shape = draw(array_shapes(min_dims=dimensions, max_dims=dimensions, min_side=1, max_side=4))
    counts = draw(arrays(np.int64, shape, elements=st.integers(0, 50)))
    counts.flat[draw(st.integers(0, counts.size - 1))] += 1
    return JointTable(counts / counts.sum())


def close(value, expected):
    assert getattr(value, "nats", value) == pytest.approx(
        getattr(expected, "nats", expected), abs=TOLERANCE
    )


@settings(deadline=None)
@given(tables(2))
def test_joint_table_obeys_the_identities_of_two_variables(t):
    x, y, both = t.entropy("x"), t.entropy("y"), t.entropy(("x", "y"))
    close(both, x.nats + t.entropy("y", given="x").nats)
    information = t.mutual_information("x", "y")
    for other in (
        t.mutual_information("y", "x"),
        x.nats - t.entropy("x", given="y").nats,
        y.nats - t.entropy("y", given="x").nats,
        x.nats + y.nats - both.nats,
        t.divergence_from_independence("x", "y"),
        t.co_information("x", "y"),
    ):
        close(information, other)
    assert -TOLERANCE < information.nats < information.ceiling + TOLERANCE
    assert information.kind == "exact"
    close(sum(t.atoms().values()), both)


@settings(deadline=None)
@given(tables(3))
def test_joint_table_chain_rule_and_co_information_of_three(t):
    whole = t.mutual_information("x", ("y", "z")).nats
    given_y = t.mutual_information("x", "z", given="y").nats
    close(whole, t.mutual_information("x", "y").nats + given_y)
    assert given_y > -TOLERANCE
    co = t.co_information("x", "y", "z").nats
    close(co, t.mutual_information("x", "z").nats - given_y)
    close(sum(t.atoms().values()), t.entropy(("x", "y", "z")))


@settings(deadline=None)
@given(tables(2), st.integers(0, 10**6))
def test_joint_table_mutual_information_obeys_data_processing(t, seed):
    """x -> y -> w: I(x;w) <= I(x;y)."""
    channel = np.random.default_rng(seed).dirichlet(np.ones(3), size=t.probabilities.shape[1])
    chain = JointTable(t.probabilities[:, :, None] * channel)
    close(chain.mutual_information("x", "z", given="y"), 0)
    processed = chain.mutual_information("x", "z").nats
    assert processed <= t.mutual_information("x", "y").nats + TOLERANCE


@settings(deadline=None)
@given(tables(1), tables(1))
def test_joint_table_mutual_information_of_independence_and_copies(a, b):
    p, q = a.probabilities, b.probabilities
    close(JointTable(np.outer(p, q)).mutual_information("x", "y"), 0)
    copy = JointTable(np.diag(p))
    close(copy.entropy("y", given="x"), 0)
    close(copy.mutual_information("x", "y"), copy.entropy("x"))
    close(copy.entropy("x", given="x"), 0)


def test_joint_table_equals_known_values():
    uniform = JointTable(np.full((2, 5), 0.1))
    close(uniform.entropy("y"), math.log(5))
    close(uniform.entropy(("x", "y")), math.log(10))
    # A binary symmetric channel of error 0.1: ln 2 - H(0.1) = 0.3681 nats.
    channel = JointTable(np.array([[0.45, 0.05], [0.05, 0.45]]))
    assert channel.mutual_information("x", "y").nats == pytest.approx(0.368064, abs=1e-6)
    xor = np.zeros((2, 2, 2))
    for a in range(2):
        for b in range(2):
            xor[a, b, a ^ b] = 0.25
    xor = JointTable(xor)
    assert xor.co_information("x", "y", "z").bits() == pytest.approx(-1)
    assert xor.mutual_information("x", "y", given="z").bits() == pytest.approx(1)
    close(xor.mutual_information("x", "y"), 0)


def test_joint_table_refuses_what_is_no_distribution():
    with pytest.raises(ValueError, match="Divide counts"):
        JointTable(np.ones((2, 2)))
    with pytest.raises(ValueError, match="non-negative"):
        JointTable(np.array([1.5, -0.5]))
    with pytest.raises(ValueError, match="as many axes"):
        JointTable(np.array([0.5, 0.5]), ["a", "b"])
    with pytest.raises(ValueError, match="variables are x, y"):
        JointTable(np.full((2, 2), 0.25)).entropy("w")
    with pytest.raises(ValueError, match="two different variables of x, y; got 'x' twice"):
        JointTable(np.full((2, 2), 0.25)).divergence_from_independence("x", "x")
    with pytest.raises(ValueError, match="variables are x, y; got w"):
        JointTable(np.full((2, 2), 0.25)).divergence_from_independence("x", "w")


def test_plug_in_is_the_information_of_the_empirical_table():
    x, y = np.array(list("aabbbc")), np.array([0, 1, 1, 1, 0, 1])
    table = JointTable(np.array([[1, 1], [1, 2], [0, 1]]) / 6)
    close(plug_in(x, y), table.mutual_information("x", "y"))
    # The rows of several columns are one value.
    close(plug_in(np.stack([y, y], 1), y), table.entropy("y"))
    close(plug_in(np.zeros(6), y), 0)


def test_plug_in_reads_columns_of_objects_as_labels():
    x = np.array([["a", 1], ["a", 2], ["a", 1], ["b", 2], ["b", 2]], dtype=object)
    y = np.array([0, 1, 0, 1, 2])
    close(plug_in(x, y), plug_in(np.array([0, 1, 0, 2, 2]), y))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1.0, np.nan, 2.0]),
        np.array([[1.0, 2.0], [1.0, np.nan], [2.0, 2.0]]),
        np.array(["a", np.nan, "b"], dtype=object),
        np.array(["a", None, "b"], dtype=object),
        np.array(["2020-01-01", "NaT", "2021-01-01"], dtype="datetime64[D]"),
    ],
)
def test_plug_in_miller_madow_and_shuffle_null_refuse_missing_labels(labels):
    for estimator in (plug_in, miller_madow, shuffle_null):
        with pytest.raises(ValueError, match="x holds NaN or None, first in row 1"):
            estimator(labels, np.arange(3))
        with pytest.raises(ValueError, match="y holds NaN or None"):
            estimator(np.arange(3), labels)


def test_miller_madow_reaches_its_ceiling_and_no_more():
    many = miller_madow(np.arange(10), np.arange(10))
    assert many.nats == pytest.approx(math.log(10) + 9 / 20)
    assert many.ceiling == pytest.approx(many.nats)
    bits = np.arange(100) % 2
    assert miller_madow(bits, bits).nats == pytest.approx(math.log(2) + 1 / 200)
    assert miller_madow(bits, bits).ceiling == pytest.approx(math.log(2) + 1 / 200)
    fours = np.arange(100) % 4
    assert miller_madow(bits, fours).ceiling == pytest.approx(math.log(2) + 1 / 200)
    assert miller_madow(bits, fours).nats == pytest.approx(math.log(2) + 1 / 200)
    assert plug_in(bits, bits).ceiling == pytest.approx(math.log(2))
    rng = np.random.default_rng(3)
    for _ in range(200):
        x, y = rng.integers(rng.integers(1, 9, size=(2, 1)), size=(2, rng.integers(1, 15)))
        estimate = miller_madow(x, y)
        assert estimate.nats <= estimate.ceiling + TOLERANCE


def test_plug_in_and_miller_madow_have_their_known_biases():
    """Independent, 4 x 5 values, n = 400: plug-in is (4-1)(5-1)/(2n) = .0150 high."""
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(4, size=400), rng.integers(5, size=400)) for _ in range(300)]
    plug, corrected = (np.array([f(*p).nats for p in pairs]) for f in (plug_in, miller_madow))
    # A spread of about .006 over 300 repeats: a standard error of .0004.
    assert plug.mean() == pytest.approx(0.0150, abs=0.0015)
    assert corrected.mean() == pytest.approx(0, abs=0.0015)
    assert corrected.min() < 0


def test_plug_in_standard_error_equals_its_spread():
    rng = np.random.default_rng(1)
    channel = np.array([[0.45, 0.05], [0.05, 0.45]]).ravel()
    draws = rng.choice(4, size=(300, 500), p=channel)
    estimates = [plug_in(d // 2, d % 2) for d in draws]
    spread = np.std([e.nats for e in estimates])
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(spread, rel=0.15)


def test_shuffle_null_tells_dependence_from_bias():
    rng = np.random.default_rng(2)
    x = rng.integers(4, size=400)
    null = shuffle_null(x, rng.integers(5, size=400))
    assert null.estimate.nats == pytest.approx(0.0150, abs=0.003)
    assert null.p_value > 0.05
    assert shuffle_null(x, (x + rng.integers(2, size=400)) % 4).p_value == pytest.approx(1 / 101)
    for shuffles in (0, 1):
        with pytest.raises(ValueError, match=f"at least 2 shuffles, got {shuffles}"):
            shuffle_null(x, x, shuffles=shuffles)
