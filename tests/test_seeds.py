"""`infomodels train --seeds`, and an InfoGAN's run."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

import keras_infomodels
from keras_infomodels import cli, datasets
from keras_infomodels.callbacks import AtomicBackup, Pictures
from keras_infomodels.evaluation import clustering_error
from keras_infomodels.zoo.recipes import Recipe, parse_seeds
from keras_infomodels.zoo.seeds import _sum_up
from keras_infomodels.zoo.training import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 training and 12 test images, dark and light ones."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 6)):
        for label, low in (("a", 0), ("b", 150)):
            (root / part / label).mkdir(parents=True)
            for i in range(count):
                image = random.integers(low, low + 100, size=(8, 8, 1)).astype(np.uint8)
                path = root / part / label / f"{i:02}.png"
                tf.io.write_file(str(path), tf.io.encode_png(image))
    return root


@pytest.fixture(scope="module")
def recipe(folder, tmp_path_factory):
    """Path of a tiny InfoGAN's recipe."""
    settings = {
        "widths": (3, 4, 8),
        "noise_dim": 2,
        "num_categories": 2,
        "batch_size": 6,
        "epochs": 2,
    }
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(Recipe.of("infogan", dataset=str(folder), **settings).to_toml())
    return path


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-4", [0, 1, 2, 3, 4]), ("7", [7]), ("0,2,5-6", [0, 2, 5, 6])]
)
def test_parse_seeds_reads_lists_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "4-2", "1,1", "-1"])
def test_parse_seeds_refuses_what_is_no_list_of_seeds(text):
    with pytest.raises(ValueError, match="0-4"):
        parse_seeds(text)


@pytest.mark.slow
def test_train_command_seeds_run_each_and_write_a_summary(recipe, tmp_path, capsys):
    out = tmp_path / "runs"
    words = ["train", "--recipe", str(recipe), "--seeds", "0,2", "--out", str(out)]
    assert cli.main([*words, "--seed", "1"]) == 1
    assert "not both" in capsys.readouterr().err
    assert cli.main([*words, "--pictures", "1"]) == 0
    assert (out / "seed_2" / "run" / "pictures" / "samples_0001.png").exists()
    assert {path.name for path in out.iterdir()} == {
        "seed_0",
        "seed_2",
        "summary.json",
        "summary.md",
        "summary.png",
    }
    rows = json.loads((out / "summary.json").read_text())
    assert [row["seed"] for row in rows] == [0, 2]
    assert Recipe.load(out / "seed_2" / "recipe.toml").training.seed == 2
    errors = [row["one_to_one_error"] for row in rows]
    mean, spread = np.mean(errors), np.std(errors, ddof=1)
    line = f"| one to one error | {mean:.4f} ± {spread:.4f} | {errors[0]:.4f} | {errors[1]:.4f} |"
    assert line in (out / "summary.md").read_text()
    printed = capsys.readouterr().out
    assert line in printed
    assert printed.count("one row for each category, one column for each label.\n[[") == 2
    assert rows[0]["loss"] != rows[1]["loss"]

    # Finished runs are not run again, and are not taken for those of other settings.
    before = (out / "seed_0" / "metadata.json").stat().st_mtime_ns
    assert cli.main(words) == 0
    assert (out / "seed_0" / "metadata.json").stat().st_mtime_ns == before
    assert cli.main([*words, "--epochs", "1"]) == 1
    assert "other settings (training.epochs)" in capsys.readouterr().err

    look_at_the_run(out / "seed_0")


def look_at_the_run(out):
    """Pictures, card and the category as a classifier of one of the runs."""
    pictures = {path.name for path in (out / "run").glob("*.png")}
    assert pictures == {
        "learning_curves.png",
        "samples.png",
        "code_category.png",
        "code_c1.png",
        "code_c2.png",
        "inferred_category.png",
    }
    model = keras_infomodels.load_model(out)
    facts = json.loads((out / "metadata.json").read_text())
    clusters = facts["clusters"]
    images, labels = datasets.load_arrays(Recipe.load(out / "recipe.toml").data.name, "test")
    found = model.infer_codes(images / np.float32(255))["category"].mode().numpy().argmax(1)
    assert clusters["one_to_one_error"] == clustering_error(labels, found).error
    assert np.sum(clusters["table"]) == 12
    for category, row in enumerate(clusters["table"]):
        np.testing.assert_array_equal(row, np.bincount(labels[found == category], minlength=2))
    card = (out / "README.md").read_text()
    assert f"One-to-one error {100 * clusters['one_to_one_error']:.2f} %" in card
    assert "2 noise variables and codes" in card
    of_codes = {"category": math.log(2), "c1": model.latents.codes["c1"].ceiling}
    known = model.ceilings(12)
    assert {name: known[f"information_{name}"] for name in of_codes} == pytest.approx(of_codes)


