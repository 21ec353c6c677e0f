"""ModelCentrality of runs whose answer is known."""

import numpy as np
import pytest

from keras_infomodels.evaluation import LatentSource, centrality_scores, model_centrality
from keras_infomodels.models.latent_sources import latent_source

FEW = {"train": 200, "evaluation": 200, "batch_size": 16, "variance_rows": 500}


def linear(matrix, factors=((0,), (1,))):
    """A run that generates z A of normal z, and encodes by the inverse of A."""
    matrix = np.asarray(matrix, float)
    inverse = np.linalg.inv(matrix)
    return LatentSource(
        lambda n, seed: np.random.default_rng(seed).normal(size=(n, len(matrix))),
        lambda z: z @ matrix,
        lambda x: x @ inverse,
        factors,
    )


def turn(degrees):
    a = np.deg2rad(degrees)
    return [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]


def test_model_centrality_of_runs_that_agree_up_to_order_sign_and_scale_is_1():
    found = model_centrality([linear(np.eye(2)), linear([[0, -2], [0.5, 0]])], **FEW)
    np.testing.assert_array_equal(found.pairs, np.ones((2, 2)))
    np.testing.assert_array_equal(found.scores, np.ones(2))


def test_model_centrality_puts_a_run_that_is_turned_last():
    runs = [linear(np.eye(2)), linear(np.eye(2)), linear(turn(45))]
    found = model_centrality(runs, **FEW)
    # By 45 degrees both codes vary alike whichever latent is fixed: chance, 1/2.
    assert found.pairs[0, 2] == pytest.approx(0.5, abs=0.15)
    assert found.pairs[2, 0] == pytest.approx(0.5, abs=0.15)
    assert found.pairs[0, 1] == 1
    assert found.scores.argmin() == 2


def test_model_centrality_fixes_all_columns_of_a_factor_and_no_other():
    """A factor of two columns beside noise: both codes of the factor stay, the noise varies."""
    seen = []
    run = linear(np.eye(3), [(0, 1), (2,)])
    run = LatentSource(run.sample, lambda z: seen.append(z) or z, run.encode, run.factors)
    model_centrality([run, run], **FEW)
    z = seen[1].reshape(400, 16, 3)
    constant = np.ptp(z, axis=1) == 0
    assert set(map(tuple, constant)) == {(True, True, False), (False, False, True)}


def test_centrality_scores_are_means_of_both_directions_by_hand():
    pairs = np.array([[9, 0.8, 0.2], [0.6, 9, 0.4], [0.4, 0.0, 9]])
    np.testing.assert_allclose(centrality_scores(pairs), [(0.7 + 0.3) / 2, 0.45, 0.25])


def test_model_centrality_of_a_run_without_active_codes_is_0():
    silent = LatentSource(linear(np.eye(2)).sample, lambda z: z, lambda x: 0 * x, ())
    found = model_centrality([linear(np.eye(2)), silent], **FEW)
    np.testing.assert_array_equal(found.scores, [0, 0])
    with pytest.raises(ValueError, match="at least 2; got 1"):
        model_centrality([silent])


def test_latent_source_of_models(make_model, make_gan, make_categorical):
    model = make_model()
    source = latent_source(model, active=[2])
    z = source.sample(4, 1)
    np.testing.assert_array_equal(z, source.sample(4, 1))
    assert list(source.factors) == [[2]]
    np.testing.assert_allclose(source.generate(z), model.decode(z).mean(), atol=1e-6)
    gan = make_gan()
    source = latent_source(gan)
    assert list(source.factors) == [[5, 6, 7, 8], [9]]  # noise, a category of four, a number
    z = source.sample(3, 0)
    np.testing.assert_array_equal(z[:, 5:9].sum(axis=1), 1)
    assert source.encode(source.generate(z)).shape == (3, 2)
    with pytest.raises(ValueError, match="no latent variables of one kind"):
        latent_source(make_categorical())
