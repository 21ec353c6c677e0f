"""What callbacks keep across a resume, and what they refuse at once."""

import keras
import numpy as np
import pytest

from keras_infomodels import datasets, models
from keras_infomodels.callbacks import (
    AtomicBackup,
    Pictures,
    StopOnNonFinite,
    StopOnSaturation,
    WeightAverage,
)


def resumed_and_straight(make, images, tmp_path, epochs, broken_after):
    """Two models: one broken off and resumed, one trained at a stretch.

    `make` gives a compiled model and its callbacks.
    """

    def run(directory, *more):
        model, callbacks = make()
        backup = AtomicBackup(directory, callbacks)
        first, _ = backup.restore(model)
        model.fit(
            datasets.from_arrays(images, batch_size=10),
            validation_data=images,
            initial_epoch=first,
            epochs=epochs,
            callbacks=[*callbacks, backup, *more],
            verbose=0,
        )
        return model

    class BreakOff(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch + 1 == broken_after:
                raise KeyboardInterrupt

    straight = run(tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", BreakOff())
    return run(tmp_path / "broken"), straight


@pytest.mark.slow
def test_atomic_backup_resumes_swap_ema_weights(make_model, images, tmp_path):
    def make():
        model = make_model()
        model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.5))
        return model, [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]

    resumed, straight = resumed_and_straight(make, images, tmp_path, 3, 1)
    for a, b in zip(resumed.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_fit_with_swap_ema_weights_goes_on_from_the_own_weights(make_model, images):
    model = make_model()
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.5))
    kernel = model.encoder.get_layer("loc").kernel
    own, served = [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            own.append(np.array(kernel))

        def on_test_begin(self, logs=None):
            served.append(np.array(kernel))

    callbacks = [keras.callbacks.SwapEMAWeights(), Watch()]
    model.fit(
        images, batch_size=10, epochs=2, validation_data=images, callbacks=callbacks, verbose=0
    )
    plain = make_model()
    plain.fit(images, batch_size=10, epochs=2, verbose=0)
    other = plain.encoder.get_layer("loc").kernel
    np.testing.assert_allclose(own[-1], other, rtol=1e-4, atol=1e-6)
    average = own[0]
    for step, weights in enumerate(own[1:], start=2):
        average = 0.5 * average + 0.5 * weights
        if step in (4, 8):
            np.testing.assert_allclose(served[step // 4 - 1], average, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(kernel, average, rtol=1e-4, atol=1e-6)
    assert np.abs(average - own[-1]).max() > 1e-3


@pytest.mark.slow
def test_atomic_backup_resumes_reduce_lr_on_plateau_cooldown(make_model, images, tmp_path):
    """Halved after epoch 2, then two epochs of rest: without them it would be halved after 3."""

    def make():
        rate = keras.callbacks.ReduceLROnPlateau(
            "val_loss", factor=0.5, patience=1, cooldown=2, min_delta=1e9
        )
        return make_model(), [rate]

    resumed, straight = resumed_and_straight(make, images, tmp_path, 3, 2)
    rates = [float(model.optimizer.learning_rate) for model in (resumed, straight)]
    assert rates == [pytest.approx(0.5e-2)] * 2


@pytest.mark.slow
def test_atomic_backup_resumes_draws_of_random_layers(images, tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        x, z = keras.Input((8, 8, 1)), keras.Input((2,))
        h = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
        encoder = keras.Model(
            x, {"loc": keras.layers.Dense(2)(h), "scale": keras.layers.Dense(2, "softplus")(h)}
        )
        h = keras.layers.Dropout(0.3)(keras.layers.GaussianNoise(0.2)(keras.layers.Dense(8)(z)))
        logits = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(h))
        decoder = keras.Model(z, {"logits": logits})
        model = models.VAE(encoder, decoder, likelihood="bernoulli_threshold")
        model.compile(keras.optimizers.Adam(1e-2))
        return model, []

    resumed, straight = resumed_and_straight(make, images, tmp_path, 3, 2)
    for a, b in zip(resumed.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_atomic_backup_resumes_early_stopping_best_epoch(make_model, images, tmp_path):
    kept = []

    class Scored(keras.callbacks.EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, {"score": (1.0, 3.0, 2.0, 0.0)[epoch]})

    def make():
        kept.append(Scored("score", mode="max", patience=9))
        return make_model(), [kept[-1]]

    resumed_and_straight(make, images, tmp_path, 4, 3)
    straight, _, resumed = (vars(callback) for callback in kept)
    names = ("best_epoch", "best", "wait", "stopped_epoch")
    assert [resumed[name] for name in names] == [straight[name] for name in names]
    assert (straight["best_epoch"], straight["wait"]) == (1, 2)


def test_atomic_backup_refuses_callbacks_it_cannot_restore(tmp_path):
    with pytest.raises(ValueError, match="cannot save the state of StopOnNonFinite"):
        AtomicBackup(tmp_path, [StopOnNonFinite()])


def test_weight_average_excludes_restore_best_weights(make_model, images):
    best = keras.callbacks.EarlyStopping(restore_best_weights=True)
    with pytest.raises(ValueError, match="evaluates the average"):
        make_model().fit(images, verbose=0, callbacks=[WeightAverage(), best])
    stop = keras.callbacks.EarlyStopping(patience=3)
    make_model().fit(
        images, validation_data=images, verbose=0, callbacks=[WeightAverage(0.5), stop]
    )


def test_pictures_and_stop_on_saturation_refuse_other_models(tmp_path):
    x, z = keras.Input((4,)), keras.Input((2,))
    encoder = keras.Model(
        x, {"loc": keras.layers.Dense(2)(x), "scale": keras.layers.Dense(2, "softplus")(x)}
    )
    model = models.VAE(encoder, keras.Model(z, {"logits": keras.layers.Dense(4)(z)}))
    model.compile("adam")
    vectors = np.zeros((8, 4), np.float32)
    with pytest.raises(ValueError, match="no images to draw"):
        model.fit(vectors, verbose=0, callbacks=[Pictures(tmp_path, vectors)])
    with pytest.raises(ValueError, match="is not a GAN"):
        model.fit(vectors, verbose=0, callbacks=[StopOnSaturation()])
    assert int(model.optimizer.iterations) == 0


def test_pictures_refuse_wrong_images_before_training(make_model, images, tmp_path):
    model = make_model(models.VAE, likelihood="bernoulli")
    before = model.get_weights()
    with pytest.raises(ValueError, match="Pixels are binary"):
        model.fit(np.round(images), verbose=0, callbacks=[Pictures(tmp_path, images)])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
