import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import export, models, networks, plots
from keras_infomodels.zoo.figures import measure
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def pairs():
    """60 images of one grey each, with the number of their grey for a label."""
    labels = np.arange(60) % 3
    images = np.asarray(LEVELS, np.float32)[labels][:, None, None, None]
    return np.broadcast_to(images, (60, 8, 8, 1)).copy(), labels


def of_known_logits(logits):
    """A classifier whose logits are those, whatever the image."""
    image = keras.Input((8, 8, 1))
    features = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    head = keras.layers.Dense(len(logits))
    model = models.Classifier(keras.Model(image, {"logits": head(features), "features": features}))
    head.set_weights([np.zeros((2, len(logits))), np.array(logits)])
    model.compile()
    return model


def test_classifier_fit_learns_labels_and_predicts_probabilities(make_classifier, pairs):
    model, (images, labels) = make_classifier(), pairs
    model.fit(images, labels, batch_size=20, epochs=40, verbose=0)
    assert model.evaluate(images, labels, return_dict=True, verbose=0)["accuracy"] == 1
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(1), labels)
    with pytest.warns(DeprecationWarning, match="call the model"):
        np.testing.assert_allclose(model.classify(images), probabilities, atol=1e-5)
    assert model.features(images).shape == (60, 8)


def test_classifier_loss_is_the_labeled_cross_entropy(pairs):
    model, images = of_known_logits(np.log([0.5, 0.25, 0.25])), pairs[0][:6]
    labels = np.array([0, 1, 0, -1, -1, -1])
    for data in ((images, labels), (images[:3], labels[:3])):
        logs = model.evaluate(*data, batch_size=2, return_dict=True, verbose=0)
        assert logs["loss"] == pytest.approx((2 * np.log(2) + np.log(4)) / 3)
        assert logs["accuracy"] == pytest.approx(2 / 3)


def test_classifier_fit_refuses_images_alone(make_classifier, pairs):
    with pytest.raises(ValueError, match="is trained on pairs"):
        make_classifier().fit(pairs[0], verbose=0)


@pytest.mark.parametrize("outputs", ["logits", "alone"])
def test_classifier_refuses_a_network_without_features(outputs):
    image = keras.Input((8, 8, 1))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(image))
    network = keras.Model(image, {"logits": logits} if outputs == "logits" else logits)
    with pytest.raises(ValueError, match='"logits" of shape'):
        models.Classifier(network)
    with pytest.raises(ValueError, match="at least 2 classes"):
        networks.ConvClassifier(classes=1)


@pytest.mark.slow
def test_classifier_augment_repeats_and_spares_evaluate(make_classifier, images):
    labels = np.arange(40) % 3
    weights = []
    for _ in range(2):
        model = make_classifier(augment=True)
        model.fit(images, labels, batch_size=10, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    plain = make_classifier()
    plain.set_weights(weights[0])
    logs = [each.evaluate(images, labels, verbose=0) for each in (model, plain)]
    np.testing.assert_allclose(*logs, rtol=1e-5)
    plain = make_classifier()
    plain.fit(images, labels, batch_size=10, shuffle=False, verbose=0)
    assert any(
        not np.array_equal(a, b) for a, b in zip(plain.get_weights(), weights[0], strict=True)
    )


@pytest.mark.slow
def test_train_leaves_a_classifier_preset_with_its_mistakes(tmp_path):
    recipe = Recipe.of(
        "classifier", dataset="fashion_mnist_mini", image_size=(8, 8), widths=(4, 8), epochs=2
    )
    model = train(recipe, tmp_path / "tiny")
    facts = json.loads((tmp_path / "tiny" / "metadata.json").read_text())
    assert set(facts["metrics"]) == {"split", "loss", "accuracy"}
    assert "clusters" not in facts
    pictures = {path.name for path in (tmp_path / "tiny" / "run").glob("*.png")}
    assert pictures == {"learning_curves.png", "mistakes.png"}
    card = (tmp_path / "tiny" / "README.md").read_text()
    assert "Classifier with 10 classes" in card
    assert "| loss |" in card
    assert "tags: [image-classification]" in card
    accuracy = measure(model, recipe)["accuracy"]
    value = facts["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(value)
    assert accuracy["standard_error"] == pytest.approx(np.sqrt(value * (1 - value) / 500))


def test_train_refuses_more_labels_than_classes(tmp_path):
    recipe = Recipe.of("classifier", dataset="fashion_mnist_mini", num_categories=9)
    with pytest.raises(
        ValueError, match="labels from 0 to 8, and fashion_mnist_mini has labels up"
    ):
        train(recipe, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


def test_mistakes_begin_with_the_least_likely_label(pairs):
    model = of_known_logits(np.log([0.5, 0.3, 0.2]))
    images = pairs[0][:3]
    figure = plots.mistakes(model, images, np.array([0, 1, 2]), n=3)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown[0, :27:9] == pytest.approx(LEVELS[::-1])


def test_check_parity_int8_cost_is_the_changed_classes(make_classifier, images, tmp_path):
    model = make_classifier()
    path = tmp_path / "model.tflite"
    export.to_tflite(model, path, "int8", calibration=images, images=images, force=True)
    (cost,) = export.check_parity(model, path, images, force=True).costs
    changed = (
        export.Runtime(path).run("classify", image=images)["logits"].argmax(1)
        != tf.argmax(model(images), axis=1).numpy()
    )
    assert (cost.name, cost.file) == ("changed_class", pytest.approx(100 * changed.mean()))
