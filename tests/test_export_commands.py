"""`infomodels export` and `infomodels run`, as a person calls them."""

import argparse
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from exports import PRESETS

from keras_infomodels.cli import main
from keras_infomodels.export import Runtime
from keras_infomodels.export.png import grid, png
from keras_infomodels.export_commands import _data


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A preset folder with a recipe: an untrained VAE of the images inside the package."""
    from keras_infomodels.zoo.build import build_model
    from keras_infomodels.zoo.recipes import Recipe

    folder = tmp_path_factory.mktemp("presets") / "my_vae"
    keras.utils.set_random_seed(0)
    recipe = Recipe.of(model="vae", dataset="fashion_mnist_mini", widths=(16,))
    build_model(recipe, (28, 28, 1), 1).save_to_preset(folder)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    (folder / "README.md").write_text("# my_vae\n")
    return folder


def test_export_command_compares_on_the_recipes_data(trained, tmp_path, capsys):
    assert (
        run(
            "export",
            trained,
            "--to",
            "tflite",
            "--quantize",
            "int8",
            "--out",
            tmp_path / "vae.tflite",
        )
        == 0
    )
    text = capsys.readouterr().out
    for words in ("500 images", "encode_sample", "reconstruction", "Left out: generate_seeded; it"):
        assert words in text
    facts = Runtime(tmp_path / "vae.tflite").metadata
    assert (facts["preset"], facts["quantization"]) == ("my_vae", "int8")


@pytest.mark.slow
def test_export_command_makes_a_saved_model_for_serving(trained, tmp_path, capsys):
    assert (
        run("export", trained, "--to", "savedmodel", "--version", 2, "--out", tmp_path / "vae") == 0
    )
    assert "reconstruct" in capsys.readouterr().out
    extra = tmp_path / "vae" / "2" / "assets.extra"
    assert (extra / "README.md").read_text() == "# my_vae\n"
    assert run("run", tmp_path / "vae", "--n", 9, "--seed", 0, "--out", tmp_path / "grid.png") == 0
    picture = tf.io.decode_png((tmp_path / "grid.png").read_bytes()).numpy()
    assert picture.shape == (3 * 29, 3 * 29, 1)
    images = Runtime(tmp_path / "vae").generate(9, seed=0)
    np.testing.assert_array_equal(picture[:28, :28], np.round(255 * images[0]).astype(np.uint8))


def test_run_command_needs_no_tensorflow_for_a_tflite(exports, tmp_path):
    code = f"""
import sys
from keras_infomodels.cli import main
status = main(["run", {str(exports.tflite("infogan"))!r}, "--code", "digit=2", "--code", "a=-0.5",
    "--n", "5", "--seed", "3", "--out", {str(tmp_path / "out.npz")!r}])
print(status, [name for name in ("tensorflow", "keras", "matplotlib") if name in sys.modules])
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "0 []", process.stderr
    with np.load(tmp_path / "out.npz") as archive:
        images = Runtime(exports.tflite("infogan")).generate(5, seed=3, digit=2, a=-0.5)
        np.testing.assert_array_equal(archive["image"], images)


def test_run_command_reads_arrays_for_other_signatures(exports, tmp_path, capsys):
    images = exports.images("vae", 3)
    np.save(tmp_path / "images.npy", images)
    given = ("--signature", "encode", "--input", f"image={tmp_path / 'images.npy'}")
    assert run("run", exports.tflite("vae"), *given, "--out", tmp_path / "codes.npz") == 0
    with np.load(tmp_path / "codes.npz") as archive:
        np.testing.assert_array_equal(
            archive["loc"], Runtime(exports.tflite("vae")).encode(images)["loc"]
        )
    assert run("run", exports.tflite("vae")) == 0
    assert "encode(image float32[6, 6, 1]) -> loc float32[2], scale" in capsys.readouterr().out
    assert run("run", exports.tflite("vae"), *given, "--out", tmp_path / "codes.png") == 1
    assert "A .png needs images" in capsys.readouterr().err
    assert not (tmp_path / "codes.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--code", "letter=1", "--out", "a.png"], "codes are digit, a, b; got 'letter'"),
        (["--code", "digit", "--out", "a.png"], "--code is NAME=VALUE"),
        (["--code", "digit=one", "--out", "a.png"], "value of a code is a number"),
        (["--code", "digit=1", "--code", "digit=2", "--out", "a.png"], "given once"),
        (["--signature", "encode", "--input", "image=none.npy", "--out", "a.npz"], "none.npy"),
        (["--signature", "infer_codes", "--out", "a.npz"], "takes image; got none"),
        (["--out", "a.jpg"], "ends in .png or .npz"),
        (["--n", "0", "--out", "a.png"], "--n is an integer of at least 1, got 0"),
        (["--code", "digit=1"], "--code needs an output file: --out"),
        (["--seed", "0", "--n", "3"], "--n and --seed needs an output file"),
    ],
)
def test_run_command_says_what_is_wrong_in_one_line(
    exports, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    assert run("run", exports.tflite("infogan"), *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "--to", "tflite"], "neither a preset folder"),
        ([PRESETS / "vae", "--to", "savedmodel", "--quantize", "int8"], "need --to tflite"),
        ([PRESETS / "vae", "--to", "savedmodel", "--version", "-1"], "--version is an integer"),
        (["foreign.keras", "--to", "tflite"], "holds a Sequential, which is no model of this"),
        ([PRESETS / "vae", "--to", "tflite", "--quantize", "int8"], "calibration images"),
        ([PRESETS / "vae", "--to", "tflite", "--dataset", "fashion_mnist_mini"], "have shape"),
        ([PRESETS / "vae", "--to", "tflite", "--out", "model.bin"], "ends in .tflite"),
    ],
)
def test_export_command_says_what_is_wrong_in_one_line(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    if words[0] == "foreign.keras":
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save("foreign.keras")
    before = list(tmp_path.iterdir())
    assert run("export", *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("quantize", "needs"), [(None, False), ("float16", False), ("int8", True)])
def test_export_command_asks_for_data_only_where_it_needs_them(tmp_path, capsys, quantize, needs):
    """The recipe's set is not at hand; random pixels show what float16 costs."""
    folder = tmp_path / "vae"
    shutil.copytree(PRESETS / "vae", folder)
    (folder / "recipe.toml").write_text('data = { name = "mnist" }\nmodel = { class = "VAE" }\n')
    arguments = argparse.Namespace(quantize=quantize, dataset=None, data_dir=None)
    if needs:
        with pytest.raises(FileNotFoundError, match="infomodels prepare mnist"):
            _data(arguments, folder, None)
        return
    assert _data(arguments, folder, None) == (None, None)
    assert "random images" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [1, 3])
def test_png_and_grid_are_what_tensorflow_reads(channels):
    images = np.random.default_rng(0).uniform(size=(5, 4, 6, channels)).astype(np.float32)
    picture = grid(images)
    assert picture.shape == (2 * 5, 3 * 7, channels)
    np.testing.assert_array_equal(picture[5:9, 7:13], np.round(255 * images[4]))
    np.testing.assert_array_equal(tf.io.decode_png(png(picture)), picture)
    with pytest.raises(ValueError, match="1 or 3"):
        grid(images[..., :1, :0])


@pytest.mark.slow
def test_export_command_writes_metadata_json_a_person_can_read(trained, tmp_path):
    run("export", trained, "--to", "savedmodel", "--out", tmp_path)
    facts = json.loads((tmp_path / "1" / "assets.extra" / "metadata.json").read_text())
    assert facts["signatures"]["score"]["outputs"]["rate"]["unit"] == "nats"
