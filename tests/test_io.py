"""Writes that end early, and calls that do not end."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_infomodels import io
from keras_infomodels.io import call_within, fill_folder, remove, replace_folder, write_atomically


def test_write_atomically_creates_and_replaces(tmp_path):
    path = tmp_path / "new" / "file.txt"
    for content, written in ((b"\0\r\n", b"\0\r\n"), ("\u00e9\n", b"\xc3\xa9\n"), ("", b"")):
        write_atomically(path, content)
        assert path.read_bytes() == written
    write_atomically(str(path), "text")
    assert os.listdir(path.parent) == ["file.txt"]
    # The mode is that of any other new file.
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_write_atomically_replaces_a_link_itself(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", "new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "old"


CODE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background job
from keras_infomodels.io import write_atomically
assert not {"tensorflow", "keras", "numpy"} & set(sys.modules)
while True:
    for letter in "ab":
        write_atomically(sys.argv[1], letter * 300_000)
"""


def python(path, **options):
    return subprocess.Popen([sys.executable, "-c", CODE, path], stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_write_atomically_is_whole_when_it_is_stopped(tmp_path, how):
    path = tmp_path / "file"
    with python(path) as process:
        deadline = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(20):
            assert path.read_text() in ("a" * 300_000, "b" * 300_000)
        process.send_signal(how)
    assert path.read_text() in ("a" * 300_000, "b" * 300_000)
    assert how == signal.SIGKILL or os.listdir(tmp_path) == ["file"]


def test_write_atomically_keeps_the_old_file_on_a_full_disk(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    limits = (100_000, 100_000)
    with python(path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)) as full:
        assert b"File too large" in full.stderr.read()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("before", ["nothing", "file", "link", "folder"])
def test_replace_folder_replaces_what_is_there(tmp_path, before):
    target, new, outside = (tmp_path / name for name in ("target", "new", "outside"))
    for folder in (new, outside):
        folder.mkdir()
        write_atomically(folder / "file", folder.name)
    if before == "file":
        target.touch()
    elif before == "link":
        target.symlink_to(outside)
    elif before == "folder":
        write_atomically(target / "inner" / "other", "")
    replace_folder(new, target)
    assert sorted(os.listdir(tmp_path)) == ["outside", "target"]
    assert (target / "file").read_text() == "new"
    assert (outside / "file").read_text() == "outside"


def test_replace_folder_puts_the_old_one_back(tmp_path):
    write_atomically(tmp_path / "target" / "file", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "missing", tmp_path / "target")
    assert os.listdir(tmp_path) == ["target"]
    assert (tmp_path / "target" / "file").read_text() == "old"


def test_fill_folder_fills_once_and_removes_what_is_stale(tmp_path):
    folder = tmp_path / "a" / "folder"
    write_atomically(folder.parent / ".folder.1.tmp" / "part", "")
    calls = []

    def fill(new):
        calls.append(new)
        write_atomically(new / "file", "content")

    threads = [
        threading.Thread(target=fill_folder, args=(folder, (folder / "file").exists, fill))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert sorted(os.listdir(folder.parent)) == [".lock", "folder"]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_fill_folder_leaves_nothing_when_it_fails(tmp_path, error):
    def fill(new):
        write_atomically(new / "file", "content")
        raise error

    with pytest.raises(error):
        fill_folder(tmp_path / "folder", lambda: False, fill)
    assert os.listdir(tmp_path) == [".lock"]


def test_remove_ignores_what_is_not_there(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "missing"):
        remove(tmp_path / name)
    assert os.listdir(tmp_path) == ["folder"]


def test_call_within_returns_or_raises_what_the_function_does():
    assert call_within(60, lambda stopped: stopped.is_set()) is False
    with pytest.raises(ZeroDivisionError):
        call_within(60, lambda stopped: 1 / 0)


def test_call_within_stops_waiting():
    events = []

    def function(stopped):
        events.append(stopped)
        stopped.wait(60)

    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not finished after 0\.1 seconds"):
        call_within(0.1, function)
    assert time.monotonic() - start < 30
    assert events[0].is_set()


def test_replace_folder_leaves_no_instant_without_a_folder(tmp_path):
    """A thread looks at the place all the time; before, each exchange left a moment."""
    target, missing, done = tmp_path / "target", [], threading.Event()
    target.mkdir()

    def look():
        while not done.is_set():
            if not target.is_dir():
                missing.append(1)

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(200):
        new = tmp_path / "new"
        new.mkdir()
        (new / str(number)).touch()
        io.replace_folder(new, target)
        assert [path.name for path in target.iterdir()] == [str(number)]
    done.set()
    thread.join()
    assert not missing
    assert list(tmp_path.iterdir()) == [target]


def test_replace_folder_without_an_exchange_renames_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "_exchange", lambda new, target: False)
    for number in range(2):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / str(number)).touch()
        io.replace_folder(tmp_path / "new", tmp_path / "target")
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["1"]
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


def test_saving_folder_removes_what_killed_processes_left_and_nothing_else(tmp_path):
    code = """
import os, sys
from keras_infomodels.io import saving_folder
with saving_folder(sys.argv[1]) as folder:
    (folder / "half").write_text("written")
    print(folder, flush=True)
    if sys.argv[2] == "die": os._exit(9)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run([*command, "die"], capture_output=True)
    assert len(list(tmp_path.glob(".saving-*"))) == 1
    (tmp_path / ".mine").mkdir()
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "live"], stdin=pipe, stdout=pipe, text=True) as process:
        other = Path(process.stdout.readline().strip())
        with io.saving_folder(tmp_path) as folder:
            assert set(tmp_path.iterdir()) == {folder, other, tmp_path / ".mine"}
        process.stdin.close()
    assert list(tmp_path.iterdir()) == [tmp_path / ".mine"]


def test_saving_folder_names_a_full_disk(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        pytest.raises(OSError, match=r"The disk of .* is full; make room"),
        io.saving_folder(tmp_path / "new"),
    ):
        raise full
    assert not list((tmp_path / "new").iterdir())
    with pytest.raises(OSError, match="make room, or set TMPDIR"):
        io.check_temporary_room(2**60)


def test_printable_leaves_no_control_characters():
    assert io.printable("a\x1b[2J\r\n\tb\u202e\x00é") == "a [2J b é"


def test_waiting_for_lets_one_in_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        with io.waiting_for(tmp_path / "new" / ".lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_held_alone_refuses_the_second_and_ends_with_its_process(tmp_path):
    code = (
        "import os, sys; from keras_infomodels.io import held_alone\n"
        f"with held_alone({str(tmp_path)!r}, 'trains into'): print('in', flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout.readline() == b"in\n"
        with (
            pytest.raises(BlockingIOError, match=r"^Another process trains into .*wait"),
            io.held_alone(tmp_path, "trains into"),
        ):
            pass
        process.kill()
        process.wait()
        with io.held_alone(tmp_path, "trains into"):
            assert list(tmp_path.iterdir()) == []
