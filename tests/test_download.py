"""One file of a preset from a server that misbehaves, and what people see of it."""

import io
import os
import shutil
import time

import pytest
import tiny_zoo
from tiny_zoo import FAST, WEIGHTS, describe, serve, status

from keras_infomodels.zoo.download import DownloadError, Patience, fetch_file
from keras_infomodels.zoo.progress import Progress


def fetch_weights(url, tmp_path, patience=FAST):
    content = (tmp_path / "served" / "tiny_mnist" / "model.weights.h5").read_bytes()
    (tmp_path / "there").mkdir(exist_ok=True)
    fetch_file(
        f"{url}/tiny_mnist",
        "model.weights.h5",
        tmp_path / "there",
        describe(content),
        patience=patience,
    )
    assert os.listdir(tmp_path / "there") == ["model.weights.h5"]
    assert (tmp_path / "there" / "model.weights.h5").read_bytes() == content


def test_fetch_file_takes_one_request(entry, tmp_path):
    with serve(tmp_path) as server:
        fetch_weights(server.url, tmp_path)
    assert server.requests == [("/tiny_mnist/model.weights.h5", None)]


def test_fetch_file_resumes_a_truncated_file(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.truncate(100_000), tiny_zoo.truncate(50_000)) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_fetch_file_counts_attempts_from_the_last_progress(entry, tmp_path):
    faults = [tiny_zoo.truncate(70_000), *[status(503)] * 2] * 3
    with serve(tmp_path, *faults) as server:
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 10


