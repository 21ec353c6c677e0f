"""The presets that this checkout ships: as registered, small enough, and fit for both formats."""

import hashlib
import json
import shutil

import pytest

from keras_infomodels import load_model, zoo
from keras_infomodels.export import check_parity, to_saved_model, to_tflite
from keras_infomodels.export.runtime import Runtime
from keras_infomodels.zoo import registry
from keras_infomodels.zoo.card import write_card
from keras_infomodels.zoo.recipes import Recipe

SHIPPED = {path.parent.name: path.parent for path in sorted(zoo.PRESETS.glob("*/config.json"))}


def test_registry_read_has_every_preset_with_weights():
    assert set(registry.read()) == set(SHIPPED)


def test_registry_read_files_are_shipped_and_within_bounds():
    total = 0
    for name, entry in registry.read().items():
        facts = json.loads((SHIPPED[name] / "metadata.json").read_text())
        if distance := facts["figures"].get("frechet_distance"):
            assert f"`{facts['training']['dataset']}_classifier`" in distance["protocol"]
        assert {**facts["files"], "metadata.json": entry.files["metadata.json"]} == entry.files
        for file, expected in entry.files.items():
            content = (SHIPPED[name] / file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == expected["sha256"], (name, file)
            assert len(content) == expected["bytes"] < 8e6
            total += len(content)
    assert total < 100e6


@pytest.mark.parametrize("name", SHIPPED)
def test_write_card_makes_each_shipped_card_from_its_metadata(name, tmp_path):
    """No figure on it is typed by hand."""
    folder = shutil.copytree(SHIPPED[name], tmp_path / name)
    card = (folder / "README.md").read_text()
    facts = json.loads((folder / "metadata.json").read_text())
    recipe = Recipe.load(folder / "recipe.toml", seed=facts["seeds"]["chosen"])
    write_card(folder, recipe)
    assert (folder / "README.md").read_text() == card


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_to_saved_model_and_to_tflite_export_shipped_presets(name, tmp_path):
    model = load_model(name)
    check_parity(model, to_saved_model(model, tmp_path / "saved_model"))
    check_parity(model, to_tflite(model, tmp_path / "model.tflite"))
    shipped = Runtime(SHIPPED[name] / "model.tflite")
    assert set(shipped.signatures) == set(Runtime(tmp_path / "model.tflite").signatures)
    check_parity(model, SHIPPED[name] / "model.tflite")
