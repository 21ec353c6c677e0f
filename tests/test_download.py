import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import tiny_zoo
from tiny_zoo import WEIGHTS, Server, describe, status, write_preset

from keras_infomodels import zoo
from keras_infomodels.zoo import cache, registry
from keras_infomodels.zoo.download import DownloadError, Patience, fetch_file
from keras_infomodels.zoo.progress import Progress

FAST = Patience(attempts=3, timeout=0.5, wait=0.01, longest_wait=0.1)


@pytest.fixture(autouse=True)
def _online(monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A preset that the registry knows, and that only a server has."""
    path = tmp_path / "registry.json"
    entry = registry.register(write_preset(tmp_path / "served"), path)
    monkeypatch.setattr(registry, "PATH", path)
    return entry


def serve(tmp_path, *faults, forever=False):
    return Server(tmp_path / "served", faults, forever).running()


def complete(entry) -> bool:
    """Whether the cache has every file, byte by byte, and nothing else is offered as a preset."""
    folder = cache.folder_of(entry)
    assert not folder.exists() or sorted(os.listdir(folder)) == sorted(entry.files)
    return folder.exists() and all(
        describe((folder / name).read_bytes()) == expected for name, expected in entry.files.items()
    )


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


# One file


def test_a_file_comes_in_one_request(entry, tmp_path):
    with serve(tmp_path) as server:
        fetch_weights(server.url, tmp_path)
    assert server.requests == [("/tiny_mnist/model.weights.h5", None)]


def test_a_truncated_file_is_resumed_where_it_ended(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.truncate(100_000), tiny_zoo.truncate(50_000)) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize(
    "fault",
    [
        status(429),
        status(500),
        status(503, Retry_After="0"),
        status(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
        tiny_zoo.drop,
        tiny_zoo.stall(1000, 1.0),
    ],
)
def test_a_failure_that_passes_is_tried_again(entry, tmp_path, fault):
    with serve(tmp_path, fault) as server:
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", [status(503), tiny_zoo.drop, tiny_zoo.truncate(0)])
def test_a_failure_that_stays_ends_after_the_last_attempt(entry, tmp_path, fault):
    with (
        serve(tmp_path, fault, forever=True) as server,
        pytest.raises(DownloadError, match="tried 3 times"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 3


def test_attempts_wait_longer_each_time_and_as_long_as_the_server_asks(entry, tmp_path):
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
def test_a_refusal_is_not_asked_again(entry, tmp_path, code):
    with (
        serve(tmp_path, status(code), forever=True) as server,
        pytest.raises(DownloadError, match=rf"model\.weights\.h5: {code} "),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1


def test_other_content_is_refused_before_it_is_read(entry, tmp_path):
    with (
        serve(tmp_path, tiny_zoo.replace(b"<html>Not here</html>")) as server,
        pytest.raises(DownloadError, match=f"21 bytes, not {WEIGHTS}"),
    ):
        fetch_weights(server.url, tmp_path)
    assert os.listdir(tmp_path / "there") == []


def test_a_corrupt_file_is_removed_and_refused(entry, tmp_path):
    with (
        serve(tmp_path, tiny_zoo.corrupt, forever=True) as server,
        pytest.raises(DownloadError, match="another SHA-256"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1
    assert os.listdir(tmp_path / "there") == []


def test_a_start_that_was_wrong_is_fetched_anew(entry, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".model.weights.h5.part").write_bytes(b"\0" * 1000)
    with serve(tmp_path) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_a_start_that_is_too_long_is_thrown_away(entry, tmp_path):
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
def test_a_server_without_ranges_sends_the_whole_file(entry, tmp_path, second, count):
    with serve(tmp_path, tiny_zoo.truncate(1000), second) as server:
        fetch_weights(server.url, tmp_path)
    assert [asked for _, asked in server.requests] == [None, "bytes=1000-", None][:count]


def test_a_file_without_a_length_is_bounded(entry, tmp_path):
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


def test_redirects_are_followed_and_keep_the_range(entry, tmp_path):
    with serve(tmp_path) as real:
        there = f"{real.url}/tiny_mnist/model.weights.h5"
        faults = [tiny_zoo.truncate(1000), status(302, Location=there)]
        with serve(tmp_path, *faults) as server:
            fetch_weights(server.url, tmp_path)
    assert real.requests == [("/tiny_mnist/model.weights.h5", "bytes=1000-")]


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,hello"])
def test_redirects_to_anything_but_http_are_refused(entry, tmp_path, where):
    with serve(tmp_path, status(302, Location=where)) as server, pytest.raises(DownloadError):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) == 1
    assert os.listdir(tmp_path / "there") == []


def test_redirects_in_a_circle_end(entry, tmp_path):
    location = "/tiny_mnist/model.weights.h5"
    with (
        serve(tmp_path, status(302, Location=location), forever=True) as server,
        pytest.raises(DownloadError, match="302"),
    ):
        fetch_weights(server.url, tmp_path)
    assert len(server.requests) <= 11


def test_a_server_that_is_not_there(entry, tmp_path):
    with serve(tmp_path) as server:
        pass
    with pytest.raises(DownloadError, match=r"refused.*tried 3 times"):
        fetch_weights(server.url, tmp_path)
    with pytest.raises(DownloadError, match=r"no\.such\.host\.invalid"):
        fetch_weights("http://no.such.host.invalid", tmp_path)


# A preset


def test_a_preset_is_downloaded_once_and_then_taken_from_the_cache(entry, tmp_path, capsys):
    with serve(tmp_path) as server:
        folder = cache.fetch(entry, [server.url], FAST)
    assert complete(entry)
    assert folder == cache.folder_of(entry)
    assert sorted(path for path, _ in server.requests) == [
        f"/tiny_mnist/{name}" for name in sorted(entry.files)
    ]
    assert capsys.readouterr().err == (
        f"Downloading tiny_mnist ({entry.bytes / 1e6:.1f} MB)\nDownloaded tiny_mnist\n"
    )
    assert cache.fetch(entry, [server.url], FAST) == folder
    assert len(server.requests) == 4
    assert os.listdir(cache.home() / "partial") == []


def test_the_next_mirror_goes_on_where_one_fails(entry, tmp_path):
    with serve(tmp_path, status(404)) as first, serve(tmp_path) as second:
        cache.fetch(entry, [first.url, second.url], FAST)
    assert complete(entry)
    assert (len(first.requests), len(second.requests)) == (4, 1)


def test_when_no_mirror_has_it_the_error_names_each_and_what_to_do(entry, tmp_path):
    with (
        serve(tmp_path, status(404), forever=True) as first,
        serve(tmp_path, tiny_zoo.corrupt, forever=True) as second,
        pytest.raises(DownloadError) as caught,
    ):
        cache.fetch(entry, [first.url, second.url], FAST)
    text = str(caught.value)
    assert f"{first.url}/tiny_mnist/README.md: 404" in text
    assert f"{second.url}/tiny_mnist/README.md: another SHA-256" in text
    assert "infomodels download tiny_mnist" in text
    assert "KERAS_INFOMODELS_ZOO_URL" in text
    assert not complete(entry)


def test_a_damaged_cache_is_never_used_and_is_replaced(entry, tmp_path):
    with serve(tmp_path) as server:
        folder = cache.fetch(entry, [server.url], FAST)
        for damage in (
            lambda: (folder / "config.json").unlink(),
            lambda: (folder / "model.weights.h5").write_bytes(b"\0" * WEIGHTS),
            lambda: (folder / "README.md").write_text("longer than it was" * 99),
        ):
            damage()
            assert cache.cached(entry) is None
            cache.fetch(entry, [server.url], FAST)
            assert complete(entry)


def test_links_in_the_cache_are_neither_read_nor_written_through(entry, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(tmp_path / "served" / "tiny_mnist", outside)
    (outside / "README.md").write_text("---")
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    folder = cache.folder_of(entry)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside)
    stage = cache.home() / "partial" / f"tiny_mnist-{entry.revision}"
    stage.mkdir(parents=True)
    (stage / ".README.md.part").symlink_to(outside / "README.md")
    assert cache.cached(entry) is None
    with serve(tmp_path) as server:
        cache.fetch(entry, [server.url], FAST)
    assert complete(entry)
    assert not any(path.is_symlink() for path in (folder, *folder.iterdir()))
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_file_urls_are_mirrors_too(entry, tmp_path):
    url = (tmp_path / "served").as_uri()
    cache.fetch(entry, ["file:///no/such/folder", url], FAST)
    assert complete(entry)
    shutil.rmtree(cache.home())
    weights = tmp_path / "served" / "tiny_mnist" / "model.weights.h5"
    weights.rename(tmp_path / "elsewhere.h5")
    weights.symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(DownloadError, match="is a link"):
        cache.fetch(entry, [url], FAST)
    weights.unlink()
    weights.write_bytes(b"short")
    with pytest.raises(DownloadError, match="5 bytes, not"):
        cache.fetch(entry, [url], FAST)
    with pytest.raises(DownloadError, match="three slashes"):
        cache.fetch(entry, ["file://data/zoo"], FAST)
    assert not complete(entry)


def test_offline_takes_the_cache_and_local_copies_alone(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    with serve(tmp_path) as server:
        with pytest.raises(DownloadError, match=r"OFFLINE is set.*infomodels download tiny_mnist"):
            cache.fetch(entry, [server.url], FAST)
        assert cache.fetch(entry, [server.url, (tmp_path / "served").as_uri()], FAST)
        assert cache.fetch(entry, [server.url], FAST)
    assert server.requests == []


def test_where_the_cache_and_the_mirrors_are(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_INFOMODELS_HOME", str(tmp_path / "mine"))
    assert cache.home() == tmp_path / "mine"
    monkeypatch.delenv("KERAS_INFOMODELS_HOME")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert cache.home() == tmp_path / "keras" / "keras_infomodels"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.home() == tmp_path / ".keras" / "keras_infomodels"
    assert cache.base_urls() == [cache.BASE_URL]
    monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", "https://a.example/zoo, file:///b")
    assert cache.base_urls() == ["https://a.example/zoo", "file:///b"]
    for wrong in ("ftp://a.example", "/data/zoo"):
        monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", wrong)
        with pytest.raises(ValueError, match="https://, http:// or file:///"):
            cache.base_urls()


# Processes

CODE = """
import sys
from pathlib import Path
from keras_infomodels.zoo import registry
registry.PATH = Path(sys.argv[1])
from keras_infomodels import zoo
print(zoo.locate("tiny_mnist"))
foreign = {name.partition(".")[0] for name in sys.modules}
print(sorted(foreign & {"tensorflow", "keras", "h5py", "numpy", "requests", "huggingface_hub"}))
"""


def start(server, code=CODE, **options):
    environment = os.environ | {
        "KERAS_INFOMODELS_ZOO_URL": server.url,
        "KERAS_INFOMODELS_HOME": str(cache.home()),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, str(registry.PATH)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_sixteen_processes_share_one_download_without_tensorflow(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.truncate(10, lambda: time.sleep(0.3))) as server:
        processes = [start(server) for _ in range(16)]
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert out.splitlines() == [str(cache.folder_of(entry)), "[]"], err
    assert complete(entry)
    # Each of the four files once, and one again after the truncation.
    assert len(server.requests) == 5


def test_processes_without_locks_leave_one_whole_folder(entry, tmp_path):
    code = "import sys\nsys.modules['fcntl'] = None\n" + CODE
    with serve(tmp_path) as server:
        processes = [start(server, code=code) for _ in range(4)]
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert out.splitlines()[0] == str(cache.folder_of(entry)), err
    assert complete(entry)
    assert os.listdir(cache.home() / "partial") == []
    assert 4 <= len(server.requests) <= 16


def test_a_kill_in_the_middle_leaves_nothing_to_use_and_something_to_go_on_from(entry, tmp_path):
    stuck = tiny_zoo.stall(200_000, 3)

    def once_at_weights(server, handler, content):
        return "weights" in handler.path and stuck(server, handler, content)

    with serve(tmp_path, once_at_weights, forever=True) as server:
        process = start(server)
        part = cache.home() / "partial" / f"tiny_mnist-{entry.revision}" / ".model.weights.h5.part"
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 100_000):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        arrived = part.stat().st_size
        assert not cache.folder_of(entry).exists()
        assert zoo.find("tiny_mnist") is None
    with serve(tmp_path) as server:
        cache.fetch(entry, [server.url], FAST)
    assert complete(entry)
    # The three small files had arrived whole.
    assert server.requests == [("/tiny_mnist/model.weights.h5", f"bytes={arrived}-")]


def small_files_only():
    resource.setrlimit(resource.RLIMIT_FSIZE, (WEIGHTS // 2, WEIGHTS // 2))


def last_line(process) -> str:
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    return err.splitlines()[-1]


def test_a_full_disk_gets_a_clear_error(entry, tmp_path):
    with serve(tmp_path) as server:
        error = last_line(start(server, preexec_fn=small_files_only))
        assert "there is no room for it; make room, or set KERAS_INFOMODELS_HOME" in error
        assert not complete(entry)
        cache.fetch(entry, [server.url], FAST)
    assert complete(entry)


@pytest.fixture
def read_only(entry, monkeypatch):
    """The cache, to be made read-only, where root's children of another user can look at it."""
    with contextlib.ExitStack() as stack:
        home = cache.home()
        if os.geteuid() == 0:
            # Pytest's own folders are root's alone.
            open_folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            open_folder.chmod(0o755)
            home = open_folder / "home"
            shutil.copy(registry.PATH, open_folder)
            monkeypatch.setattr(registry, "PATH", open_folder / "registry.json")
            monkeypatch.setenv("KERAS_INFOMODELS_HOME", str(home))
        home.mkdir()
        yield home
        for folder in (home, *(path for path in home.rglob("*") if path.is_dir())):
            folder.chmod(0o755)


# Root may write anywhere, so its child becomes nobody, who may not be able to read this checkout.
AS_NOBODY = CODE.replace(
    "print(zoo",
    "import os\nzoo.PRESETS = registry.PATH.parent\n"
    "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\nprint(zoo",
    1,
)
UNPRIVILEGED = AS_NOBODY if os.geteuid() == 0 else CODE


def test_a_read_only_cache_is_used_and_not_written(entry, tmp_path, read_only):
    with serve(tmp_path) as server:
        read_only.chmod(0o555)
        error = last_line(start(server, code=UNPRIVILEGED))
        assert f"could not be put into the cache {read_only}" in error
        assert "set KERAS_INFOMODELS_HOME to a folder where you may write" in error
        assert server.requests == []
        read_only.chmod(0o755)
        cache.fetch(entry, [server.url], FAST)
        for folder in (read_only, *(path for path in read_only.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
        out, err = start(server, code=UNPRIVILEGED).communicate(timeout=60)
        assert out.splitlines()[0] == str(cache.folder_of(entry)), err


def test_a_cache_that_is_a_file_gets_a_clear_error(entry, tmp_path):
    cache.home().write_text("a file")
    with (
        serve(tmp_path) as server,
        pytest.raises(DownloadError, match="could not be put into the cache"),
    ):
        cache.fetch(entry, [server.url], FAST)
    assert server.requests == []


# What people see


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_a_file_two_lines():
    screen, file = Terminal(), io.StringIO()
    for stream in (screen, file):
        with Progress("tiny", 2_000_000, stream) as progress:
            progress.after(500_000)(500_000)
            progress(2_000_000)
    half = "\rtiny [" + "#" * 15 + "-" * 15 + "]  50% 1.0 of 2.0 MB"
    whole = "\rtiny [" + "#" * 30 + "] 100% 2.0 of 2.0 MB\n"
    assert screen.getvalue() == half + whole
    assert file.getvalue() == "Downloading tiny (2.0 MB)\nDownloaded tiny\n"
