"""Runs the tests on copies of the package with one fault each, which they must find.

    python tests/mutations/run.py [NAME ...]

The faults are those of mutations.toml; a NAME is one of them or a part of its name. A fault is
killed if each of its tests fails. One that survives, one that keeps its tests from running and one
whose text is not in its file exactly once end the run with exit code 1.
"""

import compileall
import itertools
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parents[2]
COPIES = 2
SECONDS, CLEAN_SECONDS = 120, 900
"""The longest that one test of a fault, and half of all tests without a fault, may take."""

PYTEST = ["-x", "-q", "--tb=short", "-m", "not slow", "-p", "no:cacheprovider"]
NO_FINDING = re.compile(
    r"^E +(ImportError|ModuleNotFoundError|SyntaxError|IndentationError|NameError)\b", re.MULTILINE
)
LATE, NONE, ELSEWHERE = -signal.SIGALRM, 5, 99
"""Exit codes: after SECONDS, pytest's own of no tests, where another copy was imported."""
SERVER = f"""
import json, os, signal, sys
import keras, scipy.stats, sklearn.mixture, tensorflow, tensorflow_probability

folder = os.getcwd() + os.sep
for line in sys.stdin:
    arguments, log, seconds = json.loads(line)
    if not (child := os.fork()):
        signal.alarm(seconds)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest
        code = pytest.main(arguments)
        sys.stdout.flush()
        own = [m for name, m in sys.modules.items() if name.startswith("keras_infomodels")]
        os._exit(code if all(m.__file__.startswith(folder) for m in own) else {ELSEWHERE})
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Mutation:
    """A fault and the tests that must find it; mutations.toml says what the fields hold."""

    name: str
    kind: str
    fault: str
    file: str
    old: str
    new: str
    tests: Sequence[str]

    def stale(self) -> str:
        """What to do where the text is not in its file exactly once; empty where it is."""
        count = (ROOT / self.file).read_text().count(self.old)
        if count == 1:
            return ""
        return (
            f"{self.name}: {self.old!r} is in {self.file} {count} times, not once; write in "
            "mutations.toml how the line reads now."
        )


def load() -> list[Mutation]:
    """The mutations of mutations.toml, in its order."""
    text = Path(__file__).with_name("mutations.toml").read_text()
    return [Mutation(**table) for table in tomllib.loads(text)["mutation"]]


class Copy:
    """A copy of the package, without the presets, and a process that runs its tests.

    The process imports TensorFlow once and runs each test in a fork of itself.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__", "presets")
        shutil.copytree(ROOT / "keras_infomodels", folder / "keras_infomodels", ignore=ignored)
        for name in ("export", "zoo"):  # where the installed package has them
            target = folder / "keras_infomodels" / name
            shutil.copytree(ROOT / name, target, ignore=ignored)
            (folder / name).symlink_to(target)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        # Compiled code that is compared with its source, so that no fault outlives its file.
        mode = PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder, quiet=1, invalidation_mode=mode)
        (folder / "tmp").mkdir()
        own = {
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(folder / "tmp"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=folder,
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "errors").open("w"),
            text=True,
            start_new_session=True,  # so that its children can be ended with it
        )

    def run(self, tests: Sequence[str], seconds: int = SECONDS) -> tuple[int, str]:
        """Exit code and output of pytest."""
        log = self.folder / "log"
        self.process.stdin.write(json.dumps([[*PYTEST, *tests], str(log), seconds]) + "\n")
        self.process.stdin.flush()
        if not (code := self.process.stdout.readline()):
            raise RuntimeError(f"The tests' process ended:\n{(self.folder / 'errors').read_text()}")
        return int(code), log.read_text()

    def end(self):
        """Ends the process and its children."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def judge(mutation: Mutation, copies: queue.Queue) -> tuple[str, str, float]:
    """The state (killed, SURVIVED or ERROR), what to do about it, and the seconds it took."""
    copy, start = copies.get(), time.monotonic()
    path = copy.folder / mutation.file
    text = path.read_text()
    path.write_text(text.replace(mutation.old, mutation.new))
    state, advice = "killed", ""
    for test in mutation.tests:
        code, output = copy.run([test])
        if code == 0:
            state = "SURVIVED"
            advice = f"{test} passes with {mutation.fault} in {mutation.file}: write a test with a "
            advice += "known answer that fails, and name it in mutations.toml."
        elif code == NONE:
            state, advice = "ERROR", f"{test} is marked slow or absent; name another one."
        elif code == LATE:
            state, advice = "ERROR", f"{test} took more than {SECONDS} s; name a faster one."
        elif code != 1 or NO_FINDING.search(output) or "\nFAILED " not in output:
            state = "ERROR"
            advice = f"{test} did not run to a failure (exit code {code}): correct the new text or "
            advice += f"the test's name in mutations.toml.\n{output[-2000:]}"
        if state != "killed":
            break
    path.write_text(text)
    copies.put(copy)
    return state, advice, time.monotonic() - start


def main(names: Sequence[str]) -> int:
    """Runs the mutations of these names, all if there are none; returns the exit code."""
    chosen = [m for m in load() if not names or any(name in m.name for name in names)]
    if not chosen:
        sys.exit(f"No mutation has {' or '.join(names)} in its name.")
    if stale := list(filter(None, (mutation.stale() for mutation in chosen))):
        sys.exit("\n".join(stale))
    start, counts = time.monotonic(), dict.fromkeys(("killed", "SURVIVED", "ERROR"), 0)
    all_copies, copies, pool = [], queue.Queue(), ThreadPoolExecutor(COPIES)
    with tempfile.TemporaryDirectory(prefix="mutations-") as scratch:
        try:
            for i in range(COPIES):
                folder = Path(scratch).resolve() / str(i)
                folder.mkdir()
                all_copies.append(Copy(folder))
                copies.put(all_copies[-1])
            tests = sorted({test for mutation in chosen for test in mutation.tests})
            shares = [list(share) for i in range(COPIES) if (share := tests[i::COPIES])]
            clean = itertools.repeat(CLEAN_SECONDS)
            for code, output in pool.map(Copy.run, all_copies, shares, clean):
                if code != 0:
                    sys.exit(
                        f"The tests fail without a fault (exit code {code}); correct them first.\n"
                        f"{output[-4000:]}"
                    )
            print(f"The tests pass without a fault, {time.monotonic() - start:.0f} s.", flush=True)
            futures = {pool.submit(judge, mutation, copies): mutation for mutation in chosen}
            for future in as_completed(futures):
                state, advice, seconds = future.result()
                counts[state] += 1
                print(f"{futures[future].name:32} {state:8} {seconds:6.1f} s", flush=True)
                if advice:
                    print(f"    {advice}", flush=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for copy in all_copies:
                copy.end()
            pool.shutdown()
    print(
        f"{len(chosen)} mutations: {counts['killed']} killed, {counts['SURVIVED']} survived, "
        f"{counts['ERROR']} errors; {time.monotonic() - start:.0f} s."
    )
    return int(counts["killed"] < len(chosen))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped.")
