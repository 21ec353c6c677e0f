import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import models, networks
from keras_infomodels.optimizers import FusedAdam, one_pass


def trained(cls, steps=30, wrap=lambda optimizer: optimizer, **kwargs):
    """Weights and state after some steps on a problem of least squares."""
    random = np.random.default_rng(0)
    x = random.normal(size=(steps, 16, 5)).astype(np.float32)
    matrix = keras.Variable(random.normal(size=(5, 3)).astype(np.float32))
    shift = keras.Variable(random.normal(size=3).astype(np.float32))
    optimizer = wrap(cls(keras.optimizers.schedules.CosineDecay(0.05, steps), **kwargs))

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ matrix.value + shift.value - 1) ** 2)
            loss = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(loss, [matrix, shift]), [matrix, shift])

    for batch in x:
        step(batch)
    return [np.array(v) for v in (matrix, shift, *optimizer.variables)]


# Within float32's rounding of 1 - beta, which is 1e-5 of it.
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"weight_decay": 0.01, "clipnorm": 0.1},
        {"use_ema": True, "gradient_accumulation_steps": 2},
    ],
)
def test_fused_adam_is_adam(kwargs):
    ours, kerass = trained(FusedAdam, **kwargs), trained(keras.optimizers.Adam, **kwargs)
    assert len(ours) == len(kerass)
    for own, other in zip(ours, kerass, strict=True):
        np.testing.assert_allclose(own, other, rtol=3e-5, atol=1e-5)
    once = trained(FusedAdam, 1, **kwargs)
    assert np.abs(ours[0] - once[0]).max() > 0.1


def test_fused_adam_under_a_loss_scale():
    wrap = keras.optimizers.LossScaleOptimizer
    ours, kerass = trained(FusedAdam, wrap=wrap), trained(keras.optimizers.Adam, wrap=wrap)
    for own, other in zip(ours, kerass, strict=True):
        np.testing.assert_allclose(own, other, rtol=3e-5, atol=1e-5)


def test_fused_adam_is_saved_with_its_settings():
    optimizer = FusedAdam(2e-4, beta_1=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is FusedAdam
    assert again.get_config() == optimizer.get_config()
    with pytest.raises(ValueError, match="amsgrad"):
        FusedAdam(amsgrad=True)


def operations_of(function):
    """Types of all operations of a traced function, those of its branches included."""
    library = function.graph.as_graph_def().library.function
    own = [operation.type for operation in function.graph.get_operations()]
    return own + [node.op for each in library for node in each.node_def]


@pytest.mark.parametrize(
    ("optimizer", "policy", "fused"),
    [
        (lambda: "adam", "float32", True),
        (lambda: keras.optimizers.Adam(1e-2, clipnorm=1.0, use_ema=True), "float32", True),
        (lambda: keras.optimizers.Adam(amsgrad=True), "float32", False),
        (lambda: keras.optimizers.AdamW(), "float32", False),
        (lambda: "adam", "mixed_bfloat16", True),
        (lambda: "adam", "mixed_float16", True),
    ],
)
def test_one_pass_is_the_default_of_fit_for_adam(optimizer, policy, fused, images):
    keras.utils.set_random_seed(0)
    shape = images.shape[1:]
    encoder = networks.MLPEncoder(shape, 2, (4,), dtype=policy)
    decoder = networks.MLPDecoder(shape, 2, (4,), dtype=policy)
    model = models.VAE(encoder, decoder, likelihood="bernoulli_stochastic")
    model.compile(optimizer())
    step = tf.function(lambda: model.train_step(tf.constant(images[:2])), autograph=False)
    found = operations_of(step.get_concrete_function())
    variables = len(model.trainable_variables)
    assert found.count("ResourceApplyAdam") == (variables if fused else 0)
    assert "update_step" not in vars(model.optimizer)


def test_one_pass_leaves_the_state_of_adam(make_model, images):
    """Two steps by `fit` and by Keras' own update give the same weights, moments and average."""
    ended = []
    for pass_ in (one_pass, lambda _: contextlib.nullcontext()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("keras_infomodels.training.step.one_pass", pass_)
            model = make_model()
            model.compile(keras.optimizers.Adam(1e-2, use_ema=True, weight_decay=0.1))
            for _ in range(2):
                model.train_step(tf.constant(images[:8]))
        ended.append([np.array(v) for v in (*model.weights, *model.optimizer.variables)])
    for own, other in zip(*ended, strict=True):
        np.testing.assert_allclose(own, other, rtol=3e-5, atol=1e-6)
