"""Measurement of the information at the end of an evaluation."""

from collections.abc import Callable

import keras
import numpy as np

__all__ = ["InformationReader", "reader_among"]


class InformationReader(keras.callbacks.Callback):
    """Measures at the end of an evaluation, with the weights that were evaluated.

    It stands before the other callbacks of `fit`: `SwapEMAWeights` and `WeightAverage` put other
    weights back at the end of an evaluation.

    Attributes:
        read: function that measures. `evaluate` sets it.
    """

    def __init__(self):
        super().__init__()
        self.read: Callable[[], dict] = dict
        self._found: dict | None = None

    def on_test_begin(self, logs=None):
        self._found = None

    def on_test_end(self, logs=None):
        # Of an evaluation that failed there is nothing to measure.
        self._found = self.read() if np.isfinite([*(logs or {}).values()]).all() else {}

    def result(self) -> dict:
        """What was measured; measured now where no evaluation called this callback."""
        return self.read() if self._found is None else self._found


def reader_among(callbacks, read: Callable[[], dict]) -> InformationReader:
    """The reader of a list of callbacks that `fit` made, or one that nobody calls; it reads so."""
    reader = (
        next(
            (
                each
                for each in getattr(callbacks, "callbacks", ())
                if isinstance(each, InformationReader)
            ),
            None,
        )
        or InformationReader()
    )
    reader.read = read
    return reader
