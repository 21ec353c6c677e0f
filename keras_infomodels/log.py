"""Logger of the library, and its output in the command."""

import contextlib
import importlib.abc
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator

__all__ = ["LOGGER", "line_is_open", "printing", "quiet_tensorflow"]

LOGGER = logging.getLogger("keras_infomodels")

_line = {"open": False}
"""Whether the last line of the output is a progress bar that has no line break yet."""


def line_is_open(is_open: bool):
    """States whether a progress bar without a line break is the last line of the output."""
    _line["open"] = bool(is_open)


def _end_line(record: logging.LogRecord) -> bool:
    """Ends the line of a progress bar before a message; a filter that passes all records."""
    if _line["open"]:
        sys.stdout.write("\n")
        sys.stdout.flush()
        _line["open"] = False
    return True


LOGGER.addFilter(_end_line)


class _Handler(logging.StreamHandler):
    """Handler that lets the command end if nobody reads its output, in place of a traceback."""

    def handleError(self, record):
        if isinstance(sys.exception(), BrokenPipeError):
            raise
        super().handleError(record)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Context manager in which messages and warnings are printed to stdout, as in the command."""
    handler = _Handler(sys.stdout)
    level, propagate = LOGGER.level, LOGGER.propagate
    show = warnings.showwarning
    # Without the line of the library's source.
    warnings.showwarning = lambda message, *others, **more: LOGGER.warning("Warning: %s", message)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        warnings.showwarning = show
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Context manager in which the import of TensorFlow writes nothing to stderr.

    Its libraries write about oneDNN and CUDA before TF_CPP_MIN_LOG_LEVEL is read. What they wrote
    is shown if the import fails. Warnings of absl, such as those of TFDS, are silenced too.
    """
    finder = _QuietFinder()
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow once, with a loader that keeps stderr in a file."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _load_quietly(load, module)
        return spec


def _load_quietly(load, module):
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 2)  # C++ writes to the descriptor, not to sys.stderr
            load(module)
        except Exception:  # an import that fails, and not one that is interrupted
            os.dup2(kept, 2)
            file.seek(0)
            shutil.copyfileobj(file, sys.stderr.buffer)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.ERROR)
