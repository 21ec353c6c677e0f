"""Whole presets: the cache, mirrors, processes that share it, disks that refuse."""

import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest
import tiny_zoo
from tiny_zoo import WEIGHTS, describe, serve, status

from keras_infomodels import zoo
from keras_infomodels.zoo import cache, registry
from keras_infomodels.zoo.download import DownloadError


def complete(entry) -> bool:
    """Whether the cache has the preset, byte by byte, and nothing else beside the lock."""
    folder = cache.folder_of(entry)
    assert not folder.exists() or {*os.listdir(folder.parent)} == {entry.digest, ".lock"}
    found = {path.name: describe(path.read_bytes()) for path in folder.glob("*")}
    return found == entry.files


@pytest.fixture
def fetch(entry, monkeypatch):
    """Fetches the preset of the registry from these places."""

    def fetch(*urls):
        monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", ", ".join(urls))
        return cache.fetch(entry)

    return fetch


def test_fetch_downloads_once(entry, tmp_path, fetch, capfd):
    with serve(tmp_path) as server:
        folder = fetch(server.url)
        assert complete(entry)
        assert sorted(server.requests) == [f"/tiny_mnist/{name}" for name in sorted(entry.files)]
        assert fetch(server.url) == folder == cache.folder_of(entry) == cache.cached(entry)
    assert len(server.requests) == 4
    # There is no bar in a log.
    assert capfd.readouterr() == ("", "")


def test_fetch_tries_mirrors_in_order_and_names_each_in_one_line(entry, tmp_path, fetch):
    with (
        serve(tmp_path, status(404), forever=True) as first,
        serve(tmp_path, tiny_zoo.corrupt, forever=True) as second,
    ):
        with pytest.raises(DownloadError) as caught:
            fetch(first.url, second.url)
        assert os.listdir(cache.folder_of(entry).parent) == [".lock"]
        second.faults.clear()
        fetch(first.url, second.url)
    message = str(caught.value)
    assert f"{first.url}/tiny_mnist/README.md: 404 Not Found; {second.url}/tiny" in message
    assert "\n" not in message
    assert complete(entry)
    # What is absent is asked for once, and what was corrupt twice.
    assert (len(first.requests), len(second.requests)) == (2, 6)


def test_fetch_replaces_a_damaged_copy(entry, tmp_path, fetch):
    with serve(tmp_path) as server:
        folder = fetch(server.url)
        for name, content in (
            ("model.weights.h5", b"\0" * WEIGHTS),
            ("README.md", b"longer than it was" * 99),
        ):
            (folder / name).write_bytes(content)
            assert cache.cached(entry) is None
            fetch(server.url)
            assert complete(entry)
        (folder / "config.json").unlink()
        with pytest.raises(DownloadError):
            fetch(f"{server.url}/elsewhere")
        # The damaged copy stays until there is another one.
        assert len(os.listdir(folder)) == 3
        fetch(server.url)
    assert complete(entry)


def test_fetch_neither_reads_nor_writes_through_links(entry, tmp_path, fetch):
    outside = tmp_path / "outside"
    shutil.copytree(tmp_path / "served" / "tiny_mnist", outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    folder = cache.folder_of(entry)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside)
    (folder.parent / ".stale").symlink_to(outside)
    assert cache.cached(entry) is None
    with serve(tmp_path) as server:
        fetch(server.url)
    assert complete(entry)
    assert not folder.is_symlink()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_fetch_into_a_cache_that_is_a_file_says_what_to_do(entry, fetch):
    cache.home().write_text("a file")
    with pytest.raises(DownloadError, match="could not be put into the cache"):
        fetch("http://no.host.invalid")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_fetch_refuses_what_is_in_the_place_of_a_lock(entry, fetch, make):
    """Opening a pipe would wait for a reader without end."""
    folder = cache.folder_of(entry).parent
    folder.mkdir(parents=True)
    make(folder / ".lock")
    with pytest.raises(DownloadError, match=r"\.lock is where a lock file should be; remove it"):
        fetch("http://no.host.invalid")


