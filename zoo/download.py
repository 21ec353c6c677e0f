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
from keras_infomodels.io import call_within
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
    """Failure because a place has a file of another size than the registered one."""


class _PassingError(DownloadError):
    """Failure after which another attempt may succeed."""


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
    failures, start, size = {}, bar.n, expected["bytes"]
    other = set()  # places with another file of this name
    end = time.monotonic() + DEADLINE
    again, corrupt = set(urls), set()
    for tries in (1, ATTEMPTS - 1) if len(again) > 1 else (ATTEMPTS, 1):
        places = [base for base in urls if base in again]
        for number, base in enumerate(places):
            seconds = round(max(end - time.monotonic(), 0) / (len(places) - number), 2)
            url = f"{base.rstrip('/')}/{preset}/{quote(name)}"
            again.discard(base)
            try:
                _check_scheme(base)
                if url.startswith("file:"):
                    with open_file(url2pathname(f"{urlsplit(base).path}/{preset}"), name) as file:
                        content = file.read(size + 1)
                else:
                    work = partial(
                        _retry, url, size, lambda done: bar.update(start + done - bar.n), tries
                    )
                    content = call_within(seconds, work)
                if hashlib.sha256(content).hexdigest() == expected["sha256"]:
                    bar.update(start + size - bar.n)
                    _dead.discard(base)
                    return content
                failure = f"another SHA-256 than that of the registered file, of {size} bytes"
                other.add(base)
                if base not in corrupt and not url.startswith("file:"):
                    corrupt.add(base)
                    again.add(base)
            except (OSError, ValueError) as error:
                failure = _reason(error)
                other |= {base} if isinstance(error, _OtherFileError) else set()
                if isinstance(error, _PassingError) and len(urls) > 1:
                    again.add(base)
                if getattr(error, "is_dead", False):
                    _dead.add(base)
            failures[base] = f"{url}: {failure}"
            urls.append(urls.pop(urls.index(base)))
    text = "; ".join(failures.values())
    for base in urls:
        text = without_password(text, base)
    todo = (
        "Check the network and try again, or set KERAS_INFOMODELS_ZOO_URL to a mirror or the "
        "file:// URL of a copy."
    )
    if other:
        changed = (
            f"If {name} was changed after the registry was made, its owner must run `infomodels "
            "registry make` again."
        )
        is_local = all(base.startswith("file:") for base in urls) and len(other) == len(urls)
        todo = changed if is_local else f"{changed} {todo}"
    raise DownloadError(f"The preset {preset} could not be downloaded: {text}. {todo}")


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
    try:
        _check_scheme(url)
        if url.startswith("file:"):
            with open_file(url2pathname(urlsplit(url).path), name) as file:
                return file.read(largest + 1)
        address = f"{url.rstrip('/')}/{quote(name)}"
        return call_within(2 * TIMEOUT, partial(_request_small, address, largest))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        text = without_password(f"{url}/{name}: {_reason(error)}", url)
        raise DownloadError(f"{text}. Check the address and the network.") from error


def _check_scheme(url: str):
    """Raises DownloadError for a path or a host without a scheme, with the URL that is meant."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url):
        is_path = url.startswith(("/", "~", ".")) or Path(url).exists()
        path = Path(os.path.expanduser(url)).absolute()
        meant = path.as_uri() if is_path else f"https://{url}"
        raise DownloadError(f"an address begins with https://, http:// or file://; write {meant}")


def _request_small(url: str, largest: int, stopped: threading.Event) -> bytes | None:
    import requests

    headers = {"User-Agent": f"keras-infomodels/{__version__}", "Accept-Encoding": "identity"}
    content = bytearray()
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            code = answer.status_code
            raise DownloadError(f"{code} {responses.get(code, '')}".strip())
        for block in answer.iter_content(2**14):
            content += block
            if len(content) > largest or stopped.is_set():
                raise DownloadError(f"more than {largest} bytes")
    return bytes(content)


def without_password(text: str, url: str) -> str:
    """Returns a text without the user name and password of a URL, and without those of others."""
    user = url.partition("://")[2].rpartition("@")[0]
    if user:
        text = text.replace(f"{user}@", "").replace(user, "...")
        for part in filter(None, {user.partition(":")[2], unquote(user.partition(":")[2])}):
            text = text.replace(part, "...")
    return re.sub(r"//[^/\s]*@", "//", text)


def _retry(url: str, size: int, report: Callable, tries: int, stopped: threading.Event) -> bytes:
    import requests

    attempt, wait, content = 0, 0.0, bytearray()
    failure, is_dead = "no answer", False
    while attempt < tries and not stopped.wait(wait):
        before = len(content)
        try:
            return _request(url, size, content, report, stopped)
        except requests.RequestException as error:
            code = getattr(error.response, "status_code", 503)
            final = isinstance(error, ValueError) or "CERTIFICATE_VERIFY" in str(error)
            if final or (code < 500 and code not in (408, 425, 429)):
                raise
            asked = getattr(error.response, "headers", {}).get("Retry-After", "")
            failure = _reason(error)
            is_dead = error.response is None and not content
        # A proxy may cut off every answer, so attempts that made progress do not count.
        attempt += len(content) - before < size * _PROGRESS
        # Random, so that several processes do not retry at the same time.
        wait = WAIT * 2 ** max(attempt - 1, 0) * random.uniform(0.75, 1.25)
        wait = min(max(wait, float(asked) if asked.isdecimal() else 0.0), TIMEOUT)
    # If there are other places, one attempt came before these.
    times = ATTEMPTS if tries > 1 else 1
    error = _PassingError(f"{failure} (tried {times} times)" if times > 1 else failure)
    error.is_dead = is_dead
    raise error


def _request(
    url: str, size: int, content: bytearray, report: Callable, stopped: threading.Event
) -> bytes:
    """Requests the missing part of the content."""
    import requests

    headers = {"User-Agent": f"keras-infomodels/{__version__}", "Accept-Encoding": "identity"}
    if content:
        headers["Range"] = f"bytes={len(content)}-"
    # requests would read the body of a redirect, which may be endless.
    hooks = {"response": lambda answer, **_: answer.raw.close() if answer.is_redirect else None}
    with requests.get(url, headers=headers, hooks=hooks, stream=True, timeout=TIMEOUT) as answer:
        code = answer.status_code
        goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {len(content)}-")
        if not (content and code == 206 and goes_on):
            content.clear()  # a server that knows no ranges sends it all again
            if code != 200:
                reason = f"{code} {responses.get(code, '')}".strip()
                raise requests.HTTPError(reason, response=answer)
        length = answer.headers.get("Content-Length")
        if length not in (None, str(size - len(content))):
            raise _OtherFileError(f"{length} bytes, not {size}; another revision or an error page")
        for block in answer.iter_content(1024):  # the last one is lost where it is cut off
            content += block
            if len(content) > size or stopped.is_set():
                return bytes(content)
            report(len(content))
    if len(content) < size:
        raise requests.ConnectionError(f"the answer ended after {len(content)} of {size} bytes")
    return bytes(content)


def _reason(error: BaseException) -> str:
    """Returns the innermost of the errors that requests nests, as one line."""
    place = "proxy: " if "ProxyError" in repr(error) else ""
    while isinstance(cause := getattr(error, "reason", (None, *error.args)[-1]), Exception):
        error = cause
    text = place + re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", str(error))[:300].rstrip(".")
    return "".join(char if char.isprintable() else " " for char in text)
