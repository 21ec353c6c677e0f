"""From a recipe to a preset of the zoo."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_infomodels
from keras_infomodels.distributions import MultivariateNormal
from keras_infomodels.export.runtime import Runtime
from keras_infomodels.zoo import registry
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.release import _choose, _copy_picture, release, renew

TINY = {"widths": (3, 4, 8), "noise_dim": 2, "num_categories": 2, "batch_size": 6, "epochs": 1}


@pytest.fixture
def images(tmp_path):
    """A folder of 60 images with labels."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for label, low in (("a", 0), ("b", 150)):
            for i in range(15):
                image = random.integers(low, low + 100, size=(8, 8, 1)).astype(np.uint8)
                path = tmp_path / "images" / part / label / f"{i}.png"
                tf.io.write_file(str(path), tf.io.encode_png(image))
    return tmp_path / "images"


@pytest.fixture
def presets(images, tmp_path):
    recipe = Recipe.of("infogan", dataset=str(images), description="for tests", **TINY)
    (tmp_path / "presets" / "tiny").mkdir(parents=True)
    (tmp_path / "presets" / "tiny" / "recipe.toml").write_text(recipe.to_toml())
    return tmp_path / "presets"


@pytest.mark.slow
def test_release_registers_the_preset_of_its_best_seed(presets, tmp_path):
    runs, table = tmp_path / "runs", tmp_path / "registry.json"
    folder = release("tiny", [3, 4], runs, presets=presets, table=table)
    scores = {}
    for seed in (3, 4):
        with (runs / f"seed_{seed}" / "run" / "history.csv").open(newline="") as file:
            scores[seed] = float(list(csv.DictReader(file))[-1]["val_information_real_category"])
    best = max(scores, key=scores.get)
    assert scores[3] != scores[4]

    own = keras_infomodels.load_model(runs / f"seed_{best}")
    model = keras_infomodels.load_model(folder)
    latents = model.latents.join(model.latents.sample(3, [0, 1]))
    np.testing.assert_array_equal(model(latents), own(latents))

    facts = json.loads((folder / "metadata.json").read_text())
    assert facts["seeds"]["chosen"] == best
    assert [row["seed"] for row in facts["seeds"]["rows"]] == [3, 4]
    error = facts["clusters"]["one_to_one_error"]
    entry = registry.read(table)["tiny"]
    assert entry.headline == f"{100 * error:.2f} % test error without labels"
    assert entry.description == "for tests"
    assert {"model.tflite", "README.md", "samples.png", "recipe.toml"} <= set(entry.files)
    card = (folder / "README.md").read_text()
    assert f"These weights are seed {best}, selected by `val_information_real_category`" in card
    assert f"seed {best}, one of 2 runs" in card
    assert Runtime(folder / "model.tflite").generate(2, seed=0).shape == (2, 8, 8, 1)

    assert {"metadata.json": entry.files["metadata.json"], **facts["files"]} == entry.files
    assert facts["revision"] == 1
    assert "Revision 1 of the preset." in card
    release("tiny", [3, 4], runs, resume=True, presets=presets, table=table)
    assert json.loads((folder / "metadata.json").read_text())["revision"] == 2

    path = folder / "recipe.toml"
    path.write_text('weights = "float16"\n' + path.read_text())
    (folder / "samples.png").write_bytes(b"old")
    renew("tiny", presets=presets, table=table)
    renewed = json.loads((folder / "metadata.json").read_text())
    assert renewed["revision"] == 3
    assert renewed["seeds"] == facts["seeds"]
    assert renewed["figures"].keys() == facts["figures"].keys()
    assert renewed["files"]["samples.png"] == facts["files"]["samples.png"]
    halved = keras_infomodels.load_model(folder)
    for ours, theirs in zip(model.get_weights(), halved.get_weights(), strict=True):
        rounded = ours.astype(np.float16) if ours.dtype == np.float32 else ours
        np.testing.assert_array_equal(rounded.astype(ours.dtype), theirs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not trust this model")
def test_renew_fits_the_prior_that_the_recipe_asks_for(images, tmp_path):
    table, folder = tmp_path / "registry.json", tmp_path / "presets" / "tiny"
    folder.mkdir(parents=True)
    settings = {"widths": [8], "latent_dim": 2, "batch_size": 6, "epochs": 3}
    settings |= {"likelihood": "continuous_bernoulli", "description": "for tests"}
    recipe = Recipe.of("vae", dataset=str(images), **settings)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    release("tiny", [0], tmp_path / "runs", presets=folder.parent, table=table)
    facts = json.loads((folder / "metadata.json").read_text())
    (folder / "recipe.toml").write_text(recipe.put({"training.fit_prior": True}).to_toml())
    renew("tiny", presets=folder.parent, table=table)
    renewed = json.loads((folder / "metadata.json").read_text())
    assert isinstance(keras_infomodels.load_model(folder).prior, MultivariateNormal)
    assert renewed["figures"]["rate"]["value"] != facts["figures"]["rate"]["value"]
    assert renewed["files"]["samples.png"] != facts["files"]["samples.png"]
    curves = "learning_curves.png"
    assert renewed["files"][curves] == facts["files"][curves]


def test_release_refuses_a_preset_without_recipe_or_description(presets, tmp_path):
    with pytest.raises(FileNotFoundError, match="did you mean 'tiny'"):
        release("tinny", [0], tmp_path, presets=presets, table=tmp_path / "registry.json")
    path = presets / "tiny" / "recipe.toml"
    path.write_text(path.read_text().replace('description = "for tests"\n', ""))
    with pytest.raises(ValueError, match="has no description"):
        release("tiny", [0], tmp_path, presets=presets, table=tmp_path / "registry.json")


@pytest.mark.parametrize(
    ("recipe", "by", "chosen"),
    [
        (Recipe.of("vae", dataset="mnist"), "val_loss", 1),
        (Recipe.of("aae", dataset="mnist", prior="categorical_normal"), "val_loss", 1),
        (
            Recipe.of(
                "aae",
                dataset="mnist",
                prior="categorical_normal",
                labeled=5,
                classification_weight=1.0,
            ),
            "val_information_category",
            2,
        ),
        (
            Recipe.of("infogan", dataset="mnist", labeled=5, classification_weight=1.0, **TINY),
            "val_information_real_category",
            1,
        ),
    ],
)
def test_release_choose_takes_the_best_seed_without_labels(recipe, by, chosen, tmp_path):
    """With labels in its training, val_loss would hold those of the validation split."""
    rows = [
        {"seed": seed, "loss": 1.0, "one_to_one_error": 0.1 * seed, "nmi": 0.5} for seed in (1, 2)
    ]
    for row, loss, information in zip(rows, (1.0, 2.0), (1.5, 1.6), strict=True):
        run = tmp_path / f"seed_{row['seed']}" / "run"
        run.mkdir(parents=True)
        names = ["val_loss", "val_information_category"]
        values, before = [loss, information], [0.1, 9.0]
        if recipe.model["class"] == "InfoGAN":
            names, values, before = [*names, by], [*values, -information], [*before, 9.0]
        lines = [["epoch", *names], [0, *before], [1, *values]]
        (run / "history.csv").write_text("".join(f"{','.join(map(str, x))}\n" for x in lines))
    seeds = _choose(rows, tmp_path, recipe)["seeds"]
    assert (seeds["by"], seeds["chosen"]) == (by, chosen)
    assert [row["one_to_one_error"] for row in seeds["rows"]] == [0.1, 0.2]


def test_copy_picture_stores_a_large_one_with_a_palette(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(400, 400, 1), dtype=np.uint8)
    picture = np.concatenate([noise, 255 - noise, noise], axis=2)  # 256 colors
    Image.fromarray(picture).save(tmp_path / "large.png")
    Image.fromarray(picture[:10]).save(tmp_path / "small.png")
    for name in ("large", "small"):
        _copy_picture(tmp_path / f"{name}.png", tmp_path / f"{name}_copy.png")
    large = Image.open(tmp_path / "large_copy.png")
    assert large.mode == "P"
    assert np.abs(np.asarray(large.convert("RGB")).astype(int) - picture).max() <= 3
    assert (tmp_path / "large_copy.png").stat().st_size < 0.6 * (
        tmp_path / "large.png"
    ).stat().st_size
    assert (tmp_path / "small_copy.png").read_bytes() == (tmp_path / "small.png").read_bytes()
