import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import models
from keras_infomodels.models.compiled import Compiled


def answers(model, images):
    """All that a model infers, by name, as arrays."""
    if isinstance(model, models.InfoGAN):
        q = model.infer_codes(images)
        found = {name: each.mean() for name, each in q.items()}
        found |= {"generate": model.generate(3, seed=5)}
        found |= {"fixed": model.generate(3, {next(iter(q)): 1}, seed=5)}
    else:
        q = model.encode(images)
        found = {"loc": q.mean(), "scale": q.stddev(), "decode": model.decode(q.mean()).mean()}
        found |= {"reconstruct": model.reconstruct(images), "generate": model.generate(3, seed=5)}
        found |= {"drawn": model.reconstruct(images, sample=True, seed=5)}
    found["predict"] = model.predict(np.ones((2, *model.call_shape), np.float32), verbose=0)
    return {name: np.array(value) for name, value in found.items()}


@pytest.fixture(params=["vae", "infogan"])
def model(request, make_model, make_gan):
    return make_model() if request.param == "vae" else make_gan()


def test_compiled_answers_are_those_of_eager_calls(model, images):
    """One trace serves all batch sizes; new weights, files and copies count at once."""
    own = answers(model, images[:5])
    assert len(model._inference._traced) >= 2
    model.run_eagerly = True
    for name, value in answers(model, images[:5]).items():
        np.testing.assert_allclose(own[name], value, atol=1e-6, err_msg=name)
    model.run_eagerly = False
    traced = dict(model._inference._traced)
    answers(model, images[:1])
    assert model._inference._traced == traced
    assert all(function.experimental_get_tracing_count() == 1 for function in traced.values())

    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for name, value in answers(other, images[:5]).items():
            np.testing.assert_allclose(own[name], value, atol=1e-6, err_msg=name)
    model.set_weights([0.9 * weight for weight in model.get_weights()])
    changed = answers(model, images[:5])
    assert all(np.abs(changed[name] - own[name]).max() > 1e-6 for name in own)


def test_compiled_functions_follow_an_exchanged_network(make_model, images):
    model, other = make_model(), make_model(models.VAE)
    before = model.reconstruct(images)
    other.set_weights([0.5 * weight for weight in other.get_weights()])
    model.encoder, model.decoder = other.encoder, other.decoder
    np.testing.assert_allclose(model.reconstruct(images), other.reconstruct(images), atol=1e-6)
    assert np.abs(model.reconstruct(images) - before).max() > 1e-4


def test_compiled_methods_work_in_graphs_and_have_gradients(make_model, images):
    model = make_model()
    graph = tf.function(lambda x: model.decode(model.encode(x).mean()).mean())
    np.testing.assert_allclose(graph(images), model.reconstruct(images), atol=1e-6)
    x = tf.constant(images)
    slopes = []
    for eager in (False, True):
        model.run_eagerly = eager
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(model.reconstruct(x) ** 2)
        slopes.append(tape.gradient(loss, [x, *model.decoder.trainable_variables]))
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_compiled_functions_are_in_no_file(make_model, images, tmp_path):
    model = make_model()
    model.reconstruct(images)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not hasattr(again, "_inference")
    np.testing.assert_allclose(again.reconstruct(images), model.reconstruct(images), atol=1e-6)
    assert isinstance(model._inference, Compiled)
