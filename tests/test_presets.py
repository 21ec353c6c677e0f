import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_infomodels
from keras_infomodels import models, presets, weights, zoo
from keras_infomodels.preset_files import fingerprint


@pytest.fixture
def saved(make_model, tmp_path):
    model = make_model(models.MMDVAE, lambda_=20.0)
    return model, model.save_to_preset(tmp_path / "preset", description="tiny")


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_save_to_preset_metadata_says_what_is_in_the_folder(saved):
    model, folder = saved
    facts = json.loads((folder / "metadata.json").read_text())
    assert facts["parameters"] == model.count_params()
    assert facts["description"] == "tiny"
    assert facts["versions"]["keras"] == keras.__version__
    for name, described in facts["files"].items():
        assert (folder / name).stat().st_size == described["bytes"]
    assert sorted(p.name for p in folder.iterdir()) == sorted([*facts["files"], "metadata.json"])


def test_save_to_preset_again_gives_the_same_bytes(saved):
    model, folder = saved
    before = (folder / "model.weights.h5").read_bytes()
    (folder / "notes.txt").write_text("mine")
    model.save_to_preset(folder)
    assert (folder / "model.weights.h5").read_bytes() == before
    assert (folder / "notes.txt").read_text() == "mine"


def test_load_model_takes_folders_and_files_and_lists_names(saved, tmp_path):
    model, folder = saved
    x = np.zeros((2, 8, 8, 1), np.float32)
    np.testing.assert_array_equal(keras_infomodels.load_model(folder)(x), model(x))
    with pytest.raises(FileNotFoundError, match="neither a preset folder"):
        keras_infomodels.load_model("no_such_preset")
    with pytest.raises(FileNotFoundError, match="no file"):
        keras_infomodels.load_model(tmp_path / "no.keras")
    assert set(keras_infomodels.list_presets()) == set(zoo.list_presets())


def test_from_preset_of_another_class_says_which_it_is(saved):
    with pytest.raises(ValueError, match=r"is a MMDVAE, not a VAE"):
        models.VAE.from_preset(saved[1])
    assert isinstance(models.InfoVAE.from_preset(saved[1]), models.MMDVAE)


def test_from_preset_refuses_damaged_weights(saved):
    path = saved[1] / "model.weights.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        presets.from_preset(saved[1])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks model\.weights\.h5"):
        presets.from_preset(saved[1])


def test_save_to_preset_and_load_weights_refuse_weights_that_are_not_finite(saved, tmp_path):
    model, folder = saved
    before = (folder / "model.weights.h5").read_bytes()
    broken = presets.from_preset(folder)
    for each in (model, broken):
        each.decoder.get_layer("hidden_0").bias.assign(np.full(16, np.nan))
    with pytest.raises(ValueError, match=r"NaN or infinite numbers, first in .*hidden_0/bias"):
        model.save_to_preset(folder)
    assert (folder / "model.weights.h5").read_bytes() == before
    broken.save_weights(tmp_path / "nan.weights.h5")
    file = weights.WeightsFile.read(tmp_path / "nan.weights.h5")
    with pytest.raises(ValueError, match=r"nan\.weights\.h5 hold NaN"):
        weights.load_weights(presets.from_preset(folder), file)


def test_save_to_preset_refuses_a_folder_of_other_files(saved, tmp_path):
    model, _ = saved
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / ".hidden").touch()
    model.save_to_preset(photos)  # empty, but for what is hidden
    model.save_to_preset(photos)  # its own preset
    for name in ("config.json", "metadata.json"):
        (photos / name).unlink()
    (photos / "config.json").write_text('{"model_type": "other"}')
    before = {path: path.read_bytes() for path in photos.iterdir()}
    with pytest.raises(FileExistsError, match=r"such as config\.json, .*new or empty folder"):
        model.save_to_preset(photos)
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    (photos / "recipe.toml").touch()  # a run, whose preset is written at its end
    model.save_to_preset(photos)
    presets.from_preset(photos)


