"""Closing lines of a test run: its time, and the tests that it left out."""

import collections
import os
import time

import pytest

LEFT_OUT = pytest.StashKey[collections.Counter]()
START = time.perf_counter()


def pytest_configure(config):
    config.stash[LEFT_OUT] = collections.Counter()
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Workers())


def pytest_deselected(items):
    counts = collections.Counter(item.path.stem.removeprefix("test_") for item in items)
    if items:
        items[0].config.stash[LEFT_OUT].update(counts)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash[LEFT_OUT])


class Workers:
    """Hooks of pytest-xdist."""

    @staticmethod
    def pytest_testnodedown(node, error):
        # Every worker collects all tests and leaves out the same ones.
        if left_out := getattr(node, "workeroutput", {}).get("left_out"):
            node.config.stash[LEFT_OUT] = collections.Counter(left_out)


def pytest_terminal_summary(terminalreporter, config):
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    wall = time.perf_counter() - START
    terminalreporter.write_line(f"Time: {wall:.0f} s, of CPU {cpu:.0f} s.")
    left_out = config.stash[LEFT_OUT]
    if config.option.markexpr == "not slow" and left_out:
        files = ", ".join(f"{name} {count}" for name, count in left_out.most_common(8))
        rest = len(left_out) - 8
        files += f" and {rest} more files" if rest > 0 else ""
        terminalreporter.write_line(
            f"Left to `make test-all`: {left_out.total()} slow tests ({files})."
        )
