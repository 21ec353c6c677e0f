import csv
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_infomodels
from keras_infomodels import cli
from keras_infomodels.callbacks import AtomicBackup, Pictures
from keras_infomodels.io import held_alone
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

PICTURES = {f"{n}.png" for n in ("learning_curves", "reconstructions", "samples")}
PICTURES |= {"latent_map.png", "latent_plane.png"}


# After three epochs on noise a reconstruction is no better than the mean image.
pytestmark = pytest.mark.filterwarnings("ignore:Do not trust this model's information alone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 training and 12 test images, in two classes."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 6)):
        for label in ("a", "b"):
            (root / part / label).mkdir(parents=True)
            for i in range(count):
                image = random.integers(0, 256, size=(8, 8, 1)).astype(np.uint8)
                path = root / part / label / f"{i:02}.png"
                tf.io.write_file(str(path), tf.io.encode_png(image))
    return root


def recipe(folder, model="mmd_vae", **changes):
    settings = {"widths": (8,), "latent_dim": 2, "batch_size": 6, "epochs": 3, **changes}
    return Recipe.of(model, dataset=str(folder), **settings)


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A finished run; tests look at it, or change a copy."""
    out = tmp_path_factory.mktemp("finished") / "my_preset"
    train(waiting(folder), out)
    return out


def waiting(folder, **changes):
    """A recipe whose callbacks have a state."""
    return recipe(folder, patience=9, schedule="plateau", **changes)


def history_of(out):
    with (out / "run" / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_train_leaves_a_preset_with_card_history_and_pictures(folder, finished):
    out = finished
    x = np.zeros((1, 8, 8, 1), np.float32)
    loaded = [keras_infomodels.load_model(place)(x) for place in (out, out / "run")]
    np.testing.assert_array_equal(*loaded)
    assert {path.name for path in (out / "run").glob("*.png")} == PICTURES
    assert [row["epoch"] for row in history_of(out)] == ["1", "2", "3"]
    assert {"loss", "val_mutual_information"} <= set(history_of(out)[0])
    facts = json.loads((out / "metadata.json").read_text())
    card = (out / "README.md").read_text()
    assert card.startswith("---\n")
    assert "library_name: keras" in card
    assert "# my_preset" in card
    for name, value in facts["metrics"].items():
        if name != "split":
            assert f"| {value:.4f}" in card
    assert Recipe.load(out / "recipe.toml") == waiting(folder)


def test_train_does_not_overwrite_a_run_in_the_way(folder, finished, tmp_path):
    with pytest.raises(FileExistsError, match="--resume"):
        train(waiting(folder), finished)
    with pytest.raises(ValueError, match="differs from the recipe"):
        train(waiting(folder, epochs=2), finished, resume=True)
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(recipe(folder), tmp_path / "other", resume=True)


def test_train_does_not_overwrite_other_files(folder, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds README\.md"):
        train(recipe(folder), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.slow
def test_train_tests_a_flat_folder_on_its_last_tenth(folder, tmp_path, caplog):
    caplog.set_level("INFO", "keras_infomodels")
    train(recipe(folder / "train", epochs=1), tmp_path)
    assert "last tenth of 'train'" in caplog.text
    assert Recipe.load(tmp_path / "recipe.toml").data.test == "train[90%:]"
    with pytest.raises(FileExistsError, match="finished"):
        train(recipe(folder / "train", epochs=1), tmp_path, resume=True)


def test_train_resume_finishes_a_run_killed_before_its_card(folder, finished, tmp_path):
    model = keras_infomodels.load_model(finished)
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "README.md").unlink()
    (tmp_path / "model.weights.h5").write_bytes(b"half")
    (tmp_path / "run" / "history.csv").write_text("")  # the backup has it too
    more = folder / "train" / "a" / "99.png"
    shutil.copy(folder / "train" / "a" / "00.png", more)
    with pytest.raises(ValueError, match=r"validation was .*\[2, 8.* and is .*\[3, 8"):
        train(waiting(folder), tmp_path, resume=True)
    more.unlink()
    resumed = train(waiting(folder), tmp_path, resume=True)
    for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (tmp_path / "README.md").exists()
    keras_infomodels.load_model(tmp_path)
    facts = json.loads((tmp_path / "metadata.json").read_text())
    assert facts["training"]["epochs"] == len(history_of(finished)) == 3


def test_train_misses_an_absent_split_before_it_begins(folder, tmp_path):
    with pytest.raises(ValueError, match="has the splits train, test"):
        train(recipe(folder, test_split="validation"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_train_resume_ends_on_the_same_bits(folder, finished, tmp_path, monkeypatch):
    straight = keras_infomodels.load_model(finished)
    save = AtomicBackup.on_epoch_end

    def break_off(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(AtomicBackup, "on_epoch_end", break_off)
    with pytest.raises(KeyboardInterrupt):
        train(waiting(folder), tmp_path / "resumed")
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="train --resume"):
        keras_infomodels.load_model(tmp_path / "resumed")
    resumed = train(waiting(folder), tmp_path / "resumed", resume=True)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert history_of(tmp_path / "resumed") == history_of(finished)


@pytest.mark.slow
def test_train_resume_fits_the_prior_like_an_uninterrupted_run(folder, tmp_path, monkeypatch):
    own = recipe(folder, "vae", fit_prior=True, epochs=2)
    straight = train(own, tmp_path / "straight")
    save = AtomicBackup.on_epoch_end

    def break_off(self, epoch, logs=None):
        save(self, epoch, logs)
        raise KeyboardInterrupt

    monkeypatch.setattr(AtomicBackup, "on_epoch_end", break_off)
    with pytest.raises(KeyboardInterrupt):
        train(own, tmp_path / "resumed")
    monkeypatch.undo()
    train(own, tmp_path / "resumed", resume=True)
    resumed = keras_infomodels.load_model(tmp_path / "resumed")
    assert np.abs(straight.prior.loc).max() > 0
    np.testing.assert_array_equal(resumed.prior.loc, straight.prior.loc)
    np.testing.assert_array_equal(resumed.prior.scale_tril, straight.prior.scale_tril)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_train_makes_a_semi_supervised_run_with_pictures(folder, tmp_path):
    changes = {
        "prior": "categorical_normal",
        "num_categories": 3,
        "classification_weight": 1.0,
        "labeled": 4,
        "labeled_per_batch": 2,
    }
    out = tmp_path / "out"
    train(recipe(folder, "aae", **changes), out, pictures_every=2)
    assert {"classification", "val_accuracy", "val_information_category"} <= set(history_of(out)[0])
    names = {path.name for path in (out / "run" / "pictures").iterdir()}
    shown = ("samples", "reconstructions", "categories", "latent_map")
    assert names == {f"{n}_0002.png" for n in shown}
    assert (out / "run" / "categories.png").exists()
    assert "information category" in (out / "README.md").read_text()


KILLED = """
import os, signal, sys
from pathlib import Path
from keras_infomodels.cli import main