@pytest.mark.slow
def test_train_command_seeds_go_on_where_they_were_broken_off(
    folder, tmp_path, monkeypatch, capsys
):
    """In the second of two runs of a GAN, after its first epoch."""
    settings = {"widths": (3, 4, 8), "noise_dim": 2, "batch_size": 6, "epochs": 2}
    path = tmp_path / "recipe.toml"
    path.write_text(Recipe.of("gan", dataset=str(folder), **settings).to_toml())
    words = ["train", "--recipe", str(path), "--seeds", "0,1", "--out", str(tmp_path / "runs")]
    finish = AtomicBackup.on_epoch_end

    def break_off(self, epoch, logs=None):
        finish(self, epoch, logs)
        if "seed_1" in str(self.directory):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(AtomicBackup, "on_epoch_end", break_off)
        assert cli.main(words) == 130
    assert cli.main(words) == 1
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*words, "--resume"]) == 0
    rows = json.loads((tmp_path / "runs" / "summary.json").read_text())
    assert [row["seed"] for row in rows] == [0, 1]
    facts = json.loads((tmp_path / "runs" / "seed_1" / "metadata.json").read_text())
    assert facts["training"]["epochs"] == 2
    assert facts["training"]["epochs_in_these_seconds"] == 1


@pytest.mark.slow
def test_pictures_are_drawn_while_an_infogan_trains(make_gan, images, tmp_path):
    make_gan().fit(images, epochs=2, callbacks=[Pictures(tmp_path, images, every=2)], verbose=0)
    names = {path.name for path in tmp_path.iterdir()}
    kinds = ("samples", "code_digit", "code_slant", "inferred_digit")
    assert names == {f"{kind}_0002.png" for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_train_resumes_an_infogan_to_the_same_bits(recipe, tmp_path, monkeypatch, update):
    changes = {
        "epochs": 3,
        "update": update,
        "stratified": True,
        "fake_consistency_weight": 1.0,
        "real_consistency_weight": 1.0,
        "consistency": "both",
        "consistency_warmup_epochs": 2,
    }
    own = Recipe.load(recipe, **changes)
    straight = train(own, tmp_path / "straight")

    finish = AtomicBackup.on_epoch_end

    def break_off(self, epoch, logs=None):
        finish(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(AtomicBackup, "on_epoch_end", break_off)
        with pytest.raises(KeyboardInterrupt):
            train(own, tmp_path / "resumed")
    resumed = train(own, tmp_path / "resumed", resume=True)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_train_starts_goes_on_with_the_best_start(recipe, tmp_path):
    wanted = Recipe.load(recipe, starts=3, start_epochs=1)
    model = train(wanted, tmp_path / "run")
    rows = json.loads((tmp_path / "run" / "run" / "starts.json").read_text())
    assert [row["seed"] for row in rows] == [0, 1000, 2000]
    scores = [row["information_real"] for row in rows]
    assert len(set(scores)) == 3
    best = rows[int(np.argmax(scores))]["seed"]
    alone = train(Recipe.load(recipe, seed=best), tmp_path / "alone")
    for a, b in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    facts = json.loads((tmp_path / "run" / "metadata.json").read_text())
    assert facts["training"]["seed"] == 0
    assert facts["training"]["chosen_start"] == best
    # The first epoch of the run is the start, to the bit.
    history = (tmp_path / "run" / "run" / "history.csv").read_text().splitlines()
    column = history[0].split(",").index("val_information_real_category")
    assert float(history[1].split(",")[column]) == pytest.approx(max(scores), rel=1e-6)
    with pytest.raises(ValueError, match="none"):
        Recipe.of("gan", dataset="mnist", starts=2)


@pytest.mark.slow
def test_train_takes_dtype_and_weight_average_from_a_recipe(recipe, tmp_path):
    wanted = Recipe.load(recipe, dtype="mixed_bfloat16", weight_average=0.99)
    train(wanted, tmp_path / "run")
    model = keras_infomodels.load_model(tmp_path / "run")
    assert model.generator.get_layer("grid").compute_dtype == "bfloat16"
    assert model.generator.get_layer("sigmoid").compute_dtype == "float32"
    assert model.generate(2).dtype == tf.float32
    with pytest.raises(ValueError, match="VAE has no setting 'dtype'"):
        Recipe.of("vae", dataset="mnist", dtype="mixed_bfloat16")


def test_sum_up_takes_the_spread_with_n_minus_1(tmp_path):
    _sum_up([{"seed": 0, "loss": 1.0}, {"seed": 4, "loss": 3.0}], tmp_path)
    line = "| loss | 2.0000 ± 1.4142 | 1.0000 | 3.0000 |"
    assert line in (tmp_path / "summary.md").read_text()
