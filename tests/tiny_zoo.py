"""Small preset folders, their registry, and a server that can misbehave."""

import contextlib
import hashlib
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from keras_infomodels.zoo import registry
from keras_infomodels.zoo.download import Patience

WEIGHTS = 300_000
FAST = Patience(attempts=3, timeout=0.5, wait=0.01, longest_wait=0.1)


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
                    server.requests.append((self.path, self.headers.get("Range")))
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


def answer(handler, content: bytes | None):
    """A correct answer, also to a request for a range."""
    if content is None:
        return answer_status(handler, 404)
    asked = handler.headers.get("Range")
    first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if first >= len(content) > 0:
        return answer_status(handler, 416)
    handler.send_response(206 if asked else 200)
    if asked:
        last = len(content) - 1
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - first))
    handler.end_headers()
    handler.wfile.write(content[first:])
    return True


def answer_status(handler, status: int, **headers) -> bool:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def status(code: int, **headers):
    return lambda server, handler, content: answer_status(handler, code, **headers)


def truncate(after: int, then=lambda: None):
    """Says the whole length, sends `after` bytes, and drops the connection."""

    def fault(server, handler, content):
        asked = handler.headers.get("Range")
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - first))
        handler.end_headers()
        handler.wfile.write(content[first : first + after])
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


def replace(content: bytes):
    """Answers with other bytes, as if they were the file."""
    return lambda server, handler, _: answer(handler, content)


def corrupt(server, handler, content):
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return answer(handler, bytes(changed))


def refuse_range(server, handler, content):
    """Answers any request with the whole file."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    return True


def without_length(server, handler, content):
    """The whole file with neither length nor chunks, ended by closing."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(content)
    return True


def register(folder: Path, path: Path) -> registry.Entry:
    return registry.register(folder, path)


def serve(tmp_path: Path, *faults, forever=False):
    """A running `Server` of the presets in `tmp_path / "served"`."""
    return Server(tmp_path / "served", faults, forever).running()


def drip(count: int, seconds: float):
    """Sends `count` bytes each so many seconds."""

    def fault(server, handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for start in range(0, len(content), count):
            handler.wfile.write(content[start : start + count])
            handler.wfile.flush()
            time.sleep(seconds)
        return True

    return fault
