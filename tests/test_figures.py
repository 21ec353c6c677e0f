"""The figures of a card, against answers that are known."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import cli, datasets, models, networks
from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.evaluation import latent_statistics, log_likelihood
from keras_infomodels.training.classification import Classification
from keras_infomodels.zoo import figures as zoo_figures
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.figures import (
    clusters,
    doubt_of_few,
    has_moved,
    log_odds,
    measure,
    metric_figures,
    stated_figures,
)
from keras_infomodels.zoo.recipes import Recipe

SHAPE = (7, 7, 1)
MINI = {"dataset": "fashion_mnist_mini", "image_size": (7, 7), "widths": (8,), "latent_dim": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Dark images of label 0 and bright ones of label 1; one of each kind has the other label."""
    root = tmp_path_factory.mktemp("images")
    for part, count in (("train", 6), ("test", 10)):
        for kind, level in enumerate((50, 200)):
            for i in range(count):
                label = "ab"[1 - kind if i == 0 and part == "test" else kind]
                image = np.full(SHAPE, level + i, np.uint8)
                path = root / part / label / f"{kind}_{i}.png"
                tf.io.write_file(str(path), tf.io.encode_png(image))
    return root


def brightness_classifier(categories=2, **settings):
    """An AAE whose category is 0 for images darker than one half, and 1 for the others."""
    shared = {"image_shape": SHAPE, "widths": (1,), "activation": "relu"}
    encoder = networks.MLPEncoder(
        latent_dim=1 + categories, num_categories=categories, min_stddev=None, **shared
    )
    decoder = networks.MLPDecoder(latent_dim=1 + categories, **shared)
    encoder.get_layer("hidden_0").set_weights(
        [np.full((49, 1), 1 / 49), np.zeros(1)]
    )  # the mean pixel
    others = categories - 2
    encoder.get_layer("logits").set_weights(
        [np.array([[-10, 10] + [0] * others]), np.array([5, -5] + [-50] * others)]
    )
    return models.AdversarialAutoencoder(
        encoder,
        decoder,
        CategoricalNormal(categories, 1),
        "bernoulli_stochastic",
        **settings,
    )


def test_measure_of_a_vae_equals_the_evaluation_module():
    recipe = Recipe.of("vae", **MINI)
    model = build_model(recipe, SHAPE, steps=1)
    figures = measure(model, recipe)
    images, _ = datasets.load_arrays("fashion_mnist_mini", "test", image_size=(7, 7))
    images = images.astype(np.float32) / np.float32(255)
    estimate = log_likelihood(model, images, samples=100)
    assert figures["nll"]["value"] == pytest.approx(-estimate.nats, rel=1e-6)
    assert figures["nll"]["standard_error"] == pytest.approx(estimate.standard_error, rel=1e-5)
    assert "first 500 images" in figures["nll"]["protocol"]
    assert "binarized once, at random" in figures["nll"]["protocol"]
    statistics = latent_statistics(*model.encoding_table(images, batch_size=500)[:2])
    for name in ("log_det", "gaussian_kl", "active_units"):
        assert figures[name]["value"] == getattr(statistics, name)
    ledger = model.evaluate(images, batch_size=128, return_dict=True, verbose=0)
    assert set(ledger) <= set(figures)
    assert figures["rate"]["value"] == pytest.approx(ledger["rate"], rel=1e-4)


@pytest.mark.slow
def test_measure_repeats_to_the_same_figures():
    recipe = Recipe.of("mmd_vae", **MINI)
    figures = [measure(build_model(recipe, SHAPE, steps=1), recipe) for _ in range(2)]
    assert figures[0] == figures[1] == json.loads(json.dumps(figures[0]))


def test_measure_leaves_out_nll_and_gaussian_kl_where_undefined():
    recipe = Recipe.of("aae", deterministic=True, prior="gaussian_mixture", **MINI)
    figures = measure(build_model(recipe, SHAPE, steps=1), recipe)
    assert {"log_det", "active_units", "reconstruction"} <= set(figures)
    assert not {"nll", "gaussian_kl", "rate"} & set(figures)
    assert "KL" not in figures["log_det"]["protocol"]


@pytest.mark.slow
def test_measure_frechet_distance_and_class_mismatch_of_samples(monkeypatch):
    monkeypatch.setitem(zoo_figures._CLASSIFIERS, "fashion_mnist_mini", "fashion_mnist_classifier")
    recipe = Recipe.of("vae", dataset="fashion_mnist_mini", widths=(8,), latent_dim=2)
    model = build_model(recipe, (28, 28, 1), steps=1)
    images, _ = zoo_figures.load_images(recipe, "test", None)
    training, _ = zoo_figures.load_images(recipe, "train", None)
    blank = np.zeros_like(images)

    def figures(draws):
        monkeypatch.setattr(model, "generate", lambda n, seed: draws[:n])
        return zoo_figures._of_samples(model, recipe, images, None)

    copies, shirts = figures(images), figures(blank)
    assert measure(model, recipe).items() >= shirts.items()
    assert copies["frechet_distance"]["value"] == pytest.approx(0, abs=1e-3)
    assert copies["class_mismatch"]["value"] == 0
    # One class in place of ten even ones lacks nine tenths and has nine too many.
    assert shirts["class_mismatch"]["value"] == pytest.approx(1.8, abs=0.1)
    floor = figures(training)
    assert 0 < floor["frechet_distance"]["value"] < 0.2 * shirts["frechet_distance"]["value"]
    for name in ("frechet_distance", "class_mismatch"):
        assert floor[name]["value"] == copies[f"{name}_of_training_images"]["value"]