def test_load_model_refuses_a_keras_file_of_another_library(tmp_path):
    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"holds a Sequential, .*keras\.saving\.load_model"):
        presets.load_model(path)


def test_save_to_preset_and_load_model_take_the_home_folder(saved, tmp_path, monkeypatch):
    model, _ = saved
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model.save_to_preset("~/mine") == tmp_path / "mine"
    assert isinstance(presets.load_model("~/mine"), models.MMDVAE)


def edit_config(folder, change):
    """And lets metadata.json describe it as it is now."""
    edit(folder / "config.json", change)
    described = fingerprint(folder, "config.json")
    edit(folder / "metadata.json", lambda d: d["files"].update({"config.json": described}))


def test_from_preset_refuses_a_newer_format(saved):
    edit(saved[1] / "config.json", lambda d: d.update(format=3))
    with pytest.raises(ValueError, match="Upgrade"):
        presets.from_preset(saved[1])


@pytest.mark.parametrize("name", ["Lambda", "os.system", None, "Sequential"])
def test_from_preset_never_constructs_a_class_that_is_not_ours(saved, name):
    edit_config(saved[1], lambda d: d["config"]["prior"].update(class_name=name))
    with pytest.raises(ValueError, match="not one of this version's"):
        presets.from_preset(saved[1])


def test_from_preset_refuses_arguments_a_class_does_not_have(saved):
    edit_config(saved[1], lambda d: d["config"]["prior"]["config"].update(evil=1))
    with pytest.raises(ValueError, match="does not fit the class StandardNormal"):
        presets.from_preset(saved[1])


def test_from_preset_refuses_broken_json(saved):
    (saved[1] / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        presets.from_preset(saved[1])


def test_save_to_preset_refuses_operations_that_a_keras_file_holds(tmp_path):
    x, z = keras.Input((4, 4, 1)), keras.Input((2,))
    flat = keras.layers.Flatten()(x)
    encoder = keras.Model(x, {"loc": 2 * keras.layers.Dense(2)(flat)})
    decoder = keras.Model(z, {"logits": keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(z))})
    model = models.MMDVAE(encoder, decoder, lambda_=2.0)
    with pytest.raises(ValueError, match=r"cannot hold the operation 'Multiply'"):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()
    model.save(tmp_path / "model.keras")
    images = np.zeros((1, 4, 4, 1), np.float32)
    copy = keras_infomodels.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy(images), model(images))


FIXTURES = sorted((Path(__file__).parent / "fixtures" / "presets").iterdir())


def test_models_each_have_a_committed_preset():
    assert {folder.name for folder in FIXTURES} == {*models.MODELS, "aae_with_category"}


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_load_model_keeps_loading_committed_presets(folder):
    model = keras_infomodels.load_model(folder)
    assert type(model) is models.MODELS[folder.name.removesuffix("_with_category")]
    with np.load(folder / "expected.npz") as expected:
        if isinstance(model, models.GAN):
            np.testing.assert_allclose(model(expected["latents"]), expected["images"], atol=1e-5)
            logits = model.discriminate(expected["x"], False)["logits"]
            np.testing.assert_allclose(logits, expected["logits"], atol=1e-5)
            if isinstance(model, models.InfoGAN):
                for name, q in model.infer_codes(expected["x"]).items():
                    np.testing.assert_allclose(q.mean(), expected[name], atol=1e-5)
            return
        if isinstance(model, models.Classifier):
            x = expected["x"]
            np.testing.assert_allclose(model(x), expected["probabilities"], atol=1e-5)
            np.testing.assert_allclose(model.features(x), expected["features"], atol=1e-5)
            return
        np.testing.assert_allclose(model(expected["x"]), expected["reconstruction"], atol=1e-5)
        q = model.encode(expected["x"])
        loc = q["z"].mean() if model.categorical else q.mean()
        np.testing.assert_allclose(loc, expected["loc"], atol=1e-5)
