"""Learning rates of two optimizers."""

import math
import warnings

import keras

from keras_infomodels.training.backup import AtomicBackup

__all__ = ["FollowLearningRate"]

_SAVING = (AtomicBackup, keras.callbacks.BackupAndRestore, keras.callbacks.ModelCheckpoint)


class FollowLearningRate(keras.callbacks.Callback):
    """Multiplies a second optimizer's learning rate by what callbacks multiply the first's by.

    Keras' callbacks, such as `ReduceLROnPlateau` and `LearningRateScheduler`, know the first
    optimizer alone. The rates keep the ratio that they were compiled with; a callback that sets
    both rates sets the ratio too. `compile` of the models here makes it and `fit` adds it.

    Args:
        first, second: Keras optimizers.
    """

    takes_several_batches = True

    def __init__(self, first: keras.Optimizer, second: keras.Optimizer):
        super().__init__()
        self.first, self.second = first, second
        self.ratio = None
        if _is_number(first):
            self.ratio = _quotient(_rate(second), _rate(first))
        self._last = None

    def among(self, callbacks: list[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
        """The callbacks with this one behind them all, and before each that saves the rates."""
        pairs = [[self, each] if isinstance(each, _SAVING) else [each] for each in callbacks]
        return [each for pair in pairs for each in pair] + [self]

    def on_train_begin(self, logs=None):
        if self.ratio is None:
            return
        self._last = _rate(self.first), _rate(self.second)
        now = _quotient(self._last[1], self._last[0])
        # The ratio of a resumed run is the compiled one to the bit.
        if now is not None and not math.isclose(now, self.ratio, rel_tol=1e-5):
            self.ratio = now

    def on_epoch_begin(self, epoch, logs=None):
        self._follow()

    def on_epoch_end(self, epoch, logs=None):
        self._follow()

    def on_train_batch_begin(self, batch, logs=None):
        self._follow()

    def _follow(self):
        if self._last is None or _rate(self.first) == self._last[0]:
            return
        first, second = _rate(self.first), _rate(self.second)
        if not _is_number(self.second):
            warnings.warn(
                "A callback changed the learning rate of the optimizer, and the discriminator's "
                "is a schedule, which goes on as it is.",
                stacklevel=2,
            )
            self._last = self.ratio = None
            return
        if second != self._last[1]:  # a callback has set both
            self.ratio = _quotient(second, first) or self.ratio
        else:
            self.second.learning_rate = first * self.ratio
        self._last = first, _rate(self.second)


def _rate(optimizer: keras.Optimizer) -> float:
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _quotient(a: float, b: float) -> float | None:
    return a / b if b > 0 else None


def _is_number(optimizer: keras.Optimizer) -> bool:
    """Whether the rate is a number, which callbacks can set, and no schedule."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    return not isinstance(inner.get_config().get("learning_rate"), dict)
