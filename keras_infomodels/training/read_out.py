"""Measurement of the information at the end of an evaluation."""

from collections.abc import Callable

import keras
import numpy as np

__all__ = ["InformationReader"]


class InformationReader(keras.callbacks.Callback):
    """Runs before other callbacks, so that information is measured with the evaluated weights.

    `SwapEMAWeights` and `WeightAverage` put others back at the end of a test.

    Args:
        read: function that measures.

    Attributes:
        found: what it returned.
    """

    def __init__(self, read: Callable[[], dict]):
        super().__init__()
        self.read = read
        self.found: dict = {}

    def on_test_end(self, logs=None):
        # Of an evaluation that failed there is nothing to measure.
        self.found = self.read() if np.isfinite([*(logs or {}).values()]).all() else {}
