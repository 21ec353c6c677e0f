"""The card: its sections, and that what it says can be done."""

import json
import re

import huggingface_hub
import numpy as np
import pytest

from keras_infomodels import Classifier
from keras_infomodels.models import MODELS
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.card import write_card
from keras_infomodels.zoo.card_texts import DATA
from keras_infomodels.zoo.figures import metric_figures
from keras_infomodels.zoo.recipes import Recipe

SHAPE = (8, 8, 1)
KINDS = {
    "vae": Recipe.of("vae", dataset="mnist", widths=(4,)),
    "mmd_vae": Recipe.of("mmd_vae", dataset="fashion_mnist", widths=(4,)),
    "deterministic": Recipe.of("aae", dataset="mnist", widths=(4,), deterministic=True),
    "category": Recipe.of("aae", dataset="mnist", widths=(4,), prior="categorical_normal"),
    "gan": Recipe.of("gan", dataset="mnist", widths=(3, 4, 8), noise_dim=2),
    "infogan": Recipe.of(
        "infogan",
        dataset="mnist",
        widths=(3, 4, 8),
        noise_dim=2,
        num_categories=3,
        meanings={"c2": "brightness"},
    ),
    "classifier": Recipe.of("classifier", dataset="mnist", widths=(3, 4)),
}


