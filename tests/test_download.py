"""One file from a server that misbehaves, by `fetch_file`."""

import os
import time

import pytest
import tiny_zoo
from tiny_zoo import WEIGHTS, describe, serve, status
from tqdm import tqdm

from keras_infomodels.zoo.download import DownloadError, fetch_file

NAME = "model.weights.h5"
PATH = f"/tiny_mnist/{NAME}"


def fetch(tmp_path, *urls) -> list[str]:
    """Fetches the weights, checks them, and returns the places as they are ordered then."""
    content = (tmp_path / "served" / "tiny_mnist" / NAME).read_bytes()
    places = list(urls)
    with tqdm(disable=True) as bar:
        assert fetch_file(places, "tiny_mnist", NAME, describe(content), bar) == content
    return places


def fails(tmp_path, *urls) -> str:
    """Returns the message, one line, of a download that fails."""
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, *urls)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("fault", [None, tiny_zoo.without_length])
def test_fetch_file_needs_one_request(entry, tmp_path, fault):
    with serve(tmp_path, fault) as server:
        fetch(tmp_path, f"{server.url}/")
    assert server.requests == [PATH]


PASSING = {
    "429": status(429),
    "500": status(500),
    "529": status(529),
    "503_retry_now": status(503, Retry_After="0"),
    "429_retry_in_2099": status(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "drop": tiny_zoo.drop,
    "garbage": tiny_zoo.garbage,
    "truncate": tiny_zoo.truncate(100_000),
    "stall": tiny_zoo.stall(1000, 1.0),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_fetch_file_retries_what_passes(entry, tmp_path, fault):
    with serve(tmp_path, fault) as server:
        fetch(tmp_path, server.url)
    assert server.requests == [PATH] * 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (status(503), "503 Service Unavailable"),
        (tiny_zoo.drop, "without response"),
        (tiny_zoo.garbage, " [2J"),
        (tiny_zoo.truncate(0), "0 bytes read"),
        # A page without a length looks like a file that was cut off.
        (lambda server, handler, _: tiny_zoo.without_length(server, handler, b"<html>"), "after 6"),
    ],
    ids=["503", "drop", "garbage", "truncate", "page"],
)
def test_fetch_file_gives_up_after_the_last_attempt(entry, tmp_path, fault, reason):
    with serve(tmp_path, fault, forever=True) as server:
        message = fails(tmp_path, server.url)
    assert reason in message
    assert "(tried 3 times)" in message
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("faults", "least"),
    [
        # 0.2 and 0.4 seconds, each by a quarter more or less.
        ([status(503), status(503)], 0.44),
        # As long as the server asks, at most for the timeout.
        ([status(503, Retry_After="3600")], 0.49),
    ],
)
def test_fetch_file_waits_between_attempts(entry, tmp_path, monkeypatch, faults, least):
    tiny_zoo.limit(monkeypatch, WAIT=0.2)
    with serve(tmp_path, *faults) as server:
        start = time.monotonic()
        fetch(tmp_path, server.url)
    assert least < time.monotonic() - start < 60


@pytest.mark.parametrize("code", [206, 204, 401, 403, 404, 410, 418])
def test_fetch_file_does_not_retry_a_refusal(entry, tmp_path, code):
    with serve(tmp_path, status(code), forever=True) as server:
        assert f"{NAME}: {code} " in fails(tmp_path, server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [tiny_zoo.drip, tiny_zoo.drip_header])
def test_fetch_file_ends_at_its_deadline(entry, tmp_path, fault, monkeypatch):
    """Bytes each 50 ms never reach the timeout of half a second."""
    tiny_zoo.limit(monkeypatch, DEADLINE=0.6)
    with serve(tmp_path, fault, forever=True) as server, serve(tmp_path) as mirror:
        start = time.monotonic()
        assert "not finished after 0.6 seconds" in fails(tmp_path, server.url)
        assert time.monotonic() - start < 20
        assert fetch(tmp_path, server.url, mirror.url) == [mirror.url, server.url]
    assert len(server.requests) == 2


def test_fetch_file_refuses_another_length_before_the_body(entry, tmp_path):
    page = tiny_zoo.replace(b"<html>Not here</html>", Content_Type="text/html")
    with serve(tmp_path, page, forever=True) as server:
        assert f"21 bytes, not {WEIGHTS}" in fails(tmp_path, server.url)
    with serve(tmp_path, tiny_zoo.endless(length=2**40)) as server:
        assert f"{2**40} bytes, not" in fails(tmp_path, server.url)
    assert server.sent < 10e6


def test_fetch_file_refuses_another_sha256(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.corrupt, forever=True) as server:
        assert "another SHA-256" in fails(tmp_path, server.url)
    assert len(server.requests) == 2
    with serve(tmp_path, tiny_zoo.corrupt) as server:  # once
        fetch(tmp_path, server.url)
    assert len(server.requests) == 2