def test_measure_finds_known_errors_of_a_category(folder):
    settings = {"prior": "categorical_normal", "num_categories": 2, "continuous_dim": 1}
    recipe = Recipe.of("aae", dataset=str(folder), **settings)
    figures = measure(brightness_classifier(), recipe)
    # 2 of 20 test images have the label of the other kind.
    for name in ("one_to_one_error", "most_confident_error"):
        assert figures[name]["value"] == pytest.approx(0.1)
        assert figures[name]["standard_error"] == pytest.approx(math.sqrt(0.1 * 0.9 / 20))
    # I of a symmetric channel with error 0.1 over H of a fair coin.
    information = 1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9)
    assert figures["nmi"]["value"] == pytest.approx(information)
    assert "nll" not in figures
    assert "log_det" not in figures


def test_measure_compares_a_named_category_with_its_own_label(folder):
    recipe = Recipe.of(
        "aae",
        dataset=str(folder),
        prior="categorical_normal",
        num_categories=2,
        continuous_dim=1,
        labeled=4,
        classification_weight=1.0,
    )
    figures = measure(brightness_classifier(classification=Classification(1.0)), recipe)
    assert figures["test_error"]["value"] == pytest.approx(0.1)
    assert "training used 4 labels" in figures["test_error"]["protocol"]
    assert "one_to_one_error" not in figures


def test_clusters_are_a_table_and_scores():
    images = np.array([[[[0.1]] * 7] * 7] * 3 + [[[[0.9]] * 7] * 7] * 2, np.float32)
    found = clusters(brightness_classifier(3), images, np.array([1, 1, 0, 0, 0]))
    assert found["table"] == [[1, 2], [2, 0], [0, 0]]
    assert found["one_to_one_error"] == pytest.approx(0.2)


def test_log_odds_do_not_tie_where_probabilities_do():
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    np.testing.assert_allclose(log_odds(logits), np.log([1, 4]), atol=1e-12)
    sure = log_odds(np.array([[0.0, 50.0], [0.0, 60.0]]))
    np.testing.assert_allclose(sure, [50, 60])


@pytest.mark.parametrize(
    ("stated", "measured", "moved"),
    [
        (100.0, 100.09, False),
        (100.0, 100.11, True),
        (0.02, 0.0209, False),
        (0.02, 0.0211, True),
        (-math.inf, -math.inf, False),
        (1.0, math.nan, True),
    ],
)
def test_has_moved_only_beyond_its_tolerance(stated, measured, moved):
    assert has_moved(stated, measured) == moved


@pytest.mark.parametrize("facts", [{}, {"figures": []}, {"figures": {"nll": {"value": "x"}}}])
def test_stated_figures_refuses_metadata_without_figures(facts):
    with pytest.raises(ValueError, match="no figures to compare with"):
        stated_figures(facts)


def test_stated_figures_of_a_run_of_version_0_1_are_its_metrics(make_gan):
    model = make_gan()
    facts = {"metrics": {"split": "test", "loss": 1.0}}
    assert stated_figures(facts, model) == metric_figures({"loss": 1.0}, model)
    assert stated_figures(facts, model)["loss"]["unit"] == "weighted sum"


@pytest.mark.slow
def test_verify_command_measures_the_figures_of_the_card_again(tmp_path, capsys):
    recipe = Recipe.of("mmd_vae", **MINI)
    model = build_model(recipe, SHAPE, steps=1)
    figures = measure(model, recipe)
    preset = model.save_to_preset(tmp_path / "tiny", figures=figures)
    (preset / "recipe.toml").write_text(recipe.to_toml())
    arguments = ["verify", str(preset), "--data-dir", str(tmp_path)]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert f"All {len(figures)} figures are the card's" in out
    assert [line.split()[0] for line in out.splitlines() if line.endswith(" no")] == [*figures]

    figures["nll"]["value"] += 1
    model.save_to_preset(preset, figures=figures)
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    (row,) = [line for line in captured.out.splitlines() if line.startswith("nll")]
    assert row.endswith("moved")
    assert "nll moved by more than 0.001 of max(1, |value|)" in captured.err


def test_doubt_of_few_says_how_many_test_images_there_are():
    model = brightness_classifier()
    assert doubt_of_few(model, 40) == ""
    assert doubt_of_few(model, 39).startswith("there are only 39 test images")