def card_of(recipe, folder, **facts):
    training = {"epochs": 1, "steps_per_epoch": 2, "epochs_in_these_seconds": 1, "seconds": 0.5}
    model = build_model(recipe, SHAPE, steps=1)
    facts = {"metrics": {"split": "test", "loss": 12.345678}, **facts}
    facts = {"figures": metric_figures(facts["metrics"], model), **facts}
    model.save_to_preset(folder, training=training, **facts)
    write_card(folder, recipe)
    return (folder / "README.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_write_card_gives_python_lines_that_run(kind, tmp_path, monkeypatch):
    card = card_of(KINDS[kind], tmp_path / "tiny")
    (code,) = re.findall("```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"images": np.zeros((8, *SHAPE), np.float32)} if kind == "classifier" else {}
    exec(code, names)
    assert names["images"].shape == (8, *SHAPE)
    if kind == "classifier":
        assert names["probabilities"].shape == (8, 10)
    if kind == "infogan":
        assert names["category"].shape == (8, 3)
    for word in ("## Limits and intended use", "## Citation", "CITATION.cff", "## Data"):
        assert word in card
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())["config"]
    words = KINDS[kind].model_class.card_words(config)
    assert words.limits in card
    assert not re.search(r"\d[.,]\d|%", words.use + words.limits)  # no figure typed by hand
    unit = "nats per example" if kind == "classifier" else "weighted sum"
    assert f"| loss | 12.3457 | {unit} |" in card


def test_write_card_shows_each_figures_error_and_protocol(tmp_path):
    figures = {
        "nll": {"value": 90.5, "standard_error": 0.25, "unit": "nats", "protocol": "Drawn."},
        "loss": {"value": 1.0, "unit": "weighted sum", "protocol": "Added."},
        "rate": {"value": 2.0, "unit": "nats", "protocol": "Added."},
    }
    card = card_of(KINDS["vae"], tmp_path, figures=figures)
    header = "\n\n| figure | value | unit |\n|---|---|---|\n"
    assert f"Drawn.{header}| nll | 90.5000 ± 0.2500 | nats |\n" in card
    assert f"Added.{header}| loss | 1.0000 | weighted sum |\n| rate | 2.0000 | nats |\n" in card
    assert "12.3457" not in card


def test_write_card_shows_a_ceiling_beside_the_error(tmp_path):
    own = {"value": 2.5, "standard_error": 0.25, "unit": "nats", "protocol": "P.", "ceiling": 3.0}
    card = card_of(KINDS["vae"], tmp_path, figures={"mutual_information": own})
    assert "| mutual information | 2.5000 ± 0.2500 (at most 3.0000) | nats |" in card
    assert '"At most" is the largest value that the estimator can return.' in card


def test_write_card_of_a_users_run_has_no_words_on_what_it_lacks(tmp_path):
    own = card_of(KINDS["vae"], tmp_path / "own")
    for absent in ("notebook.md", "NLL", "±", "At most"):
        assert absent not in own
    nll = {"value": 90.5, "standard_error": 0.25, "unit": "nats", "protocol": "Drawn."}
    zoo = card_of(KINDS["vae"], tmp_path / "zoo", figures={"nll": nll}, revision=1)
    for present in ("docs/notebook.md", "Compare the NLL only with", "± is a standard error"):
        assert present in zoo


def test_metric_figures_take_error_and_ceiling_from_the_evaluation(tmp_path):
    model = build_model(KINDS["vae"], SHAPE, steps=1)
    images = np.random.default_rng(0).uniform(size=(50, *SHAPE)).astype("float32")
    metrics = model.evaluate(images, return_dict=True, verbose=0)
    found = metric_figures(metrics, model)["mutual_information"]
    estimate = model.mutual_information(images)
    assert found["ceiling"] == np.log(50)
    assert found["standard_error"] == pytest.approx(estimate.standard_error, rel=1e-5)
    other = {**metrics, "mutual_information": 0.5}  # of other data
    assert "ceiling" not in metric_figures(other, model)["mutual_information"]


def test_write_card_names_the_rows_of_the_category_table_by_its_code(tmp_path):
    clusters = {"code": "digit", "one_to_one_error": 0.5, "nmi": 0.5, "ari": 0.5}
    card = card_of(KINDS["infogan"], tmp_path, clusters={**clusters, "table": [[1, 2], [3, 4]]})
    assert "| value of `digit` | label 0 | label 1 |" in card


def test_write_card_shows_information_and_meaning_of_codes(tmp_path):
    metrics = {"split": "test", "information_category": 1.0986, "information_c2": 0.5}
    card = card_of(KINDS["infogan"], tmp_path, metrics=metrics)
    assert "| category | one of 3 | 1.099 nats |  |" in card
    assert "| c2 | uniform | 0.500 nats | brightness |" in card


def test_write_card_lists_exports_beside_each_other(tmp_path):
    exports = {
        "SavedModel": {"bytes": 2e6, "inputs": "9 images", "signatures": {"a": 1e-6, "b": 2e-6}},
        "float16 .tflite": {"bytes": 1e6, "inputs": "9 images", "signatures": {"a": 3e-4}},
    }
    card = card_of(KINDS["vae"], tmp_path, exports=exports)
    assert "| signature | SavedModel, 2.00 MB | float16 .tflite, 1.00 MB |" in card
    assert "| a | 1.0e-06 | 3.0e-04 |\n| b | 2.0e-06 | missing |" in card
    assert "on 9 images of" in card


def test_write_card_names_licenses_data_and_pictures(tmp_path):
    (tmp_path / "recipe.toml").write_text(KINDS["mmd_vae"].to_toml())
    (tmp_path / "code_c1.png").write_bytes(b"png")
    card = card_of(KINDS["mmd_vae"], tmp_path, license="Apache-2.0")
    data = huggingface_hub.ModelCard(card).data
    found = (data.library_name, data.license, data.datasets)
    assert found == ("keras", "apache-2.0", ["fashion_mnist"])
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("loss", 12.345678)
    assert (result.dataset_split, result.task_type) == ("test", "unconditional-image-generation")
    assert "Fashion-MNIST, (c) 2017 Zalando SE, is under the MIT licence" in card
    assert "![code c1](code_c1.png)" in card
    assert "InfoVAE: information maximizing" in card
    own = card_of(Recipe.of("vae", dataset="my/images", widths=(4,)), tmp_path / "own")
    assert "license:" not in own
    assert "## Data" not in own
    assert {"mnist", "fashion_mnist"} <= set(DATA)


@pytest.mark.parametrize("cls", MODELS.values())
def test_every_model_has_a_title_and_the_paper_that_it_is_of(cls):
    assert "title" in vars(cls)
    assert bool(cls.citation) != (cls is Classifier)
    assert ("https://" in cls.citation) == bool(cls.citation)


def test_recipe_meanings_name_codes_and_make_no_other_recipe(tmp_path):
    recipe = KINDS["infogan"]
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    copy = Recipe.load(tmp_path / "recipe.toml", description="a line")
    assert copy == recipe
    assert (copy.meanings, copy.description) == ({"c2": "brightness"}, "a line")
    with pytest.raises(ValueError, match=r"meanings name \['c3'\]; the codes are"):
        Recipe.of("infogan", dataset="mnist", meanings={"c3": "nothing"})
    with pytest.raises(ValueError, match="meanings name"):
        Recipe.of("vae", dataset="mnist", meanings={"c1": "nothing"})