def test_fetch_file_goes_on_where_it_was_cut_off(entry, tmp_path):
    """A proxy that lets a fifth of the file pass at a time, or 3 kB of it."""

    def cut(server, handler, content):
        start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
        starts.append(start)
        headers = {"Content_Range": f"bytes {start}-{WEIGHTS - 1}/{WEIGHTS}"} if start else {}
        tiny_zoo.send_headers(handler, WEIGHTS - start, 206 if start else 200, **headers)
        handler.wfile.write(content[start : start + most])
        handler.close_connection = True
        return True

    for most, fetches, count in ((WEIGHTS // 5, fetch, 6), (3000, fails, 3)):
        starts = []
        with serve(tmp_path, cut, forever=True) as server:
            fetches(tmp_path, server.url)
        assert len(starts) == count
        for number, begin in enumerate(starts):  # up to a kilobyte is lost at each end
            assert number * (most - 1024) <= begin <= number * most


def test_fetch_file_refuses_another_part_than_it_asked_for(entry, tmp_path):
    part = tiny_zoo.replace(b"x" * 10, Content_Range="bytes 0-9/10")

    def wrong(server, handler, content):
        tiny_zoo.send_headers(handler, 10, 206, Content_Range="bytes 0-9/10")
        return handler.wfile.write(b"x" * 10)

    with serve(tmp_path, tiny_zoo.truncate(100_000), wrong) as server:
        assert "206 Partial Content" in fails(tmp_path, server.url)
    with serve(tmp_path, tiny_zoo.truncate(100_000), part) as server:
        assert "10 bytes, not" in fails(tmp_path, server.url)


def test_fetch_file_tries_every_place_once_before_it_tries_again(entry, tmp_path, monkeypatch):
    """A place that does not answer comes last for the files of other presets too."""
    tiny_zoo.limit(monkeypatch, TIMEOUT=20, WAIT=5)
    with serve(tmp_path, tiny_zoo.drop, forever=True) as dead, serve(tmp_path) as mirror:
        start = time.monotonic()
        assert fetch(tmp_path, dead.url, mirror.url) == [mirror.url, dead.url]
        assert fetch(tmp_path, dead.url, mirror.url) == [mirror.url, dead.url]
    assert time.monotonic() - start < 5
    assert (len(dead.requests), len(mirror.requests)) == (1, 2)


def test_fetch_file_stops_at_the_size(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.endless(), forever=True) as server:
        assert "another SHA-256" in fails(tmp_path, server.url)
    # What the sockets hold is sent too.
    assert server.sent < 200e6


def test_fetch_file_follows_redirects_without_their_bodies(entry, tmp_path):
    with serve(tmp_path) as real:
        redirect = tiny_zoo.endless(302, Location=f"{real.url}{PATH}")
        with serve(tmp_path, redirect) as server:
            fetch(tmp_path, server.url)
    assert real.requests == [PATH]
    assert server.sent < 100e6


LOCATIONS = ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://.a.b/x", "http://[::1/x"]


@pytest.mark.parametrize("location", LOCATIONS)
def test_fetch_file_refuses_redirects_to_anything_but_http(entry, tmp_path, location):
    with serve(tmp_path, status(302, Location=location)) as server:
        fails(tmp_path, server.url)
    assert len(server.requests) == 1


def test_fetch_file_leaves_a_circle_of_redirects(entry, tmp_path):
    with serve(tmp_path, status(302, Location=PATH), forever=True) as server:
        assert "redirects" in fails(tmp_path, server.url)
    assert len(server.requests) <= 31


def test_fetch_file_names_servers_that_are_not_there_without_passwords(entry, tmp_path):
    with serve(tmp_path) as server:
        pass
    message = fails(tmp_path, server.url.replace("//", "//me:secret@"), "http://no.host.invalid")
    assert f"{server.url}{PATH}: " in message
    assert "Connection refused (tried 3 times); http://no.host.invalid/" in message
    assert "Check the network and try again, or set KERAS_INFOMODELS_ZOO_URL" in message


def test_fetch_file_takes_the_proxy_of_the_environment(entry, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve(tmp_path, status(404), forever=True) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert "404 Not Found" in fails(tmp_path, "http://no.host.invalid/zoo")
    assert proxy.requests == [f"http://no.host.invalid/zoo{PATH}"]
    assert ": proxy: " in fails(tmp_path, "http://no.host.invalid/zoo")


@pytest.mark.parametrize("host", ["[bad", "no.host.invalid", "127.0.0.1:1", "a.example:port"])
@pytest.mark.parametrize(
    "user", ["me:secret", "me:s@ecret", "me:sec%20ret", "me:s/ecret", "secret"]
)
def test_fetch_file_never_prints_a_password(entry, tmp_path, host, user):
    message = fails(tmp_path, f"http://{user}@{host}/zoo")
    assert not [word for word in ("ecret", "%20", "sec ret", "s@e") if word in message]


@pytest.mark.parametrize("url", ["ftp://a.example", "/data/zoo", "http://[bad", "a.example"])
def test_fetch_file_refuses_other_urls(entry, tmp_path, url):
    message = fails(tmp_path, url)
    assert f"{url}{PATH}: " in message
    meant = {"/data/zoo": "write file:///data/zoo", "a.example": "write https://a.example"}
    assert meant.get(url, "") in message


def test_fetch_file_copies_from_file_urls(entry, tmp_path):
    url = (tmp_path / "served").as_uri()
    assert fetch(tmp_path, "file:///no/such/folder", url) == [url, "file:///no/such/folder"]
    with tqdm(disable=True) as bar, pytest.raises(DownloadError, match="plain relative name"):
        fetch_file([url], "tiny_mnist", "../x", describe(b""), bar)


@pytest.mark.parametrize("content", [b"short", b"\0" * WEIGHTS, b"\0" * (WEIGHTS + 1), None])
def test_fetch_file_refuses_files_that_are_wrong(entry, tmp_path, content):
    copy = tmp_path / "copy" / "tiny_mnist"
    copy.mkdir(parents=True)
    if content is None:
        os.symlink(tmp_path / "served" / "tiny_mnist" / NAME, copy / NAME)
    else:
        (copy / NAME).write_bytes(content)
    message = fails(tmp_path, copy.parent.as_uri())
    assert ("is a link" if content is None else "another SHA-256") in message
    changed = "its owner must run `infomodels registry make` again"
    assert (changed in message) == ("Check the network" not in message) == (content is not None)
