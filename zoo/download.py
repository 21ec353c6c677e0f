"""One file of a preset from one place: resumed, retried, checked. Standard library alone."""

import dataclasses
import hashlib
import http.client
import os
import random
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from keras_infomodels import __version__
from keras_infomodels.preset_files import check_file_name, open_file

__all__ = ["PATIENCE", "DownloadError", "Patience", "fetch_file"]

_BLOCK = 64 * 1024
_PASSING = (408, 425, 429, *range(500, 600))
"""Answers after which the same request may succeed."""

_LEAST_RATE = 1024
"""Bytes a second; a connection that brings fewer is as good as broken."""


class DownloadError(OSError):
    """A preset could not be had; the message says from where, why and what to do."""


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        attempts: requests for one file from one place, at most, since the last that brought 64 kB.
        timeout: seconds after which a connection counts as broken that brought no byte, or fewer
            than 1 kB a second.
        wait: seconds before the second attempt; they double with every further one.
        longest_wait: seconds, also where a server asks for more.
    """

    attempts: int = 5
    timeout: float = 20.0
    wait: float = 0.5
    longest_wait: float = 30.0


PATIENCE = Patience()


class _Passing(Exception):
    """A failure that may pass."""

    def __init__(self, reason, wait: float | None = None):
        super().__init__(str(reason) or type(reason).__name__)
        self.wait = wait


def fetch_file(
    base: str,
    name: str,
    folder: Path,
    expected: Mapping,
    report: Callable[[int], None] = lambda done: None,
    patience: Patience = PATIENCE,
) -> None:
    """Leaves a checked file at folder / name.

    Until its size and SHA-256 are right it has a hidden name, from which a later call goes on.

    Args:
        base: https://, http:// or file:// URL of the preset's folder.
        name: of the file in it.
        folder: where it goes; no other process may fetch the same file into it.
        expected: {"sha256": ..., "bytes": ...}.
        report: told how many bytes are there.
        patience: how long to try.

    Raises:
        DownloadError: this place does not have the file.
        OSError: the file cannot be written.
    """
    target = folder / check_file_name(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    url = f"{base.rstrip('/')}/{urllib.parse.quote(name)}"
    resumed = part.exists()
    for fresh in (False, True):
        _complete(base, name, url, part, expected["bytes"], report, patience)
        if _sha256(part) == expected["sha256"]:
            os.replace(part, target)
            return
        part.unlink()
        # What an earlier call left may be what is wrong.
        if fresh or not resumed:
            break
    raise DownloadError(
        f"{url}: another SHA-256 than the registry's. It is damaged or of another revision, and "
        "was removed"
    )


def _complete(base, name, url, part: Path, size: int, report, patience: Patience):
    if urllib.parse.urlsplit(base).scheme == "file":
        _copy(base, name, url, part, size)
        report(size)
        return
    attempt = 0
    while True:
        before = _size(part)
        try:
            _transfer(url, part, size, report, patience.timeout)
            return
        except _Passing as error:
            failure = error
        attempt = 0 if _size(part) >= before + _BLOCK else attempt + 1
        if attempt == patience.attempts:
            raise DownloadError(f"{url}: {failure} (tried {patience.attempts} times)")
        # Processes that failed together should not come back together.
        wait = patience.wait * 2 ** max(0, attempt - 1) * random.uniform(0.75, 1.25)
        time.sleep(min(max(wait, failure.wait or 0), patience.longest_wait))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _copy(base: str, name: str, url: str, part: Path, size: int):
    address = urllib.parse.urlsplit(base)
    if address.netloc not in ("", "localhost"):
        raise DownloadError(f"{url}: a file:// URL has three slashes, such as file:///data/zoo")
    try:
        source = open_file(urllib.request.url2pathname(address.path), name)
    except FileNotFoundError:
        raise DownloadError(f"{url}: no such file") from None
    except (OSError, ValueError) as error:
        raise DownloadError(f"{url}: {error}") from error
    with source, part.open("wb") as file:
        if (found := os.fstat(source.fileno()).st_size) != size:
            raise DownloadError(f"{url}: {found} bytes, not {size}; it is of another revision")
        shutil.copyfileobj(source, file, _BLOCK)


def _transfer(url: str, part: Path, size: int, report, timeout: float):
    """Appends what is missing; the file then has exactly `size` bytes."""
    start = part.stat().st_size if part.exists() else -1
    if start == size:
        return
    headers = {"User-Agent": f"keras-infomodels/{__version__}", "Accept-Encoding": "identity"}
    if 0 < start < size:
        headers["Range"] = f"bytes={start}-"
    with _open(urllib.request.Request(url, headers=headers), part, timeout) as response:
        done = _first_byte(response, url, part, headers.get("Range"), size)
        with part.open("r+b" if done else "wb") as file:
            file.seek(done)
            for block in _blocks(response, timeout):
                done += len(block)
                if done > size:
                    break
                file.write(block)
                report(done)
    if done > size:
        part.unlink()
        raise DownloadError(f"{url}: more than the {size} bytes that it should have")
    if done < size:
        raise _Passing(f"the connection ended after {done} of {size} bytes")


def _open(request: urllib.request.Request, part: Path, timeout: float):
    url = request.full_url
    try:
        return _OPENER.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.unlink(missing_ok=True)
            raise _Passing("the server has no such range") from None
        if error.code in _PASSING:
            raise _Passing(_meaning(error.code), _asked_wait(error)) from None
        raise DownloadError(f"{url}: {_meaning(error.code)}") from None
    except urllib.error.URLError as error:
        # Neither a wrong name nor a wrong certificate gets right by asking again.
        wrong = isinstance(error.reason, socket.gaierror | ssl.SSLCertVerificationError | str)
        if wrong and getattr(error.reason, "errno", None) != socket.EAI_AGAIN:
            raise DownloadError(f"{url}: {error.reason}") from error
        raise _Passing(error.reason) from error
    except (http.client.InvalidURL, ValueError) as error:  # of a redirect, too
        raise DownloadError(f"{url}: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Passing(error) from error


def _asked_wait(error: urllib.error.HTTPError) -> float | None:
    seconds = (error.headers.get("Retry-After") or "").strip()
    return float(seconds) if seconds.isdecimal() else None


def _first_byte(response, url: str, part: Path, asked: str | None, size: int) -> int:
    """Where the answer begins: at what was asked for, or at 0 from a server without ranges."""
    if response.status == 206 and asked:
        first = asked.removeprefix("bytes=")
        if response.headers.get("Content-Range") == f"bytes {first}{size - 1}/{size}":
            return int(first.removesuffix("-"))
        part.unlink()
        raise _Passing("the server answered another range")
    if response.status != 200:
        raise DownloadError(f"{url}: {_meaning(response.status)}")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(size):
        raise DownloadError(f"{url}: {length} bytes, not {size}; it is of another revision")
    return 0


def _meaning(code: int) -> str:
    """Not the server's own words, which may hold anything."""
    return f"{code} {http.client.responses.get(code, '')}".strip()


def _blocks(response, timeout: float) -> Iterator[bytes]:
    start, count = time.monotonic(), 0
    while True:
        try:
            block = response.read1(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _Passing(error) from error
        if not block:
            return
        yield block
        count += len(block)
        seconds = time.monotonic() - start
        if seconds > timeout:
            if count < _LEAST_RATE * seconds:
                raise _Passing(f"only {count} bytes in {seconds:.1f} seconds")
            start, count = time.monotonic(), 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """urllib's own, which would read the whole body of a redirect, however long."""

    def http_error_302(self, request, response, code, message, headers):
        response.close()
        return super().http_error_302(request, response, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """Like urllib's own, without file:, ftp: and data:, to which a redirect could lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        _Redirects,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


_OPENER = _opener()
