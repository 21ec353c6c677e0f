"""Data of a model's recipe as the default of the commands that measure it."""

import numpy as np
import pytest
from PIL import Image

from keras_infomodels import cli, datasets
from keras_infomodels.zoo.model_data import data_for

pytestmark = [
    pytest.mark.filterwarnings("ignore:Images that cannot be read are skipped"),
    pytest.mark.filterwarnings("ignore:Do not trust this model's information alone"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """60 pictures in one folder, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(60):
        pixels = rng.integers(256, size=(12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "mine"
    words = ["mmd_vae", "--dataset", str(pictures), "--network", "mlp", "--widths", "4"]
    words += ["--latent-dim", "2", "--image-size", "8", "--epochs", "1", "--out", str(out)]
    assert cli.main(["train", *words, "--set", "data.skip_broken=true"]) == 0
    return out


def test_data_for_is_what_the_recipe_names(trained, pictures):
    name, split, options = data_for(trained, None, None)
    assert name == str(pictures)
    assert split == "train[90%:]"
    assert options["image_size"] == [8, 8]
    assert options["skip_broken"]
    # The recipe's set by another path, and with another split.
    same = data_for(trained, f"{pictures}/../{pictures.name}", "train[:5]")
    assert same[1:] == ("train[:5]", options)


def test_data_for_another_set_has_the_models_size(trained, tmp_path):
    assert data_for(trained, "mnist", None, (8, 8)) == ("mnist", "test", {})
    assert data_for(trained, str(tmp_path), None, (8, 8))[2] == {"image_size": (8, 8)}


def test_train_and_audit_commands_measure_a_small_folder(trained, tmp_path, capsys):
    card = (trained / "README.md").read_text()
    assert "| pixel error of the mean image |" in card
    assert "only 5 test images" in card  # and the broken file
    assert cli.main(["audit", str(trained), "--steps", "0", "--out", str(tmp_path)]) == 0
    assert "5 examples" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "text"), [(0, "has no images"), (1, "at least 10 are needed")])
def test_train_command_says_that_there_are_too_few_images(tmp_path, capsys, count, text):
    (tmp_path / "few").mkdir()
    for number in range(count):
        Image.new("RGB", (8, 8)).save(tmp_path / "few" / f"{number}.png")
    words = ["--dataset", str(tmp_path / "few"), "--out", str(tmp_path / "out")]
    assert cli.main(["train", "vae", *words]) == 1
    assert text in capsys.readouterr().err


def test_load_takes_one_number_as_image_size(pictures):
    images, _ = datasets.load_arrays(pictures, image_size=8, skip_broken=True)
    assert images.shape == (60, 8, 8, 3)
