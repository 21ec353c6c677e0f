import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.callbacks import WeightAverage
from keras_infomodels.training import execution
from keras_infomodels.training.execution import looks_at_batches, steps_together


def dataset(steps):
    return tf.data.Dataset.from_tensors(np.zeros((2, 1))).repeat(steps)


@pytest.mark.parametrize(
    ("x", "arguments", "together"),
    [
        (np.zeros(4300), {}, 6),  # 135 batches of 32
        (dataset(43), {}, 2),
        (dataset(469), {}, 10),
        (dataset(3), {}, 1),
        (dataset(None), {"steps_per_epoch": 200}, 10),
        (dataset(None), {"steps_per_epoch": 243}, 9),  # what makes it up exactly
        (dataset(None), {"steps_per_epoch": 241}, 1),
        (np.zeros(32 * 100), {"validation_split": 0.5}, 2),
        (dataset(300).filter(lambda _: True), {}, 1),
        (iter([]), {}, 1),
    ],
)
def test_steps_together_follow_the_number_of_steps(x, arguments, together):
    assert steps_together(x, None, [], **arguments) == together


@pytest.mark.parametrize(
    ("callback", "looks"),
    [
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.ModelCheckpoint("x.keras"), False),
        (keras.callbacks.ModelCheckpoint("x.keras", save_freq=7), True),
        (keras.callbacks.TensorBoard(), False),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_end=print), True),
        (WeightAverage(), True),
    ],
)
def test_looks_at_batches_knows_callbacks_of_keras(callback, looks):
    assert looks_at_batches(callback) is looks
    assert steps_together(dataset(200), None, [callback]) == (1 if looks else 10)


def test_fit_makes_several_steps_to_the_same_bits(make_model, images, capsys):
    """43 steps by two a call, by ten and by one: the bar ends at 43, the weights are the same."""
    x = np.resize(images, (43 * 4, *images.shape[1:]))
    ended, shown = [], []
    for compiled in ({}, {"steps_per_execution": 10}, {"steps_per_execution": 1}):
        model = make_model()
        model.compile(keras.optimizers.Adam(1e-2), **compiled)
        keras.utils.set_random_seed(1)  # the order of an array is Keras'
        model.fit(x, batch_size=4, verbose=1, validation_data=images)
        assert model.steps_per_execution == compiled.get("steps_per_execution", 1)
        assert int(model.optimizer.iterations) == 43
        ended.append(model.get_weights())
        shown.append(capsys.readouterr().out)
    for other in ended[1:]:
        for a, b in zip(ended[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert all("43/43" in out and "50/43" not in out and "44/43" not in out for out in shown)


def test_fit_reads_metrics_every_ten_steps(make_model, images, monkeypatch):
    """A read waits for the step, on a GPU; a callback that looks at batches gets every one."""
    reads = []

    def read(value):
        reads.append(value)
        return float(value)

    monkeypatch.setattr(execution, "float", read, raising=False)
    x = np.resize(images, (60, *images.shape[1:]))
    model = make_model()
    model.fit(x, batch_size=3, verbose=0)  # 20 steps, one a call
    assert len(reads) == 2 * len(model.metrics)
    losses = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: losses.append(logs["loss"])
    )
    model.fit(x, batch_size=3, verbose=0, callbacks=[watch])
    assert len(set(losses)) == 20
    assert len(reads) == 2 * len(model.metrics)


def test_compile_keeps_the_choice_of_steps_through_a_file(make_model, tmp_path):
    for given, kept in ((None, False), (3, True)):
        model = make_model()
        model.compile("adam", **({} if given is None else {"steps_per_execution": given}))
        assert ("steps_per_execution" in model.get_compile_config()) is kept


def test_fit_of_a_model_that_is_not_compiled_says_so(make_model, images):
    model = make_model()
    with pytest.raises(ValueError, match=r"call `compile\(\)` before"):
        type(model).from_config(model.get_config()).fit(images)
