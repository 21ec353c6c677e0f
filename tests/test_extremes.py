"""Batches that only the graph of a step sees: pixels and labels that the data must not hold."""

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.models import VAE
from keras_infomodels.training.extremes import Extremes


def batches(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(10)


@pytest.mark.parametrize(
    ("support", "batch", "allowed"),
    [
        ("real", [-3.0, 255.0], True),
        ("unit", [0.0, 1.0000003], True),
        ("unit", [-0.1, 1.0], False),
        ("unit", [0.0, 1.1], False),
        ("binary", [0.0, 1.0], True),
        ("binary", [0.0, 0.5], False),
    ],
)
def test_extremes_see_what_pixels_check_refuses(support, batch, allowed):
    """The graph's answer and that of arrays are one."""
    pixels = Pixels(support)
    extremes = Extremes(pixels, classes=3)
    assert extremes.problem() is None
    for values in ([0.0, 1.0], batch, [1.0, 0.0]):
        seen = extremes.see(tf.constant(values), tf.constant([[0], [2]]))
        assert np.isnan(seen) == (values == batch and not allowed)
    assert (extremes.problem() is None) == allowed
    if not allowed:
        with pytest.raises(ValueError, match=r"^Pixels are") as error:
            pixels.check(np.array(batch, np.float32))
        assert str(error.value) == extremes.problem()
    extremes.reset()
    extremes.see(tf.constant([1.0]), tf.constant([3]))
    assert "from 3 to 3" in extremes.problem()


def test_extremes_stop_fit_at_a_later_batch_in_words(make_model, images):
    bytes_later = images.copy()
    bytes_later[25:] *= 255
    good, model = make_model(VAE), make_model(VAE)
    good.fit(batches(images[:20]), verbose=0)
    with pytest.raises(FloatingPointError, match=r"step 3: .*got values from 0\.\d+ to 25\d") as e:
        model.fit(batches(bytes_later), verbose=0)
    assert "x / 255" in str(e.value)
    for a, b in zip(good.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for use in (model.evaluate, model.predict, model.mutual_information):
        with pytest.raises(ValueError, match="got values from"):
            use(batches(bytes_later))
    with pytest.raises(FloatingPointError, match=r"validation after step 6: .*got values"):
        model.fit(batches(images), validation_data=batches(bytes_later), verbose=0)


@pytest.mark.slow
def test_extremes_stop_a_gan_with_two_updates_at_a_later_batch(make_gan, images):
    model = make_gan(update="alternating")
    images = images.copy()
    images[13] -= 1  # [-1, 0]
    with pytest.raises(FloatingPointError, match=r"step 2: .*\[0, 1\] for a generator"):
        model.fit(batches(images), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_extremes_name_labels_from_1(make_classifier, images):
    model, labels = make_classifier(), np.arange(40) % 3 + 1
    with pytest.raises(ValueError, match=r"from 0 to 2 .*from 1 to 3.*labels - 1"):
        model.fit(images, labels, verbose=0)
    with pytest.raises(FloatingPointError, match=r"from 1 to 3.*labels - 1"):
        model.fit(batches(images, labels), verbose=0)
    with pytest.raises(ValueError, match=r"argmax"):
        model.fit(images, np.eye(3)[labels - 1], verbose=0)
    with pytest.raises(ValueError, match="from 1 to 3"):
        model.evaluate(images, labels, verbose=0)
    model.fit(images, labels - 2, verbose=0)  # -1 is unlabeled


def test_fit_refuses_weights_of_examples_and_classes(make_model, make_classifier, images):
    model, classifier = make_model(VAE), make_classifier()
    weights, labels = np.ones(40), np.arange(40) % 3
    for use, what in (
        (lambda: model.fit(images, sample_weight=weights), "sample_weight"),
        (lambda: model.evaluate(images, sample_weight=weights), "sample_weight"),
        (lambda: model.train_on_batch(images, sample_weight=weights), "sample_weight"),
        (lambda: model.fit(images, class_weight={0: 1.0}), "class_weight"),
        (lambda: classifier.fit(images, labels, class_weight={0: 1.0}), "class_weight"),
        (lambda: model.fit(images, validation_data=(images, None, weights)), "weight .*validation"),
    ):
        with pytest.raises(ValueError, match=what):
            use()
    assert int(model.optimizer.iterations) == 0


def test_fit_takes_a_generator_as_validation_data(make_model, images):
    def generate():
        while True:
            yield (images,)

    settings = {"validation_steps": 2, "epochs": 2, "verbose": 0}
    logs = make_model(VAE).fit(images, validation_data=generate(), **settings).history
    assert len(logs["val_loss"]) == 2
    assert "val_mutual_information" not in logs  # the data cannot be read again
