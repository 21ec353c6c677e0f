"""Learning rates of two optimizers."""

import math
import warnings

import keras

from keras_infomodels.training.backup import AtomicBackup

__all__ = ["FollowLearningRate"]

_SAVING = (AtomicBackup, keras.callbacks.BackupAndRestore, keras.callbacks.ModelCheckpoint)


class FollowLearningRate(keras.callbacks.Callback):
    """Callback that keeps the ratio of the learning rates of two optimizers constant.

    Keras' callbacks, such as `ReduceLROnPlateau` and `LearningRateScheduler`, change the learning
    rate of the first optimizer only. This callback then changes that of the second optimizer by the
    same factor. If another callback sets both learning rates, their new ratio is kept. `compile` of
    the models of this library creates this callback, and `fit` adds it.

    Args:
        first: Keras optimizer. Optimizer that other callbacks change.
        second: Keras optimizer. Optimizer that follows.
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
        """Returns the callbacks with this one at the end and before each that saves the rates."""
        pairs = [[self, each] if isinstance(each, _SAVING) else [each] for each in callbacks]
        return [each for pair in pairs for each in pair] + [self]

    def on_train_begin(self, logs=None):
        if self.ratio is None:
            return
        self._last = _rate(self.first), _rate(self.second)
        now = _quotient(self._last[1], self._last[0])
        # A resumed run keeps the compiled ratio to the bit, so tiny differences are ignored.
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
                "A callback changed the learning rate of the optimizer. That of the "
                "discriminator is a schedule, which is not changed.",
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
    """Returns True if the learning rate is a number, which callbacks can set; no schedule."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    return not isinstance(inner.get_config().get("learning_rate"), dict)
