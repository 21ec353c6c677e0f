"""The progress of a download, on stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress"]

_WIDTH = 30


class Progress:
    """A bar where someone looks, two lines where stderr is a file.

    Called with the number of bytes that are there; a context manager.

    Args:
        name: what is downloaded.
        total: bytes in all.
        stream: None is stderr.
    """

    def __init__(self, name: str, total: int, stream: TextIO | None = None):
        self.name = name
        self.total = total
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self._drawn = 0.0

    def __enter__(self) -> "Progress":
        if not self.live:
            print(f"Downloading {self.name} ({self.total / 1e6:.1f} MB)", file=self.stream)
        return self

    def __exit__(self, kind, *_):
        if self.live:
            print(file=self.stream)
        elif kind is None:
            print(f"Downloaded {self.name}", file=self.stream)

    def __call__(self, done: int):
        now = time.monotonic()
        if not self.live or (done < self.total and now - self._drawn < 0.1):
            return
        self._drawn = now
        share = done / self.total if self.total else 1.0
        filled = int(_WIDTH * share)
        bar = "#" * filled + "-" * (_WIDTH - filled)
        sizes = f"{done / 1e6:.1f} of {self.total / 1e6:.1f} MB"
        self.stream.write(f"\r{self.name} [{bar}] {share:4.0%} {sizes}")
        self.stream.flush()

    def after(self, before: int) -> Callable[[int], None]:
        """The same for a part: told its own bytes, with those before it."""
        return lambda done: self(before + done)
