"""A folder of presets as a zoo of its own, from `infomodels registry make` to its names."""

import json

import pytest
from tiny_zoo import Server, limit, status, write_preset

from keras_infomodels import cli, zoo
from keras_infomodels.zoo import cache, mirrors, registry
from keras_infomodels.zoo.download import DownloadError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "served"
    write_preset(folder, "my-mnist")
    write_preset(folder, "bare", 1, description=None, headline=None, training={})
    return folder


@pytest.fixture
def server(folder, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "*")
    limit(monkeypatch)
    mirrors._entries_of.cache_clear()
    with Server(folder).running() as server:
        monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", server.url)
        yield server
    mirrors._entries_of.cache_clear()


def test_registry_make_makes_names_that_others_load(server, folder, capsys):
    assert cli.main(["registry", "make", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "my-mnist: VAE, 4 files, 0.3 MB\n  ADDRESS/my-mnist@" in out
    assert "has 2 presets" in out
    assert zoo.list_presets()["my-mnist"] == "a tiny one"
    assert "my-mnist" in zoo.list_presets("VAE")
    assert cli.main(["list"]) == 0
    assert "my-mnist" in capsys.readouterr().out
    path = zoo.locate("my-mnist")
    assert path.parent == cache.home() / "presets" / "my-mnist"
    assert zoo.locate("my-mnist") == path
    assert cli.main(["verify", "my-mnist"]) == 0
    assert cli.main(["download", "bare"]) == 0
    assert server.requests.count("/registry.json") == 1


def test_registry_make_again_gives_the_same_and_follows_changes(folder):
    first = registry.make(folder)
    text = (folder / "registry.json").read_text()
    assert registry.make(folder) == first
    assert (folder / "registry.json").read_text() == text
    (folder / "bare" / "README.md").write_text("another card")
    second = registry.make(folder)
    assert second["bare"].digest != first["bare"].digest
    assert second["my-mnist"] == first["my-mnist"]
    stated = json.loads((folder / "bare" / "metadata.json").read_text())["files"]
    assert stated["README.md"] == second["bare"].files["README.md"]


def test_registry_make_refuses_damaged_presets_names_and_empty_folders(folder, tmp_path):
    (folder / "bare" / "model.weights.h5").write_bytes(b"other")
    with pytest.raises(ValueError, match="not the file that metadata"):
        registry.make(folder)
    (folder / "bare").rename(folder / "My Preset")
    with pytest.raises(ValueError, match="rename the folder 'My Preset'"):
        registry.make(folder)
    with pytest.raises(FileNotFoundError, match="has no presets"):
        registry.make(tmp_path)


def test_entries_prefer_the_package_and_survive_a_silent_mirror(server, folder, monkeypatch):
    own = registry.read()
    write_preset(folder, "infogan_mnist")
    registry.make(folder)
    found = mirrors.entries()
    assert found["infogan_mnist"] == own["infogan_mnist"]
    assert found["my-mnist"] == registry.read(folder / "registry.json")["my-mnist"]
    # The last copy stands in for a mirror that does not answer, and in offline mode.
    server.faults, server.forever = [status(500)], True
    mirrors._entries_of.cache_clear()
    assert mirrors.entries() == found
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    mirrors._entries_of.cache_clear()
    count = len(server.requests)
    assert mirrors.entries() == found
    assert len(server.requests) == count


def test_entries_are_the_package_s_where_a_mirror_has_no_registry(server, folder):
    assert mirrors.entries() == registry.read()
    with pytest.raises(FileNotFoundError, match="neither a preset folder"):
        zoo.locate("my-mnist")
    (folder / "registry.json").write_text('{"format": 1, "presets": {"a": {}}}')
    mirrors._entries_of.cache_clear()
    with pytest.raises(DownloadError, match="registry of a mirror is damaged"):
        mirrors.entries()


def test_locate_says_where_no_registry_was_found(folder, monkeypatch):
    for url in ((folder.parent / "pressets").as_uri(), folder.as_uri(), str(folder)):
        monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", url)
        mirrors._entries_of.cache_clear()
        with pytest.raises(FileNotFoundError, match=r"No registry\.json was found at ") as caught:
            zoo.locate("my-mnist")
        assert f"{url} of KERAS" in str(caught.value)
    mirrors._entries_of.cache_clear()


def test_entries_read_a_file_url(folder, monkeypatch):
    registry.make(folder)
    monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", folder.as_uri())
    mirrors._entries_of.cache_clear()
    assert zoo.locate("my-mnist").is_dir()
    with pytest.raises(FileNotFoundError) as caught:
        zoo.locate("my-mnst")
    assert "registry.json" not in str(caught.value)
    (folder / "bare" / "README.md").write_text("another card")
    with pytest.raises(DownloadError, match=r"must run `infomodels registry make` again\.$"):
        zoo.locate("bare")
    mirrors._entries_of.cache_clear()


def test_registry_make_pins_the_pictures_of_the_card_and_warns_of_a_license(server, folder, capsys):
    (folder / "bare" / "recipe.toml").write_text('description = "of its recipe"')
    card = "# bare\n![a](run/samples.png) ![b](run/none.png)\n"
    (folder / "bare" / "README.md").write_text(card)
    (folder / "bare" / "run").mkdir()
    for name in ("samples.png", "other.png", "history.csv"):
        (folder / "bare" / "run" / name).write_bytes(b"content")
    card = (folder / "my-mnist" / "README.md").read_text()
    (folder / "my-mnist" / "README.md").write_text(card.replace("---\n", "---\nlicense: mit\n", 1))
    assert cli.main(["registry", "make", str(folder)]) == 0
    first, second = capsys.readouterr().out.split("my-mnist: ")
    assert "bare: VAE, 6 files" in first
    assert "README.md states no license" in first
    assert "license" not in second
    assert zoo.list_presets()["bare"] == "of its recipe"
    assert (zoo.locate("bare") / "run" / "samples.png").read_bytes() == b"content"
    run = zoo.locate("bare") / "run"
    assert [path.name for path in run.iterdir()] == ["samples.png"]
