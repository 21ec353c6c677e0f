"""Whole presets: the cache, mirrors, processes that share it, disks that refuse."""

import contextlib
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
from tiny_zoo import FAST, WEIGHTS, describe, serve, status

from keras_infomodels import zoo
from keras_infomodels.zoo import cache, registry
from keras_infomodels.zoo.download import DownloadError


def complete(entry) -> bool:
    """Whether the cache has every file, byte by byte, and nothing else is offered as a preset."""
    folder = cache.folder_of(entry)
    assert not folder.exists() or sorted(os.listdir(folder)) == sorted(entry.files)
    return folder.exists() and all(
        describe((folder / name).read_bytes()) == expected for name, expected in entry.files.items()
    )


# A preset


def test_fetch_downloads_once_and_then_uses_the_cache(entry, tmp_path, capsys):
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


def test_fetch_goes_on_with_the_next_mirror(entry, tmp_path):
    with serve(tmp_path, status(404)) as first, serve(tmp_path) as second:
        cache.fetch(entry, [first.url, second.url], FAST)
    assert complete(entry)
    assert (len(first.requests), len(second.requests)) == (4, 1)


def test_fetch_error_names_each_mirror_and_the_remedy(entry, tmp_path):
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


def test_cached_ignores_damaged_files_and_fetch_replaces_them(entry, tmp_path):
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


def test_fetch_neither_reads_nor_writes_through_links(entry, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(tmp_path / "served" / "tiny_mnist", outside)
    (outside / "README.md").write_text("---")
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    folder = cache.folder_of(entry)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside)
    stage = cache.home() / "partial" / f"tiny_mnist-{entry.digest}"
    stage.mkdir(parents=True)
    (stage / ".README.md.part").symlink_to(outside / "README.md")
    assert cache.cached(entry) is None
    with serve(tmp_path) as server:
        cache.fetch(entry, [server.url], FAST)
    assert complete(entry)
    assert not any(path.is_symlink() for path in (folder, *folder.iterdir()))
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_fetch_takes_file_urls_as_mirrors(entry, tmp_path):
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


def test_fetch_offline_takes_cache_and_local_copies_alone(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    with serve(tmp_path) as server:
        with pytest.raises(DownloadError, match=r"OFFLINE is set.*infomodels download tiny_mnist"):
            cache.fetch(entry, [server.url], FAST)
        assert cache.fetch(entry, [server.url, (tmp_path / "served").as_uri()], FAST)
        assert cache.fetch(entry, [server.url], FAST)
    assert server.requests == []


def test_cache_home_and_base_urls_follow_the_environment(monkeypatch, tmp_path):
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
    for wrong in ("ftp://a.example", "/data/zoo", "http://[bad", ","):
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


def test_locate_shares_one_download_among_sixteen_processes(entry, tmp_path):
    with serve(tmp_path, tiny_zoo.truncate(10, lambda: time.sleep(0.3))) as server:
        processes = [start(server) for _ in range(16)]
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert out.splitlines() == [str(cache.folder_of(entry)), "[]"], err
    assert complete(entry)
    # Each of the four files once, and one again after the truncation.
    assert len(server.requests) == 5


def test_locate_without_locks_leaves_one_whole_folder(entry, tmp_path):
    code = "import sys\nsys.modules['fcntl'] = None\n" + CODE
    with serve(tmp_path) as server:
        processes = [start(server, code=code) for _ in range(4)]
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert out.splitlines()[0] == str(cache.folder_of(entry)), err
    assert complete(entry)
    assert os.listdir(cache.home() / "partial") == []
    assert 4 <= len(server.requests) <= 16


def test_fetch_resumes_after_a_kill_without_partial_presets(entry, tmp_path):
    stuck = tiny_zoo.stall(200_000, 3)

    def once_at_weights(server, handler, content):
        return "weights" in handler.path and stuck(server, handler, content)

    with serve(tmp_path, once_at_weights, forever=True) as server:
        process = start(server)
        part = cache.home() / "partial" / f"tiny_mnist-{entry.digest}" / ".model.weights.h5.part"
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


def test_locate_gives_a_clear_error_on_a_full_disk(entry, tmp_path):
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


def test_locate_uses_a_read_only_cache_without_writing(entry, tmp_path, read_only):
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


def test_fetch_gives_a_clear_error_if_the_cache_is_a_file(entry, tmp_path):
    cache.home().write_text("a file")
    with (
        serve(tmp_path) as server,
        pytest.raises(DownloadError, match="could not be put into the cache"),
    ):
        cache.fetch(entry, [server.url], FAST)
    assert server.requests == []
