"""Download of one file within one deadline, from the first place that has it. No TensorFlow."""

import hashlib
import random
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http.client import responses
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from keras_infomodels import __version__
from keras_infomodels.io import call_within
from keras_infomodels.preset_files import open_file

__all__ = ["ATTEMPTS", "DEADLINE", "TIMEOUT", "WAIT", "DownloadError", "fetch_file"]

DEADLINE, TIMEOUT, ATTEMPTS, WAIT = 300.0, 20.0, 5, 0.5
"""For a file from one place: seconds in all, seconds without a byte, requests, first wait."""


class DownloadError(OSError):
    """A preset could not be downloaded; the message says from where, why and what to do."""


def fetch_file(urls: list[str], preset: str, name: str, expected: Mapping, bar) -> bytes:
    """Returns the content of a file, after a check of its SHA-256.

    Args:
        urls: https://, http:// or file:// URLs of folders of presets, in the order to try them.
            Those that fail are moved to the end, so that the next file does not wait for them.
        preset, name: folder there and file in it.
        expected: {"sha256": ..., "bytes": ...}.
        bar: tqdm bar, which advances by the bytes that arrive.

    Raises:
        DownloadError: no place has the file and sends it in time.
    """
    failures, start, size = [], bar.n, expected["bytes"]
    for base in tuple(urls):
        url = f"{base.rstrip('/')}/{preset}/{quote(name)}"
        try:
            if url.startswith("file:"):
                with open_file(url2pathname(f"{urlsplit(base).path}/{preset}"), name) as file:
                    content = file.read(size + 1)
            else:
                work = partial(_retry, url, size, lambda done: bar.update(start + done - bar.n))
                content = call_within(DEADLINE, work)
            if hashlib.sha256(content).hexdigest() == expected["sha256"]:
                bar.update(start + size - bar.n)
                return content
            failure = f"{len(content)} bytes with another SHA-256 than the registry's {size}"
        except (OSError, ValueError) as error:
            failure = _reason(error)
        failures.append(f"{re.sub('//[^/]*@', '//', url)}: {failure}")  # without a password
        urls.append(urls.pop(0))
    raise DownloadError(
        f"The preset {preset} could not be downloaded: {'; '.join(failures)}. Check the network "
        "and try again, or set KERAS_INFOMODELS_ZOO_URL to a mirror or the file:// URL of a copy."
    )


def _retry(url: str, size: int, report: Callable, stopped: threading.Event) -> bytes:
    import requests

    wait = 0.0
    for attempt in range(ATTEMPTS):
        if stopped.wait(wait):
            break
        try:
            return _request(url, size, report, stopped)
        except requests.RequestException as error:
            code = getattr(error.response, "status_code", 503)
            final = isinstance(error, ValueError) or "CERTIFICATE_VERIFY" in str(error)
            if final or (code < 500 and code not in (408, 425, 429)):
                raise
            asked = getattr(error.response, "headers", {}).get("Retry-After", "")
            failure = _reason(error)
        wait = WAIT * 2**attempt * random.uniform(0.75, 1.25)  # processes do not come together
        wait = min(max(wait, float(asked) if asked.isdecimal() else 0.0), TIMEOUT)
    raise DownloadError(f"{failure} (tried {ATTEMPTS} times)")


def _request(url: str, size: int, report: Callable, stopped: threading.Event) -> bytes:
    import requests

    headers = {"User-Agent": f"keras-infomodels/{__version__}", "Accept-Encoding": "identity"}
    # The body of a redirect, which requests would read, may be endless.
    hooks = {"response": lambda answer, **_: answer.raw.close() if answer.is_redirect else None}
    content = b""
    with requests.get(url, headers=headers, hooks=hooks, stream=True, timeout=TIMEOUT) as answer:
        if (code := answer.status_code) != 200:
            raise requests.HTTPError(f"{code} {responses.get(code, '')}".strip(), response=answer)
        if (length := answer.headers.get("Content-Length")) not in (None, str(size)):
            raise DownloadError(f"{length} bytes, not {size}; another revision or an error page")
        for block in answer.iter_content(16384):
            content += block
            if len(content) > size or stopped.is_set():
                return content
            report(len(content))
    if len(content) < size:
        raise requests.ConnectionError(f"the answer ended after {len(content)} of {size} bytes")
    return content


def _reason(error: BaseException) -> str:
    """Returns the innermost of the errors that requests nests, as one line."""
    place = "proxy: " if "ProxyError" in repr(error) else ""
    while isinstance(cause := getattr(error, "reason", (None, *error.args)[-1]), Exception):
        error = cause
    text = place + re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", str(error))[:300].rstrip(".")
    return "".join(char if char.isprintable() else " " for char in text)
