"""Presets from the Hugging Face Hub, by its real client against a server on this machine."""

import importlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_zoo import WEIGHTS, describe, write_preset

from keras_infomodels import cli, zoo
from keras_infomodels.zoo import cache
from keras_infomodels.zoo.download import DownloadError

COMMIT = "0123456789abcdef" * 2 + "01234567"
HANDLE = f"hf://owner/repository@{COMMIT}"


class Hub(ThreadingHTTPServer):
    """Answers what the client asks about files of one repository at one commit."""

    def __init__(self, folder):
        self.folder, self.requests, self.sizes, self.missing = folder, [], {}, False
        super().__init__(("127.0.0.1", 0), HubHandler)


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        hub, prefix = self.server, f"/owner/repository/resolve/{COMMIT}/"
        hub.requests.append((self.command, self.path))
        path = hub.folder / self.path.removeprefix(prefix)
        content = path.read_bytes() if self.path.startswith(prefix) and path.is_file() else None
        content = None if hub.missing else content
        self.send_response(404 if content is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if content is None:
            self.send_header("X-Error-Code", "RepoNotFound" if hub.missing else "EntryNotFound")
        else:
            self.send_header("ETag", f'"{describe(content)["sha256"]}"')
        size = hub.sizes.get(path.name, len(content or b""))
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET" and content is not None:
            self.wfile.write(content)

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    client = pytest.importorskip("huggingface_hub")
    constants = importlib.import_module("huggingface_hub.constants")
    with Hub(write_preset(tmp_path)) as hub:
        url = f"http://127.0.0.1:{hub.server_port}"
        # HF_ENDPOINT is read when the client is first imported.
        for name in ("HUGGINGFACE_CO_URL_TEMPLATE", "ENDPOINT"):
            value = getattr(constants, name).replace(constants.ENDPOINT, url)
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
        monkeypatch.setenv("no_proxy", "*")
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
        thread.start()
        yield hub
        client.close_session()
        hub.shutdown()
        thread.join()


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
