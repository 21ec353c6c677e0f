import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.optimizers import FusedAdam


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
