"""Download of files within a deadline, from the first place that has them. No TensorFlow."""

import hashlib
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from http.client import responses
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from keras_infomodels import __version__
from keras_infomodels.io import call_within, printable
from keras_infomodels.preset_files import open_file

__all__ = [
    "ATTEMPTS",
    "DEADLINE",
    "TIMEOUT",
    "WAIT",
    "DownloadError",
    "fetch_file",
    "fetch_small_file",
    "without_password",
]

DEADLINE, TIMEOUT, ATTEMPTS, WAIT = 300.0, 20.0, 5, 0.5
"""Total seconds per file, seconds without a byte, requests per place, first waiting time."""

_PROGRESS = 0.05
"""Share of a file that a request must transfer in order not to count as a failed attempt."""


class DownloadError(OSError):
    """Error of a failed download; its message says from where, why and what to do."""


class _OtherFileError(DownloadError):
    """Failure because a place has another file than the registered one."""


_dead: set[str] = set()
"""Places that did not answer at all in this process, which come last."""


def fetch_file(urls: list[str], preset: str, name: str, expected: Mapping, bar) -> bytes:
    """Downloads a file and checks its SHA-256.

    Each place is tried once before any is tried again. An interrupted download is resumed, and a
    file with another SHA-256 is downloaded once more. All places share one `DEADLINE`.

    Args:
        urls: list of str. https://, http:// or file:// URLs of folders of presets, in the order to
            try. Places that fail are moved to the end, so that later files do not wait for them.
            Places that do not answer at all are moved to the end for other presets too.
        preset: str. Folder below each URL.
        name: str. File in the folder.
        expected: dict. {"sha256": ..., "bytes": ...}.
        bar: tqdm bar, which is updated by the bytes that arrive.

    Raises:
        DownloadError: If no place has the file or sends it in time.
    """
    urls.sort(key=_dead.__contains__)
    start, end, wait = bar.n, time.monotonic() + DEADLINE, WAIT
    places = [_Place(base, preset, name, expected) for base in urls]
    while left := [place for place in places if place.attempts]:
        for number, place in enumerate(left):
            seconds = round(max(end - time.monotonic(), 0) / (len(left) - number), 2)
            if place.fetch(seconds, lambda done: bar.update(start + done - bar.n)):
                _dead.discard(place.base)
                return bytes(place.content)
            urls.append(urls.pop(urls.index(place.base)))
        if any(place.attempts for place in left):
            # Random, so that several processes do not retry at the same time.
            seconds = max([wait * random.uniform(0.75, 1.25), *(place.pause for place in left)])
            time.sleep(max(min(seconds, TIMEOUT, end - time.monotonic()), 0))
            wait *= 2
    text = "; ".join(f"{place.url}: {place.failure}" for place in places)
    for base in urls:
        text = without_password(text, base)
    todo = (
        "Check the network and try again, or set KERAS_INFOMODELS_ZOO_URL to a mirror or the "
        "file:// URL of a copy."
    )
    if any(place.has_other for place in places):
        changed = (
            f"If {name} was changed after the registry was made, its owner must run `infomodels "
            "registry make` again."
        )
        is_local = all(place.has_other and place.base.startswith("file:") for place in places)
        todo = changed if is_local else f"{changed} {todo}"
    raise DownloadError(f"The preset {preset} could not be downloaded: {text}. {todo}")


class _Place:
    """A place that may have a file, what it sent of it, and how it failed."""

    def __init__(self, base: str, preset: str, name: str, expected: Mapping):
        self.base, self.folder, self.name = base, f"{base.rstrip('/')}/{preset}", name
        self.url, self.expected = f"{self.folder}/{quote(name)}", expected
        self.content, self.attempts, self.pause = bytearray(), ATTEMPTS, 0.0
        self.tries, self.failure, self.has_other = 0, "", False

    def fetch(self, seconds: float, report: Callable) -> bool:
        """Makes an attempt, and returns whether `content` is the expected file now."""
        before, size = len(self.content), self.expected["bytes"]
        self.tries += 1
        try:
            _check_scheme(self.base)
            read = partial(_read, self.folder, self.name, self.content, size, size, report)
            call_within(seconds, read)
        except (OSError, ValueError) as error:
            # A proxy may cut off every answer, so attempts that made progress do not count.
            self._note(error, len(self.content) - before < size * _PROGRESS)
            return False
        if hashlib.sha256(self.content).hexdigest() == self.expected["sha256"]:
            report(size)
            return True
        self.failure = f"another SHA-256 than that of the registered file, of {size} bytes"
        # What arrived damaged is fetched once more.
        self.attempts = 0 if self.has_other or self.base.startswith("file:") else 1
        self.has_other = True
        self.content.clear()
        return False

    def _note(self, error: Exception, counts: bool):
        """Notes an error, and whether another attempt may succeed."""
        self.failure = _reason(error)
        self.has_other |= isinstance(error, _OtherFileError)
        if not _may_pass(error):
            self.attempts = 0
            return
        self.attempts -= counts
        self.failure += f" (tried {self.tries} times)" if self.tries > 1 else ""
        asked = getattr(error.response, "headers", {}).get("Retry-After", "")
        self.pause = float(asked) if asked.isdecimal() else 0.0
        if error.response is None and not self.content:
            _dead.add(self.base)


