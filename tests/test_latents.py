"""The input of a generator: noise and codes."""

import numpy as np
import pytest

from keras_infomodels.distributions import Categorical, Code, Latents, Normal, Uniform


def test_latents_sample_follows_the_priors():
    latents = Latents(3, [Code("digit", Categorical(5)), Code("a", Uniform()), Code("b", Normal())])
    assert latents.dimension == 3 + 5 + 1 + 1
    parts = {k: v.numpy() for k, v in latents.sample(20_000, [0, 1]).items()}
    np.testing.assert_allclose(parts["noise"].std(0), 1, atol=0.02)
    np.testing.assert_allclose(parts["digit"].mean(0), 0.2, atol=0.02)
    assert parts["a"].min() >= -1
    assert parts["a"].max() <= 1
    assert parts["a"].var() == pytest.approx(1 / 3, abs=0.01)
    assert parts["b"].var() == pytest.approx(1, abs=0.03)
    together = latents.join(parts).numpy()
    np.testing.assert_allclose(np.corrcoef(together[:, [0, 1, 2, 8, 9]].T), np.eye(5), atol=0.03)
    np.testing.assert_array_equal(together[:, 3:8], parts["digit"])


def test_latents_sample_draws_the_first_code_apart_from_the_noise():
    parts = Latents(1, [Code("c", Normal())]).sample(5000, [0, 1])
    correlation = np.corrcoef(parts["noise"][:, 0], parts["c"][:, 0])[0, 1]
    assert abs(correlation) < 0.06  # four standard errors


def test_latents_sample_stratified_balances_categories():
    latents = Latents(2, [Code("x", Categorical(5)), Code("y", Categorical(4))])
    kinds, starts = set(), set()
    for i in range(20):
        parts = latents.sample(22, [0, i], stratified=True)
        for name, k in (("x", 5), ("y", 4)):
            counts = parts[name].numpy().sum(0)
            assert counts.max() - counts.min() <= 1
            assert counts.sum() == 22
            assert len(counts) == k
        starts.add(tuple(parts["x"].numpy().sum(0)))
        kinds.add(tuple(parts["x"].numpy().argmax(1)))
    assert len(kinds) == 20
    assert len(starts) > 2
