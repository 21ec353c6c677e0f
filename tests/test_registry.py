import json
import os

import pytest
from tiny_zoo import WEIGHTS, describe, write_preset

from keras_infomodels import preset_files
from keras_infomodels.zoo import registry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "registry.json"


def test_registry_read_reads_the_registry_of_the_package():
    for name, entry in registry.read().items():
        assert name == entry.name
        assert entry.bytes < 8e6


def test_registry_holds_presets_of_less_than_100_mb():
    entries = registry.read().values()
    assert sum(entry.bytes for entry in entries) < 100e6
    grey = ("mnist", "fashion_mnist", "fashion_mnist_mini", "sprites")
    colored = [entry for entry in entries if entry.dataset not in grey]
    assert all(entry.files["model.weights.h5"]["bytes"] <= 2e6 for entry in colored)


def test_register_keeps_what_the_folder_says(tmp_path, path):
    folder = write_preset(tmp_path)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "samples.png").write_bytes(b"png")
    entry = registry.register(folder, path)
    assert entry == registry.read(path)["tiny_mnist"]
    assert entry.description == "a tiny one"
    assert entry.class_name == "VAE"
    assert entry.dataset == "mnist"
    assert entry.headline == "2.5 nats"
    assert sorted(entry.files) == [
        "README.md",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "pictures/samples.png",
    ]
    assert entry.files["pictures/samples.png"] == describe(b"png")
    assert entry.bytes == sum(p.stat().st_size for p in folder.rglob("*.*"))


def test_register_again_replaces_and_digests_the_files(tmp_path, path):
    registry.register(write_preset(tmp_path, "other_mnist"), path)
    folder = write_preset(tmp_path)
    first = registry.register(folder, path)
    text = path.read_text()
    assert registry.register(folder, path).digest == first.digest
    assert path.read_text() == text
    (folder / "README.md").write_text("another card")
    second = registry.register(folder, path)
    assert second.digest != first.digest
    assert set(registry.read(path)) == {"other_mnist", "tiny_mnist"}


def test_register_leaves_out_a_run_and_hidden_files(tmp_path, path):
    folder = write_preset(tmp_path)
    (folder / "run" / "checkpoints").mkdir(parents=True)
    (folder / "run" / "history.csv").write_text("epoch")
    (folder / ".notes").write_text("mine")
    assert len(registry.register(folder, path).files) == 4


@pytest.mark.parametrize(
    ("facts", "lacking"),
    [({"headline": None}, "headline"), ({"training": {}}, "dataset"), ({"description": 3}, "desc")],
)
def test_register_asks_for_facts_left_out(tmp_path, path, facts, lacking):
    with pytest.raises(ValueError, match=rf"does not say {lacking}.*save_to_preset"):
        registry.register(write_preset(tmp_path, **facts), path)
    assert not path.exists()


def test_register_refuses_weights_metadata_does_not_describe(tmp_path, path):
    folder = write_preset(tmp_path)
    (folder / "model.weights.h5").write_bytes(b"other")
    with pytest.raises(ValueError, match="not the file that metadata"):
        registry.register(folder, path)
    (folder / "model.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks model\.weights\.h5"):
        registry.register(folder, path)


def test_register_refuses_links(tmp_path, path):
    folder = write_preset(tmp_path)
    (folder / "more.md").symlink_to(folder / "README.md")
    with pytest.raises(ValueError, match="is a link"):
        registry.register(folder, path)
    (folder / "more.md").unlink()
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is a link"):
        registry.register(folder, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.update(digest="0" * 12), "Register the preset again"),
        (lambda e: e.pop("headline"), "damaged at tiny_mnist"),
        (lambda e: e["files"].pop("config.json"), r"lacks config\.json"),
        (lambda e: e["files"].update({"../evil": describe(b"")}), "plain relative name"),
        (lambda e: e["files"].update({"/etc/passwd": describe(b"")}), "plain relative name"),
        (lambda e: e["files"].update({"a\\b": describe(b"")}), "plain relative name"),
        (lambda e: e["files"]["README.md"].update(bytes=2**40), "at most 1048576 are read"),
        (lambda e: e["files"]["README.md"].update(bytes=-1), "at most"),
        (lambda e: e["files"]["README.md"].update(bytes=True), "needs its sha256 and bytes"),
        (lambda e: e["files"]["README.md"].update(sha256="00"), "needs its sha256 and bytes"),
        (lambda e: e.update(files=[]), "a table by name"),
    ],
)
def test_registry_read_refuses_a_registry_changed_by_hand(tmp_path, path, change, message):
    registry.register(write_preset(tmp_path), path)
    document = json.loads(path.read_text())
    change(document["presets"]["tiny_mnist"])
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        registry.read(path)


@pytest.mark.parametrize("name", ["../tiny", "Tiny", "", "a b", "a/b", "x" * 90])
def test_check_name_refuses_names_that_are_none(name):
    with pytest.raises(ValueError, match="lower-case letters"):
        registry.check_name(name)


def test_open_file_opens_plain_files_of_bounded_size_alone(tmp_path):
    folder = write_preset(tmp_path)
    with preset_files.open_file(folder, "model.weights.h5") as file:
        assert len(file.read()) == WEIGHTS
    (folder / "link.md").symlink_to(folder / "README.md")
    os.mkfifo(folder / "pipe.md")
    with (folder / "huge.json").open("wb") as file:
        file.truncate(2**20 + 1)
    for name, message in {
        "link.md": "is a link",
        "pipe.md": "no regular file",
        "huge.json": "at most 1048576 are read",
        "../x": "plain relative name",
    }.items():
        with pytest.raises(ValueError, match=message):
            preset_files.open_file(folder, name)
    with pytest.raises(ValueError, match="no regular file"):
        preset_files.open_file(tmp_path, folder.name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "holds no JSON object"),
        (b"\xff", r"config\.json is damaged"),
        (b"{", r"config\.json is damaged"),
    ],
)
def test_read_json_refuses_what_is_no_json(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        preset_files.read_json(tmp_path, "config.json")