def fetch_small_file(url: str, name: str, largest: int) -> bytes | None:
    """Downloads a file whose size and SHA-256 are unknown, in one attempt.

    Args:
        url: str. https://, http:// or file:// URL of a folder.
        name: str. File in the folder.
        largest: int. Number of bytes above which the file is refused.

    Returns:
        Content, or None if the place says that there is no such file.

    Raises:
        DownloadError: If the place does not answer in time, or the file is too large.
    """
    content = bytearray()
    try:
        _check_scheme(url)
        call_within(2 * TIMEOUT, partial(_read, url, name, content, None, largest, None))
        if len(content) > largest:
            raise DownloadError(f"more than {largest} bytes")
    except (OSError, ValueError) as error:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code == 404 or isinstance(error, FileNotFoundError):
            return None
        text = without_password(f"{url}/{name}: {_reason(error)}", url)
        raise DownloadError(f"{text}. Check the address and the network.") from error
    return bytes(content)


def _check_scheme(url: str):
    """Raises DownloadError for a path or a host without a scheme, with the URL that is meant."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url):
        is_path = url.startswith(("/", "~", ".")) or Path(url).exists()
        path = Path(os.path.expanduser(url)).absolute()
        meant = path.as_uri() if is_path else f"https://{url}"
        raise DownloadError(f"an address begins with https://, http:// or file://; write {meant}")


def without_password(text: str, url: str) -> str:
    """Returns a text without the user name and password of a URL, and without those of others."""
    user = url.partition("://")[2].rpartition("@")[0]
    if user:
        text = text.replace(f"{user}@", "").replace(user, "...")
        for part in filter(None, {user.partition(":")[2], unquote(user.partition(":")[2])}):
            text = text.replace(part, "...")
    return re.sub(r"//[^/\s]*@", "//", text)


def _read(
    folder: str,
    name: str,
    content: bytearray,
    size: int | None,
    largest: int,
    report: Callable | None,
    stopped: threading.Event,
):
    """Adds what is missing to the content, up to a byte more than the largest."""
    import requests

    if folder.startswith("file:"):
        with open_file(url2pathname(urlsplit(folder).path), name) as file:
            content += file.read(largest + 1)
        return
    headers = {"User-Agent": f"keras-infomodels/{__version__}", "Accept-Encoding": "identity"}
    if content:
        headers["Range"] = f"bytes={len(content)}-"
    # requests would read the body of a redirect, which may be endless.
    hooks = {"response": lambda answer, **_: answer.raw.close() if answer.is_redirect else None}
    url = f"{folder.rstrip('/')}/{quote(name)}"
    with requests.get(url, headers=headers, hooks=hooks, stream=True, timeout=TIMEOUT) as answer:
        code, part = answer.status_code, answer.headers.get("Content-Range", "")
        if not (content and code == 206 and part.startswith(f"bytes {len(content)}-")):
            content.clear()  # a server that knows no ranges sends it all again
            if code != 200:
                reason = f"{code} {responses.get(code, '')}".strip()
                raise requests.HTTPError(reason, response=answer)
        length = answer.headers.get("Content-Length")
        if size is not None and length not in (None, str(size - len(content))):
            raise _OtherFileError(f"{length} bytes, not {size}; another revision or an error page")
        for block in answer.iter_content(1024):  # the last one is lost where it is cut off
            content += block
            if len(content) > largest or stopped.is_set():
                return
            if report:
                report(len(content))
    if size is not None and len(content) < size:
        raise requests.ConnectionError(f"the answer ended after {len(content)} of {size} bytes")


def _may_pass(error: Exception) -> bool:
    """Whether another request may succeed."""
    import requests

    if not isinstance(error, requests.RequestException) or isinstance(error, ValueError):
        return False
    code = getattr(error.response, "status_code", 503)
    return (code >= 500 or code in (408, 425, 429)) and "CERTIFICATE_VERIFY" not in str(error)


def _reason(error: BaseException) -> str:
    """Returns the innermost of the errors that requests nests, as one line."""
    place = "proxy: " if "ProxyError" in repr(error) else ""
    while isinstance(cause := getattr(error, "reason", (None, *error.args)[-1]), Exception):
        error = cause
    text = re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", str(error))[:300].rstrip(".")
    return printable(place + text)
