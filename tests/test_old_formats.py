"""What earlier versions wrote, kept in fixtures/v*, is read and does what it did."""

import contextlib
import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from make_fixtures import FIXTURES, PRESETS, answers, effects, moments

import keras_infomodels
from keras_infomodels import models, presets
from keras_infomodels.export import Runtime, check_parity
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

VERSIONS = sorted(FIXTURES.glob("v*"))
FILES = ("VERSIONS.json", "keras", "recipes", "run", "saved_model", "model.tflite")


def of_each_version(pattern: str):
    """One case for each file, such as 0.1-vae."""

    def name(path: Path) -> str:
        return f"{path.relative_to(FIXTURES).parts[0][1:]}-{path.stem}"

    paths = [path for folder in VERSIONS for path in sorted(folder.glob(pattern))]
    return pytest.mark.parametrize("path", paths, ids=name)


@contextlib.contextmanager
def said_who_wrote(path: Path):
    """Adds to an error which versions wrote the file."""
    try:
        yield
    except Exception as error:
        folder = FIXTURES / path.relative_to(FIXTURES).parts[0]
        versions = json.loads((folder / "VERSIONS.json").read_text())
        wrote = ", ".join(f"{name} {version}" for name, version in versions.items())
        error.add_note(f"{path.relative_to(FIXTURES)} was written by {wrote}.")
        raise


def test_fixtures_hold_the_files_of_every_version():
    assert VERSIONS
    for folder in VERSIONS:
        assert {path.name for path in folder.iterdir()} >= set(FILES)
        written_by = json.loads((folder / "VERSIONS.json").read_text())["keras-infomodels"]
        assert written_by.startswith(folder.name[1:] + ".")


@of_each_version("keras/*.keras")
def test_load_model_reads_a_keras_file_of_an_earlier_version(path):
    with said_who_wrote(path), np.load(path.with_suffix(".npz")) as kept:
        model = keras_infomodels.load_model(path)
        assert type(model) is models.MODELS[path.stem.removesuffix("_with_category")]
        latents = kept.get("latents")
        found = answers(model, kept["x"], latents) | moments(model)
        assert set(found) == set(kept.files)
        for name in set(found) - {"moments"}:
            np.testing.assert_allclose(found[name], kept[name], rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(found["moments"], kept["moments"], rtol=1e-6)


def nameless(value):
    """A config without names of models and optimizers, which count what was made before."""
    if isinstance(value, list):
        return [nameless(item) for item in value]
    if not isinstance(value, dict):
        return value
    left_out = {"name"} if {"dtype", "learning_rate"} & set(value) else set()
    return {key: nameless(item) for key, item in value.items() if key not in left_out}


@of_each_version("recipes/*.toml")
def test_recipe_load_reads_a_recipe_of_an_earlier_version(path):
    """It builds the model of the config that the earlier version wrote, however that is read."""
    with said_who_wrote(path):
        kept = json.loads(path.with_suffix(".json").read_text())
        with pytest.warns(DeprecationWarning, match="recipe of version 0.1"):
            model, found = effects(Recipe.load(path))
        assert (found["class_name"], found["training"]) == (kept["class_name"], kept["training"])
        expected = type(model).from_config(kept["config"])
        expected.compile_from_config(kept["compile_config"])
        assert nameless(model.get_config()) == nameless(expected.get_config())
        assert nameless(model.get_compile_config()) == nameless(expected.get_compile_config())


# The tiny run is worse than the mean image, and `train` says so today.
@pytest.mark.filterwarnings("ignore:Do not trust this model's information alone")
@of_each_version("run")
def test_train_resumes_a_run_of_an_earlier_version(path, tmp_path):
    """To the same weights up to 1e-4: their last bits are the processor's."""

    def history(folder):
        with (folder / "run" / "history.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    out = shutil.copytree(path, tmp_path / "out")
    with said_who_wrote(path), np.load(path.with_suffix(".npz")) as kept:
        with pytest.raises(FileNotFoundError, match="train --resume"):
            keras_infomodels.load_model(out)
        with pytest.warns(DeprecationWarning, match="recipe of version 0.1"):
            model = train(Recipe.load(out / "recipe.toml"), out, resume=True)
        before, after = history(path), history(out)
        assert [row["epoch"] for row in after] == ["1", "2", "3", "4"]
        for old, new in zip(before, after[:2], strict=True):
            assert {name: new[name] for name in old} == old
        for name, weight in zip(kept.files, model.get_weights(), strict=True):
            np.testing.assert_allclose(weight, kept[name], rtol=0, atol=1e-4, err_msg=name)
        x = np.zeros((1, *model.data_shape), np.float32)
        np.testing.assert_array_equal(keras_infomodels.load_model(out)(x), model(x))


def signatures_of(path: Path) -> dict:
    """signature -> {"inputs", "outputs"}, each name -> array."""
    with np.load(path) as kept:
        found = {}
        for key in kept.files:
            signature, which, name = key.split("/")
            found.setdefault(signature, {}).setdefault(which, {})[name] = kept[key]
    return found


def check_answers(call, kept: dict):
    """That call(signature, inputs) answers as it did."""
    for signature, tensors in kept.items():
        found = call(signature, tensors["inputs"])
        assert set(found) == set(tensors["outputs"])
        for name, expected in tensors["outputs"].items():
            where = f"{signature} {name}"
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-5, err_msg=where)


def check_runtime(path: Path, kept: dict, preset: str):
    """`Runtime`, and `check_parity` with today's model of the preset that was exported."""
    runtime = Runtime(path)
    assert set(runtime.signatures) == set(kept)
    check_answers(lambda signature, inputs: runtime.run(signature, **inputs), kept)
    report = check_parity(presets.from_preset(PRESETS / preset), path, force=True)
    assert set(report.signatures) == set(kept)
    assert max(each.largest for each in report.signatures.values()) < 1e-5


@of_each_version("saved_model")
def test_runtime_reads_a_saved_model_of_an_earlier_version(path):
    with said_who_wrote(path):
        check_runtime(path, signatures_of(path.with_suffix(".npz")), "vae")


@of_each_version("saved_model")
def test_tensorflow_reads_a_saved_model_of_an_earlier_version(path):
    with said_who_wrote(path):
        signatures = tf.saved_model.load(str(path)).signatures

        def call(signature, inputs):
            return signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})

        check_answers(call, signatures_of(path.with_suffix(".npz")))


@of_each_version("model.tflite")
def test_runtime_reads_a_tflite_of_an_earlier_version(path):
    with said_who_wrote(path):
        kept = signatures_of(path.with_name("tflite.npz"))
        check_runtime(path, kept, "infogan")
        images = Runtime(path).generate(3, seed=0, digit=1)
        assert images.shape == (3, 6, 6, 1)


@of_each_version("model.tflite")
def test_litert_reads_a_tflite_of_an_earlier_version(path):
    with said_who_wrote(path):
        interpreter = Interpreter(model_path=str(path))

        def call(signature, inputs):
            return interpreter.get_signature_runner(signature)(**inputs)

        check_answers(call, signatures_of(path.with_name("tflite.npz")))