def test_fetch_file_leaves_a_server_that_drips(entry, tmp_path):
    """16 bytes each 50 ms are never silent for the half second of `FAST`."""
    with (
        serve(tmp_path, tiny_zoo.drip(16, 0.05), forever=True) as server,
        pytest.raises(DownloadError, match=r"only \d+ bytes in 0\.\d seconds \(tried 3 times"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [
        status(429),
        status(500),
        status(529),
        status(503, Retry_After="0"),
        status(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
        tiny_zoo.drop,
        tiny_zoo.stall(1000, 1.0),
    ],
)
def test_fetch_file_retries_a_failure_that_passes(entry, tmp_path, fault):
    with serve(tmp_path, fault) as server:
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", [status(503), tiny_zoo.drop, tiny_zoo.truncate(0)])
def test_fetch_file_ends_after_the_last_attempt(entry, tmp_path, fault):
    with (
        serve(tmp_path, fault, forever=True) as server,
        pytest.raises(DownloadError, match="tried 3 times"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 3


def test_fetch_file_patience_waits_longer_and_as_long_as_asked(entry, tmp_path):
    patience = Patience(attempts=3, timeout=0.5, wait=0.2, longest_wait=0.5)
    with serve(tmp_path, status(503), status(503)) as server:
        start = time.monotonic()
        fetch_weights(server.url, tmp_path, patience)
        # 0.2 and 0.4 seconds, each by a quarter more or less.
        assert time.monotonic() - start > 0.44
    with serve(tmp_path, status(503, Retry_After="3600")) as server:
        start = time.monotonic()
        fetch_weights(server.url, tmp_path, patience)
        assert 0.49 < time.monotonic() - start < 60


@pytest.mark.parametrize("code", [401, 403, 404, 410, 418])
def test_fetch_file_does_not_retry_a_refusal(entry, tmp_path, code):
    with (
        serve(tmp_path, status(code), forever=True) as server,
        pytest.raises(DownloadError, match=rf"model\.weights\.h5: {code} "),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1


def test_fetch_file_refuses_other_content_before_it_is_read(entry, tmp_path):
    with (
        serve(tmp_path, tiny_zoo.replace(b"<html>Not here</html>")) as server,
        pytest.raises(DownloadError, match=f"21 bytes, not {WEIGHTS}"),
    ):
        fetch_weights(server.url, tmp_path)
    assert os.listdir(tmp_path / "there") == []


def test_fetch_file_removes_and_refuses_a_corrupt_file(entry, tmp_path):
    with (
        serve(tmp_path, tiny_zoo.corrupt, forever=True) as server,
        pytest.raises(DownloadError, match="another SHA-256"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1
    assert os.listdir(tmp_path / "there") == []


def test_fetch_file_starts_anew_after_a_wrong_part(entry, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".model.weights.h5.part").write_bytes(b"\0" * 1000)
    with serve(tmp_path) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_fetch_file_discards_a_part_that_is_too_long(entry, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".model.weights.h5.part").write_bytes(b"\0" * (WEIGHTS + 1))
    with serve(tmp_path) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == [None]


def wrong_range(server, handler, content):
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 7-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - 7))
    handler.end_headers()
    handler.wfile.write(content[7:])
    return True


@pytest.mark.parametrize(
    ("second", "count"), [(tiny_zoo.refuse_range, 2), (status(416), 3), (wrong_range, 3)]
)
def test_fetch_file_takes_the_whole_file_without_ranges(entry, tmp_path, second, count):
    with serve(tmp_path, tiny_zoo.truncate(1000), second) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == [None, "bytes=1000-", None][:count]


def test_fetch_file_bounds_a_file_without_a_length(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.without_length) as server:
        fetch_weights(server.url, tmp_path)

    sent = []

    def endless(server, handler, content):
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        for _ in range(1000):
            handler.wfile.write(content)
            sent.append(len(content))
        return True

    shutil.rmtree(tmp_path / "there")
    with (
        serve(tmp_path, endless) as server,
        pytest.raises(DownloadError, match=f"more than the {WEIGHTS} bytes"),
    ):
        fetch_weights(server.url, tmp_path)
    assert os.listdir(tmp_path / "there") == []
    # What the sockets hold is sent too.
    assert len(sent) < 500


def test_fetch_file_follows_redirects_with_the_range(entry, tmp_path):
    with serve(tmp_path) as real:
        there = f"{real.url}/tiny_mnist/model.weights.h5"
        faults = [tiny_zoo.truncate(1000), status(302, Location=there)]
        with serve(tmp_path, *faults) as server:
            fetch_weights(server.url, tmp_path)
    assert real.requests == [("/tiny_mnist/model.weights.h5", "bytes=1000-")]


@pytest.mark.parametrize(
    "where",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:,hello",
        "http://.example.com/x",
        "http://[::1/x",
    ],
)
def test_fetch_file_refuses_redirects_to_anything_but_http(entry, tmp_path, where):
    with serve(tmp_path, status(302, Location=where)) as server, pytest.raises(DownloadError):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1
    assert os.listdir(tmp_path / "there") == []


def test_fetch_file_ends_redirects_in_a_circle(entry, tmp_path):
    location = "/tiny_mnist/model.weights.h5"
    with (
        serve(tmp_path, status(302, Location=location), forever=True) as server,
        pytest.raises(DownloadError, match="302"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) <= 11


def test_fetch_file_gives_a_clear_error_without_a_server(entry, tmp_path):
    with serve(tmp_path) as server:
        pass
    with pytest.raises(DownloadError, match=r"refused.*tried 3 times"):
        fetch_weights(server.url, tmp_path)
    with pytest.raises(DownloadError, match=r"no\.such\.host\.invalid"):
        fetch_weights("http://no.such.host.invalid", tmp_path)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_shows_a_bar_on_a_terminal_and_two_lines_in_a_file():
    screen, file = Terminal(), io.StringIO()
    for stream in (screen, file):
        with Progress("tiny", 2_000_000, stream) as progress:
            progress.after(500_000)(500_000)
            progress(2_000_000)
    half = "\rtiny [" + "#" * 15 + "-" * 15 + "]  50% 1.0 of 2.0 MB"
    whole = "\rtiny [" + "#" * 30 + "] 100% 2.0 of 2.0 MB\n"
    assert screen.getvalue() == half + whole
    assert file.getvalue() == "Downloading tiny (2.0 MB)\nDownloaded tiny\n"
