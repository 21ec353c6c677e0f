"""Presets from the Hugging Face Hub, by its real client against a server on this machine."""

import os

import pytest
from stub_hub import COMMIT, HANDLE, running_hub
from tiny_zoo import WEIGHTS, write_preset

from keras_infomodels import cli, zoo
from keras_infomodels.zoo import cache
from keras_infomodels.zoo.download import DownloadError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with running_hub(write_preset(tmp_path), monkeypatch) as hub:
        yield hub


def test_fetch_from_hub_downloads_a_commit_once_as_plain_files(hub, capsys):
    folder = cache.home() / "hub" / "owner--repository" / COMMIT
    assert zoo.locate(HANDLE) == folder
    assert sorted(os.listdir(folder)) == sorted(os.listdir(hub.folder))
    for path in folder.iterdir():
        assert not path.is_symlink()
        assert path.read_bytes() == (hub.folder / path.name).read_bytes()
    count = len(hub.requests)
    assert count <= 16
    assert zoo.download(HANDLE) == folder
    assert cli.main(["verify", HANDLE]) == 0
    assert f"All 2 files in {folder}" in capsys.readouterr().out
    assert len(hub.requests) == count
    assert sorted(os.listdir(folder.parent)) == [".lock", COMMIT]
    (folder / "model.weights.h5").write_bytes(b"damaged")
    assert zoo.locate(HANDLE) == folder
    assert (folder / "model.weights.h5").stat().st_size == WEIGHTS


SPOILED = {
    "it is no preset, or is damaged: ": lambda hub: (hub.folder / "metadata.json").unlink(),
    "has 5 bytes, not": lambda hub: (hub.folder / "model.weights.h5").write_bytes(b"other"),
    "1099511627776 bytes; at most 1048576": lambda hub: hub.sizes.update({"config.json": 2**40}),
    "404": lambda hub: setattr(hub, "missing", True),
    "refused": lambda hub: (hub.shutdown(), hub.server_close()),
}


@pytest.mark.parametrize("message", SPOILED)
def test_fetch_from_hub_leaves_nothing_of_what_is_no_preset(hub, message):
    SPOILED[message](hub)
    with pytest.raises(DownloadError) as caught:
        zoo.locate(HANDLE)
    error = str(caught.value)
    assert error.startswith(f"{HANDLE} could not be downloaded: ")
    assert message in error
    assert "(check the address, the network and " in error
    assert error.isprintable()
    assert os.listdir(cache.home() / "hub" / "owner--repository") == [".lock"]
    assert "1048576" not in message or {method for method, _ in hub.requests} == {"HEAD"}


@pytest.mark.parametrize("revision", ["@main", "@v1", ""])
def test_fetch_from_hub_resolves_a_branch_and_says_what_to_write(hub, revision):
    with pytest.warns(UserWarning, match=f"It is now {HANDLE}: write that"):
        folder = zoo.locate(f"hf://owner/repository{revision}")
    assert folder == cache.home() / "hub" / "owner--repository" / COMMIT
    assert sorted(os.listdir(folder)) == sorted(os.listdir(hub.folder))


def test_fetch_from_hub_refuses_what_is_no_revision(hub, monkeypatch):
    with pytest.raises(DownloadError, match="hf://owner/repository@other could not be looked up"):
        zoo.locate("hf://owner/repository@other")
    for handle in ("hf://owner", "hf://owner/a/b@main", "hf://owner/a@../x", "hf://owner/a@ b"):
        with pytest.raises(ValueError, match="or @main for its newest"):
            zoo.locate(handle)
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    with pytest.raises(DownloadError, match="names no commit"):
        zoo.locate("hf://owner/repository@main")
