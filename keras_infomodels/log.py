"""Logger of the library, and its output in the command."""

import contextlib
import logging
import sys
from collections.abc import Iterator

__all__ = ["LOGGER", "printing"]

LOGGER = logging.getLogger("keras_infomodels")


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Context manager in which messages of the library are printed to stdout, as in the command."""
    handler = logging.StreamHandler(sys.stdout)
    level, propagate = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate
