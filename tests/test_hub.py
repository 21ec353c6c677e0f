"""Presets from the Hugging Face Hub, by its real client against a server on this machine."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_zoo import describe, write_preset

from keras_infomodels.zoo import cache

COMMIT = "0123456789abcdef" * 2 + "01234567"
HANDLE = f"hf://owner/repository@{COMMIT}"

LOCATE = f"from keras_infomodels import zoo; print(zoo.locate({HANDLE!r}))"
VERIFY = f"from keras_infomodels import cli; cli.main(['verify', {HANDLE!r}])"


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
def hub(tmp_path):
    pytest.importorskip("huggingface_hub")
    with Hub(write_preset(tmp_path)) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


def locate(hub, tmp_path, code=LOCATE):
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "KERAS_INFOMODELS_OFFLINE": "0",
        "no_proxy": "*",
    }
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )


def test_locate_downloads_a_hub_commit_once_as_plain_files(hub, tmp_path):
    process = locate(hub, tmp_path)
    folder = cache.home() / "hub" / "owner--repository" / COMMIT
    assert process.stdout == f"{folder}\n", process.stderr
    assert sorted(os.listdir(folder)) == sorted(os.listdir(hub.folder))
    for path in folder.iterdir():
        assert not path.is_symlink()
        assert path.read_bytes() == (hub.folder / path.name).read_bytes()
    count = len(hub.requests)
    assert count <= 16
    assert locate(hub, tmp_path).stdout == process.stdout
    assert f"All 2 files in {folder}" in locate(hub, tmp_path, VERIFY).stdout
    assert len(hub.requests) == count
    assert os.listdir(folder.parent) == [COMMIT]


def test_locate_leaves_nothing_of_a_hub_repository_without_metadata(hub, tmp_path):
    (hub.folder / "metadata.json").unlink()
    process = locate(hub, tmp_path)
    assert process.returncode == 1
    assert "is no preset: it has no metadata.json" in process.stderr
    assert os.listdir(cache.home() / "hub" / "owner--repository") == []


def test_locate_leaves_nothing_of_hub_weights_metadata_lacks(hub, tmp_path):
    (hub.folder / "model.weights.h5").write_bytes(b"other")
    process = locate(hub, tmp_path)
    assert "is no preset, or is damaged: model.weights.h5 has 5 bytes" in process.stderr
    assert os.listdir(cache.home() / "hub" / "owner--repository") == []


def test_locate_does_not_ask_the_hub_for_a_file_too_large(hub, tmp_path):
    hub.sizes["config.json"] = 2**40
    process = locate(hub, tmp_path)
    assert "config.json has 1099511627776 bytes; at most 1048576 are read" in process.stderr
    assert not any(method == "GET" for method, _ in hub.requests)


def test_locate_gives_a_clear_error_without_a_hub(hub, tmp_path):
    hub.shutdown()
    hub.server_close()
    process = locate(hub, tmp_path)
    assert process.returncode == 1
    assert f"DownloadError: {HANDLE} could not be downloaded: " in process.stderr


def test_locate_gives_a_clear_error_for_a_missing_hub_repository(hub, tmp_path):
    hub.missing = True
    process = locate(hub, tmp_path)
    assert f"DownloadError: {HANDLE} could not be downloaded: 404" in process.stderr


def test_locate_gives_a_clear_error_if_the_hub_cache_is_a_file(hub, tmp_path):
    cache.home().write_text("a file")
    process = locate(hub, tmp_path)
    assert "set KERAS_INFOMODELS_HOME to a folder where you may write" in process.stderr
    assert hub.requests == []