def test_fetch_offline_takes_the_cache_and_local_copies_alone(entry, tmp_path, fetch, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    with serve(tmp_path) as server:
        with pytest.raises(DownloadError, match=r"not in the cache .*OFFLINE is set\. Unset it"):
            fetch(server.url)
        assert not cache.home().exists()
        fetch(server.url, (tmp_path / "served").as_uri())
        assert complete(entry)
        fetch(server.url)
    assert server.requests == []


def test_home_and_base_url_are_the_defaults(entry, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("KERAS_INFOMODELS_HOME", "~/mine")
    assert cache.home() == tmp_path / "mine"
    monkeypatch.delenv("KERAS_INFOMODELS_HOME")
    assert cache.home() == tmp_path / "keras" / "keras_infomodels"
    monkeypatch.delenv("KERAS_HOME")
    assert cache.home() == tmp_path / ".keras" / "keras_infomodels"
    monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", " , ")
    monkeypatch.setattr(cache, "BASE_URL", (tmp_path / "served").as_uri())
    cache.fetch(entry)
    assert complete(entry)


# Processes

CODE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background job
import sys
from pathlib import Path
from keras_infomodels.zoo import registry
registry.PATH = Path(sys.argv[1])
from keras_infomodels import zoo
print(zoo.locate("tiny_mnist"))
foreign = {name.partition(".")[0] for name in sys.modules}
print(*sorted(foreign & {"tensorflow", "keras", "h5py", "numpy", "requests", "tqdm"}))
"""


def start(server, code=CODE, **options):
    environment = os.environ | {
        "KERAS_INFOMODELS_ZOO_URL": server.url,
        "KERAS_INFOMODELS_HOME": str(cache.home()),
    }
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-c", code, str(registry.PATH)]
    return subprocess.Popen(command, env=environment, text=True, **options)


def test_processes_share_one_download_without_tensorflow(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.truncate(10, lambda: time.sleep(0.5))) as server:
        processes = [start(server) for _ in range(4)]
        outputs = [process.communicate(timeout=60) for process in processes]
        assert complete(entry)
        # Each of the four files once, and one again after the truncation.
        assert len(server.requests) == 5
        for out, _ in outputs:
            folder, loaded = out.split("\n")[:2]
            assert folder == str(cache.folder_of(entry))
            # Only the process that downloads needs more than the standard library.
            assert loaded in ("requests tqdm", "")
        assert sum("requests" in out for out, _ in outputs) == 1
        assert any("waiting for it" in err for _, err in outputs)


def test_processes_without_locks_leave_one_whole_folder(entry, tmp_path):
    code = "import sys\nsys.modules['fcntl'] = None\n" + CODE
    with serve(tmp_path) as server:
        for process in [start(server, code=code) for _ in range(2)]:
            out, err = process.communicate(timeout=60)
            assert out.splitlines()[:1] == [str(cache.folder_of(entry))], err
    assert complete(entry)
    assert 4 <= len(server.requests) <= 8


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_fetch_is_whole_after_a_process_that_was_stopped(entry, tmp_path, fetch, how):
    stuck = tiny_zoo.stall(200_000, 60)

    def stuck_at_weights(server, handler, content):
        return "weights" in handler.path and stuck(server, handler, content)

    with serve(tmp_path, stuck_at_weights, forever=True) as server:
        process = start(server)
        deadline = time.monotonic() + 60
        while not any("weights" in path for path in server.requests):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(how)
        process.communicate(timeout=30)
        assert process.returncode == -how
    parent = cache.folder_of(entry).parent
    assert len(os.listdir(parent)) == (2 if how == signal.SIGKILL else 1)
    assert zoo.find("tiny_mnist") is None
    with serve(tmp_path) as server:
        fetch(server.url)
    assert complete(entry)


def test_fetch_draws_a_bar_on_a_terminal(entry, tmp_path):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with serve(tmp_path) as server:
        start(server, stderr=theirs).communicate(timeout=60)
    os.close(theirs)
    screen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "tiny_mnist: 100%" in screen
    assert complete(entry)


def last_line(process) -> str:
    return process.communicate(timeout=60)[1].splitlines()[-1]


def test_fetch_on_a_full_disk_says_what_to_do(entry, tmp_path, fetch):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (WEIGHTS // 2, WEIGHTS // 2))

    with serve(tmp_path) as server:
        error = last_line(start(server, preexec_fn=limit))
        assert "could not be put into the cache" in error
        assert "File too large" in error
        assert "make room, get the permission to write there, or set KERAS_INFOMODELS_HOME" in error
        assert os.listdir(cache.folder_of(entry).parent) == [".lock"]
        fetch(server.url)
    assert complete(entry)


@pytest.fixture
def read_only(entry, monkeypatch):
    """The cache, to be made read-only, outside pytest's folders, which are its user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        Path(folder).chmod(0o755)
        monkeypatch.setattr(registry, "PATH", shutil.copy(registry.PATH, folder))
        monkeypatch.setenv("KERAS_INFOMODELS_HOME", str(home))
        yield home
        for path in (home, *home.rglob("*")):
            path.chmod(0o755)


# Root may write anywhere, so its child becomes nobody, who may not be able to read this checkout.
AS_NOBODY = "import os\nzoo.PRESETS = registry.PATH.parent\nos.setgid(65534)\nos.setuid(65534)\n"
UNPRIVILEGED = CODE.replace("print(zoo", (os.geteuid() == 0) * AS_NOBODY + "print(zoo")


def test_fetch_uses_a_read_only_cache(entry, tmp_path, read_only, fetch):
    with serve(tmp_path) as server:
        read_only.chmod(0o555)
        error = last_line(start(server, code=UNPRIVILEGED))
        assert f"could not be put into the cache {read_only}" in error
        assert server.requests == []
        read_only.chmod(0o755)
        fetch(server.url)
        for path in (*read_only.rglob("*"), read_only):
            path.chmod(0o555)
        out, err = start(server, code=UNPRIVILEGED).communicate(timeout=60)
        assert out.splitlines()[:1] == [str(cache.folder_of(entry))], err
