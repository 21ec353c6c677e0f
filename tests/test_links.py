import hashlib
import json
import shutil

import pytest
from tiny_zoo import Server, corrupt, limit, write_preset

from keras_infomodels import cli, zoo
from keras_infomodels.zoo import cache, links, registry
from keras_infomodels.zoo.download import DownloadError


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "*")
    limit(monkeypatch)
    folder = write_preset(tmp_path / "served")
    registry.state_files(folder)
    with Server(tmp_path / "served").running() as server:
        yield server


@pytest.fixture
def link(server):
    digest = hashlib.sha256((server.folder / "tiny_mnist" / "metadata.json").read_bytes())
    return f"{server.url}/tiny_mnist@{digest.hexdigest()}"


def test_fetch_from_link_downloads_the_pinned_files_once(server, link, capsys):
    folder = zoo.locate(link)
    assert folder == cache.home() / "links" / "tiny_mnist" / link[-64:]
    names = registry.file_names(server.folder / "tiny_mnist")
    assert registry.file_names(folder) == names
    for name in names:
        assert (folder / name).read_bytes() == (server.folder / "tiny_mnist" / name).read_bytes()
    count = len(server.requests)
    assert count == len(names)
    assert zoo.locate(zoo.Path(link)) == folder  # whose slashes are merged
    assert cli.main(["verify", link]) == 0
    assert len(server.requests) == count
    (folder / "README.md").write_text("damaged")
    assert zoo.download(link) == folder
    assert len(server.requests) == 2 * count


def test_fetch_from_link_takes_a_file_url(server, link, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    address = f"{(server.folder / 'tiny_mnist').as_uri()}@{link[-64:]}"
    folder = zoo.locate(address)
    assert (folder / "README.md").is_file()
    assert zoo.locate(zoo.Path(address)) == folder  # whose slashes are merged
    assert not server.requests


def test_fetch_from_link_refuses_other_files(server, link):
    metadata = server.folder / "tiny_mnist" / "metadata.json"
    kept = metadata.read_bytes()
    metadata.write_bytes(kept + b" ")
    with pytest.raises(DownloadError, match="has another SHA-256 than the address says"):
        zoo.locate(link)
    metadata.unlink()
    with pytest.raises(DownloadError, match=r"metadata.json is not there"):
        zoo.locate(link)
    metadata.write_bytes(kept)
    (server.folder / "tiny_mnist" / "README.md").write_text("another card")
    with pytest.raises(DownloadError, match=r"README\.md: .* bytes"):
        zoo.locate(link)
    assert not (cache.home() / "links" / "tiny_mnist" / link[-64:]).exists()


@pytest.mark.parametrize("files", [{}, [], {"../x": {"sha256": "0" * 64, "bytes": 1}}])
def test_fetch_from_link_refuses_metadata_that_state_no_preset(server, files):
    content = json.dumps({"format": 1, "files": files}).encode()
    (server.folder / "tiny_mnist" / "metadata.json").write_bytes(content)
    with pytest.raises(DownloadError, match="The preset tiny_mnist is none"):
        zoo.locate(f"{server.url}/tiny_mnist@{hashlib.sha256(content).hexdigest()}")


def test_fetch_from_link_repeats_a_file_that_arrived_damaged(server, link):
    server.faults = [lambda *_: False, corrupt]
    assert zoo.locate(link).is_dir()


@pytest.mark.parametrize(
    "link",
    [
        "https://host/name",
        "https://host/name@main",
        "https://host@" + "0" * 64,
        "http://a",
        "file:///a/b",
    ],
)
def test_fetch_from_link_asks_for_the_pin(link):
    with pytest.raises(ValueError, match="https://HOST/NAME@SHA256, with the 64 hexadecimal"):
        zoo.locate(link)


def test_pin_is_the_digest_of_the_metadata(tmp_path):
    folder = write_preset(tmp_path)
    before = links.pin(folder)
    assert before == hashlib.sha256((folder / "metadata.json").read_bytes()).hexdigest()
    registry.state_files(folder)
    assert links.pin(folder) != before
    shutil.copytree(folder, tmp_path / "copy")
    assert links.pin(tmp_path / "copy") == links.pin(folder)
