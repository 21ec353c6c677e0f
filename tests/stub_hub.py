"""A server on this machine that answers as the Hugging Face Hub does about one repository."""

import base64
import contextlib
import hashlib
import importlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

COMMIT = "0123456789abcdef" * 2 + "01234567"
PUBLISHED = "f" * 40
HANDLE = f"hf://owner/repository@{COMMIT}"


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder at one commit, and keeps what is sent to it."""

    def __init__(self, folder):
        self.folder, self.requests, self.sizes, self.missing = folder, [], {}, False
        self.created, self.stored, self.committed, self.tokens = [], {}, {}, set()
        self.refusal = None
        super().__init__(("127.0.0.1", 0), HubHandler)


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        hub, prefix = self.server, f"/owner/repository/resolve/{COMMIT}/"
        hub.requests.append((self.command, self.path))
        if self.path.startswith("/api/models/owner/repository/revision/"):
            known = self.path.rpartition("/")[2] in ("main", "v1")
            return self.reply(200 if known else 404, {"id": "owner/repository", "sha": COMMIT})
        path = hub.folder / self.path.removeprefix(prefix)
        content = path.read_bytes() if self.path.startswith(prefix) and path.is_file() else None
        content = None if hub.missing else content
        self.send_response(404 if content is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if content is None:
            self.send_header("X-Error-Code", "RepoNotFound" if hub.missing else "EntryNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        size = hub.sizes.get(path.name, len(content or b""))
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET" and content is not None:
            self.wfile.write(content)
        return None

    do_GET = do_HEAD

    def do_POST(self):
        hub, path = self.server, self.path.partition("?")[0]
        hub.requests.append((self.command, path))
        hub.tokens.add(self.headers.get("Authorization"))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if hub.refusal:
            return self.reply(hub.refusal, {"error": "no"})
        if path == "/api/repos/create":
            hub.created.append(json.loads(body))
            return self.reply(200, {"url": f"{self.url}/owner/new"})
        if path == "/api/validate-yaml":
            return self.reply(200, {"errors": [], "warnings": []})
        if "/preupload/" in path:
            return self.reply(200, {"files": [_mode(f) for f in json.loads(body)["files"]]})
        if path.endswith("/info/lfs/objects/batch"):
            return self.reply(
                200, {"objects": [self.action(o) for o in json.loads(body)["objects"]]}
            )
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    hub.committed[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    hub.committed[value["path"]] = hub.stored[value["oid"]]
            return self.reply(
                200, {"commitUrl": f"{self.url}/owner/new/commit/0", "commitOid": PUBLISHED}
            )
        return self.reply(404, {})

    def do_PUT(self):
        if (length := self.headers["Content-Length"]) is None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length))
        self.server.stored[self.path.rpartition("/")[2]] = body
        self.reply(200, {})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def action(self, asked):
        upload = {"href": f"{self.url}/store/{asked['oid']}"}
        return {**asked, "actions": {"upload": upload}}

    def reply(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _mode(file):
    large = re.search(r"\.(h5|tflite|png)$", file["path"])
    return {
        "path": file["path"],
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": False,
    }


@contextlib.contextmanager
def running_hub(folder, monkeypatch):
    """The client of the Hub talks to a `Hub` of this folder, as an account with the token "key"."""
    client = pytest.importorskip("huggingface_hub")
    constants = importlib.import_module("huggingface_hub.constants")
    with Hub(folder) as hub:
        url = f"http://127.0.0.1:{hub.server_port}"
        # HF_ENDPOINT is read when the client is first imported.
        for name in ("HUGGINGFACE_CO_URL_TEMPLATE", "ENDPOINT"):
            value = getattr(constants, name).replace(constants.ENDPOINT, url)
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setenv("HF_TOKEN", "key")
        monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
        monkeypatch.setenv("no_proxy", "*")
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
        thread.start()
        yield hub
        client.close_session()
        hub.shutdown()
        thread.join()