out, where = Path(sys.argv[1]), sys.argv[2]
events = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}
happened = 0

def watch(event, arguments):
    global happened
    if event in events and "/run/" in str(arguments[0]):
        happened += 1
        access = f"{event} {arguments[0]}"
        if str(happened) == where or (not where.isdecimal() and where in access):
            (out / f"killed_at_{where}").write_text(access)
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
main(["train", *sys.argv[3:], "--out", sys.argv[1]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["beta_vae", "aae"])
def test_train_command_killed_again_and_again_ends_on_the_same_bits(tmp_path, model):
    """By SIGKILL at eleven accesses to history and backups: by what they touch, or by number."""
    settings = [model, "--dataset", "fashion_mnist_mini", "--epochs", "8"]
    settings += ["--schedule", "plateau", "--patience", "7", "--batch-size", "500"]

    def run(out, where, *words):
        out.mkdir(exist_ok=True)
        command = [sys.executable, "-c", KILLED, out, where, *words]
        return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode

    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert run(straight, "none", *settings) == 0
    assert run(killed, ".model.weights.h5", *settings) == -signal.SIGKILL
    files = (".random_layers", ".best_weights", ".callbacks.json", ".checksums.json")
    for where in (*files, "12", "20", "26", "27", "28", "os.rmdir"):
        assert run(killed, where, "--resume") == -signal.SIGKILL, where
    assert not (killed / "model.weights.h5").exists()
    assert run(killed, "none", "--resume") == 0
    kills = [path.read_text() for path in killed.glob("killed_at_*")]
    for what in ("open", "os.rename", "os.rmdir", "callbacks.json", "history.csv"):
        assert any(what in kill for kill in kills), kills
    # The backup has the optimizers and what the callbacks wait for.
    backup = "run/checkpoints/after_epoch_0008"
    for kept in ("model.weights.h5", f"{backup}/model.weights.h5", f"{backup}/callbacks.json"):
        assert (straight / kept).read_bytes() == (killed / kept).read_bytes()
    assert history_of(killed) == history_of(straight)
    assert len(history_of(killed)) == 8


def test_train_leaves_the_last_good_weights_of_a_run_that_breaks(folder, tmp_path):
    broken = recipe(folder, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match=r"good weights are in .*last_good\.weights\.h5"):
        train(broken, tmp_path / "run")
    model = build_model(broken, (8, 8, 1), 1)
    model.load_weights(tmp_path / "run" / "run" / "last_good.weights.h5")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_pictures_while_training(make_model, images, tmp_path):
    model = make_model()
    pictures = Pictures(tmp_path / "pictures", images, every=2, log_dir=tmp_path / "board")
    model.fit(images, epochs=4, verbose=0, callbacks=[pictures])
    names = {
        f"{n}_{e:04}.png" for n in ("reconstructions", "samples", "traversals") for e in (2, 4)
    }
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == names
    shown = {
        (event.step, value.tag): tf.make_ndarray(value.tensor)[2]
        for path in (tmp_path / "board").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    for epoch in (2, 4):
        for tag in ("reconstructions", "samples", "traversals"):
            file = tf.io.read_file(str(tmp_path / "pictures" / f"{tag}_{epoch:04}.png"))
            kept = tf.io.decode_png(file, 3).numpy().astype(int)
            found = tf.io.decode_png(shown[epoch, tag], 3).numpy().astype(int)
            assert kept.std() > 10
            assert found.std() == pytest.approx(kept.std(), rel=0.3)
    with pytest.raises(ValueError, match="at least 1"):
        Pictures(tmp_path, images, every=0)


def test_train_refuses_a_folder_that_another_process_trains_into(folder, tmp_path):
    tmp_path.joinpath("out").mkdir()
    with (
        held_alone(tmp_path / "out", "trains into"),
        pytest.raises(BlockingIOError, match=r"Another process trains into .*out"),
    ):
        train(recipe(folder), tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["train", "vae", "--out", "x"], "The dataset is missing"),
        (["train", "vae", "--dataset", "no_such_set", "--out", "x"], "catalog"),
        (["train", "vae", "--dataset", "kmnist", "--out", "x"], "infomodels prepare kmnist"),
        (["train", "no", "--dataset", "fashion_mnist_mini", "--out", "x"], "there are: aae"),
        (["train", "--recipe", "none.toml", "--out", "x"], "none.toml"),
        (["train", "--resume", "--out", "x"], "no run to resume"),
    ],
)
def test_train_command_mistakes_get_one_line(words, what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_train_command_trains_with_flags_over_a_recipe(folder, tmp_path, capsys):
    path = tmp_path / "recipe.toml"
    path.write_text(recipe(folder, epochs=9).to_toml())
    out = tmp_path / "out"
    words = ["train", "infovae", "--recipe", str(path), "--epochs", "1", "--lambda", "4"]
    assert cli.main([*words, "--alpha", "0.5", "--kernel", "gaussian", "--out", str(out)]) == 0
    model = keras_infomodels.load_model(out)
    assert (type(model).__name__, model.alpha, model.lambda_) == ("InfoVAE", 0.5, 4.0)
    assert model.divergence.kernel == "gaussian"
    assert len(history_of(out)) == 1
    assert str(out) in capsys.readouterr().out
