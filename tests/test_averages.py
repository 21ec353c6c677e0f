"""The mean of weights over training, and its state in a backup."""

import keras
import numpy as np
import pytest

from keras_infomodels import datasets
from keras_infomodels.callbacks import AtomicBackup, WeightAverage


@pytest.mark.slow
def test_weight_average_is_the_mean_over_the_run_and_resumes(make_model, images, tmp_path):
    """By hand; validation and the trained model have it."""
    after_each = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            after_each.append(self.model.get_weights())

    def run(directory, epochs, *watching):
        model, average = make_model(), WeightAverage(0.9)
        backup = AtomicBackup(directory, [average])
        history = model.fit(
            datasets.from_arrays(images, batch_size=10),
            validation_data=images,
            initial_epoch=backup.restore(model)[0],
            epochs=epochs,
            callbacks=[*watching, average, backup],
            verbose=0,
        ).history
        return model, history

    straight, history = run(tmp_path / "straight", 2, Watch())
    for averaged, *steps in zip(straight.get_weights(), *after_each, strict=True):
        assert len(steps) == 8
        expected = steps[0]
        for step, weight in enumerate(steps[1:], 2):
            expected = weight + (step - 1) / (step + 9) * (expected - weight)
        np.testing.assert_allclose(averaged, expected, atol=1e-6)
    logs = straight.evaluate(images, verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(logs["loss"], rel=1e-6)
    run(tmp_path / "broken", 1)
    resumed, _ = run(tmp_path / "broken", 2)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weight_average_does_not_count_a_step_that_overflowed(make_model, images):
    """With this scale every gradient is infinite, and no step is taken."""
    model, average = make_model(), WeightAverage(0.5)
    scaled = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1e-2), initial_scale=float("inf")
    )
    model.compile(scaled)
    model.fit(images, batch_size=10, epochs=1, verbose=0, callbacks=[average])
    assert int(model.optimizer.iterations) == 0
    assert average.averages is None


def test_weight_average_forgets_at_its_momentum(make_model, images):
    model, average = make_model(), WeightAverage(0.5)
    average.set_model(model)
    model.optimizer.iterations.assign(1000)
    average.on_train_begin()
    for step in (1, 2, 4):  # two steps in the last call
        model.optimizer.iterations.assign(1000 + step)
        model.set_weights([np.full_like(w, step) for w in model.get_weights()])
        average.on_train_batch_end(0)
    # 1, then halfway to 2, then three quarters of the way to 4.
    assert {float(x) for array in average.averages for x in array.ravel()} == {3.375}
    with pytest.raises(ValueError, match="between 0 and 1"):
        WeightAverage(1.0)


def test_weight_average_covers_a_part_of_a_short_run(make_model):
    """Factors 1/11 and 2/12: 1, then 2 - 1/11, then 3 - (1 + 1/11) / 6."""
    model, average = make_model(), WeightAverage(0.999)
    average.set_model(model)
    average.on_train_begin()
    for step in (1, 2, 3):
        model.optimizer.iterations.assign(step)
        model.set_weights([np.full_like(w, step) for w in model.get_weights()])
        average.on_train_batch_end(0)
    for array in average.averages:
        np.testing.assert_allclose(array, 3 - 12 / 66, rtol=1e-6)
