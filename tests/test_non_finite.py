"""What ends training: a loss, a gradient or a validation that is not finite."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.models import VAE


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_stop_on_non_finite_ends_fit_at_a_loss(make_model, images, steps_per_execution):
    """NaN in the third of four batches: the weights after two are kept."""
    broken = images.copy()
    broken[25] = np.nan
    batches = tf.data.Dataset.from_tensor_slices(broken).batch(10)
    good, model = make_model(), make_model()
    good.fit(tf.data.Dataset.from_tensor_slices(images[:20]).batch(10), verbose=0)
    model.compile(keras.optimizers.Adam(1e-2), steps_per_execution=steps_per_execution)
    with pytest.raises(FloatingPointError, match="step 3: rate and reconstruction"):
        model.fit(batches, verbose=0)
    for a, b in zip(good.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:invalid value")  # the information of NaN encodings
def test_stop_on_non_finite_ends_fit_at_a_validation(make_model, images):
    broken = images.copy()
    broken[35] = np.nan
    batches = tf.data.Dataset.from_tensor_slices(broken).batch(10)  # arrays are checked before
    model = make_model()
    with pytest.raises(FloatingPointError, match=r"validation after step 4: .*reconstruction"):
        model.fit(images, batch_size=10, epochs=3, validation_data=batches, verbose=0)
    assert int(model.optimizer.iterations) == 4


def test_stop_on_non_finite_ends_fit_at_a_loss_scale_without_room(make_model, images):
    """At a scale above 1 an infinite gradient is a step left out, at 1 it is the model's own."""
    for scale, stops in ((4.0, False), (1.0, True)):
        model = make_model()
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), scale)
        model.compile(optimizer)
        model.encoder_terms = lambda *arguments: (tf.sqrt(0.0 * arguments[0]["loc"][0, 0]), {})
        if stops:
            with pytest.raises(FloatingPointError, match="step 1: a gradient, a penalty"):
                model.fit(images, batch_size=40, verbose=0)
        else:
            model.fit(images, batch_size=40, verbose=0)
            assert float(model.optimizer.dynamic_scale) == scale / 2


def test_stop_on_non_finite_ends_fit_at_a_gradient(make_model, images):
    """sqrt has an infinite slope at 0, where a penalty's own value is finite."""
    model = make_model()
    before = model.get_weights()
    model.encoder_terms = lambda *arguments: (tf.sqrt(0.0 * arguments[0]["loc"][0, 0]), {})
    with pytest.raises(FloatingPointError, match="step 1: a gradient, a penalty"):
        model.fit(images, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_keeps_a_broken_batch_out_of_batch_normalization():
    x, z = keras.Input((4,)), keras.Input((2,))
    normalization = keras.layers.BatchNormalization(momentum=0.9)
    h = normalization(x)
    encoder = keras.Model(
        x, {"loc": keras.layers.Dense(2)(h), "scale": keras.layers.Dense(2, "softplus")(h)}
    )
    model = VAE(encoder, keras.Model(z, {"logits": keras.layers.Dense(4)(z)}))
    model.compile("adam")
    data = np.ones((8, 4), np.float32)
    data[5] = np.nan
    with pytest.raises(FloatingPointError, match="step 2"):
        model.fit(tf.data.Dataset.from_tensor_slices(data).batch(4), verbose=0)
    np.testing.assert_allclose(normalization.moving_mean, 0.1, rtol=1e-5)
