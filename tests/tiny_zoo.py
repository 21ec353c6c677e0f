"""Small preset folders, their registry, and a server that can misbehave."""

import contextlib
import hashlib
import importlib
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from keras_infomodels.zoo import registry

WEIGHTS = 300_000


def describe(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_preset(folder: Path, name: str = "tiny_mnist", seed: int = 0, **facts) -> Path:
    """A folder as `save_to_preset` writes it, with random bytes for weights."""
    folder = folder / name
    folder.mkdir(parents=True)
    needed = {
        "config.json": json.dumps({"format": 1, "class_name": "VAE", "config": {}}).encode(),
        "model.weights.h5": random.Random(seed).randbytes(WEIGHTS),
    }
    for file, content in needed.items():
        (folder / file).write_bytes(content)
    (folder / "README.md").write_text(f"---\nlibrary_name: keras\n---\n# {name}\n\nThe card.\n")
    metadata = {
        "format": 1,
        "description": "a tiny one",
        "headline": "2.5 nats",
        "training": {"dataset": "mnist"},
        "files": {file: describe(content) for file, content in needed.items()},
    } | facts
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


class Server:
    """Serves a folder on 127.0.0.1 and keeps every request.

    Before a request is answered, `faults` is asked: a callable of (server, handler, content) that
    returns True when it has answered itself. The first faults are used up one a request; the last
    stays if `forever`.
    """

    def __init__(self, folder: Path, faults=(), forever=False):
        self.folder = folder
        self.faults = list(faults)
        self.forever = forever
        self.requests = []
        self.sent = 0
        self.lock = threading.Lock()

    def next_fault(self):
        with self.lock:
            if not self.faults:
                return None
            return self.faults[0] if self.forever else self.faults.pop(0)

    @contextlib.contextmanager
    def running(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with server.lock:
                    server.requests.append(self.path)
                path = server.folder / self.path.lstrip("/")
                content = path.read_bytes() if path.is_file() else None
                fault = server.next_fault()
                # A client may be gone by now.
                with contextlib.suppress(ConnectionError):
                    if fault is None or not fault(server, self, content):
                        answer(self, content)

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            request_queue_size = 64

        with Quiet(("127.0.0.1", 0), Handler) as http:
            self.url = f"http://127.0.0.1:{http.server_port}"
            thread = threading.Thread(target=http.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield self
            finally:
                http.shutdown()
                thread.join()


def answer(handler, content: bytes | None, **headers) -> bool:
    """A correct answer."""
    if content is None:
        return answer_status(handler, 404)
    send_headers(handler, len(content), **headers)
    handler.wfile.write(content)
    return True


def send_headers(handler, length: int | None, status: int = 200, **headers):
    """Promises `length` bytes; None promises that the connection ends after them."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.close_connection = length is None


def answer_status(handler, status: int, **headers) -> bool:
    send_headers(handler, 0, status, **headers)
    return True


def status(code: int, **headers):
    return lambda server, handler, content: answer_status(handler, code, **headers)


def truncate(after: int, then=lambda: None):
    """Promises the whole file, sends `after` bytes, and drops the connection."""

    def fault(server, handler, content):
        send_headers(handler, len(content))
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        then()
        handler.close_connection = True
        return True

    return fault


def stall(after: int, seconds: float):
    return truncate(after, lambda: time.sleep(seconds))


def drop(server, handler, content):
    """Closes the connection without an answer."""
    handler.close_connection = True
    return True


def garbage(server, handler, content):
    """Answers with something that is no HTTP and would clear a terminal."""
    handler.wfile.write(b"\x1b[2J\r\n\r\n")
    return drop(server, handler, content)


def replace(content: bytes, **headers):
    """Answers with other bytes, as if they were the file."""
    return lambda server, handler, _: answer(handler, content, **headers)


def corrupt(server, handler, content):
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return answer(handler, bytes(changed))


def endless(status: int = 200, length: int | None = None, **headers):
    """Sends the file a thousand times over."""

    def fault(server, handler, content):
        send_headers(handler, length, status, **headers)
        for _ in range(1000):
            handler.wfile.write(content)
            server.sent += len(content)
        return True

    return fault


def without_length(server, handler, content):
    """The whole file with neither length nor chunks, ended by closing."""
    send_headers(handler, None)
    handler.wfile.write(content)
    return True


def drip(server, handler, content):
    """Sends 16 bytes of the file each 50 milliseconds."""
    send_headers(handler, len(content))
    for start in range(0, len(content), 16):
        handler.wfile.write(content[start : start + 16])
        time.sleep(0.05)
    return True


def drip_header(server, handler, content):
    """Sends a header that does not end, a byte each 50 milliseconds."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nServer: ")
    for _ in range(1000):
        handler.wfile.write(b"a")
        time.sleep(0.05)
    return True


def limit(monkeypatch, **limits):
    """Sets the limits of downloads, by default to short ones."""
    # `zoo.download` is the function of this name.
    module = importlib.import_module("keras_infomodels.zoo.download")
    for name, value in ({"TIMEOUT": 0.5, "ATTEMPTS": 3, "WAIT": 0.01} | limits).items():
        monkeypatch.setattr(module, name, value)


def register(folder: Path, path: Path) -> registry.Entry:
    return registry.register(folder, path)


def serve(tmp_path: Path, *faults, forever=False):
    """A running `Server` of the presets in `tmp_path / "served"`."""
    return Server(tmp_path / "served", faults, forever).running()
