"""How `fit` calls its steps: several by one call of TensorFlow, few reads of their results."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_infomodels.datasets.batches import is_array

__all__ = ["Execution", "ProgressBar", "looks_at_batches", "steps_together"]

_READ_EVERY = 10
"""Steps between two reads of the metrics; a read waits until a GPU has made the step."""

_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar, which does not count past the last step of an epoch.

    Keras' own counts whole calls: 50 of 43 steps by ten steps a call.
    """

    def on_train_batch_end(self, batch, logs=None):
        last = batch if self.target is None else min(batch, self.target - 1)
        super().on_train_batch_end(last, logs)


class Execution:
    """The functions by which one model trains, for each number of steps a call.

    Args:
        given: int. The `steps_per_execution` that the model was compiled with; `None` lets `fit`
            choose.

    Attributes:
        large: bool. Whether batches may be larger than `SMALL_BATCH`.
    """

    def __init__(self, given: int | None):
        self.given = given
        self._functions: dict[tuple[int, bool], Callable] = {}
        self.begin()

    def begin(self, watched: bool = True, large: bool = True):
        """Begins a call of `fit`, and without arguments ends it.

        Args:
            watched: bool. Whether the metrics of every step are wanted at once, as callbacks that
                look at batches do. `False` reads them every 10 steps and repeats them between.
            large: bool. Whether batches may be large: their steps have a graph of their own.
        """
        self._watched, self.large = watched, large
        self._calls, self._latest = 0, {}

    def function(self, model: keras.Model, make: Callable[[], Callable], force: bool) -> Callable:
        """The function of an iterator that makes `model.steps_per_execution` steps.

        That attribute has its compiled value again afterwards: validation and `predict` have other
        numbers of batches.

        Args:
            model: keras.Model.
            make: makes a function that reads the attribute when it is traced.
            force: bool. Whether to make a new one where there is one.
        """
        together = model.steps_per_execution
        key = together, self.large
        if force or key not in self._functions:
            self._functions[key] = self._bound(model, make(), together)
        model.steps_per_execution = self.given or 1
        return self._functions[key]

    def _bound(self, model: keras.Model, steps: Callable, together: int) -> Callable:
        every = max(1, _READ_EVERY // together)

        def run(iterator):
            before, model.steps_per_execution = model.steps_per_execution, together
            try:
                logs = steps(iterator)
            finally:
                model.steps_per_execution = before
            if self._watched:
                return logs
            if self._calls % every == 0:
                self._latest = {name: float(value) for name, value in sorted(logs.items())}
            self._calls += 1
            return self._latest

        return run


def steps_together(
    x, batch_size: int | None, callbacks: Sequence[keras.callbacks.Callback], **arguments
) -> int:
    """How many steps of `fit` one call makes: a twentieth of an epoch, and at most 10.

    One where the number of steps is not known before the data are read, and where a callback looks
    at every batch. The bits of training do not depend on it.

    Args:
        x: what `fit` takes.
        batch_size: what `fit` takes.
        callbacks: those of `fit`.
        **arguments: others of `fit`, of which `steps_per_epoch` and `validation_split` count.
    """
    steps, cap = arguments.get("steps_per_epoch"), keras.config.max_steps_per_epoch()
    # Keras makes whole calls where an epoch ends before the data do.
    exactly = steps is not None or cap is not None
    steps = steps or _batches(x, batch_size, arguments.get("validation_split", 0.0))
    if steps is None or any(map(looks_at_batches, callbacks)):
        return 1
    steps = min(steps, cap or steps)
    most = max(1, min(10, steps // 20))
    if not exactly:
        return most
    return max(size for size in range(1, most + 1) if steps % size == 0)


def looks_at_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does something at each batch of training."""
    if getattr(callback, "takes_several_batches", False):
        return False
    # ModelCheckpoint, BackupAndRestore and TensorBoard have these.
    if "epoch" in (getattr(callback, name, None) for name in ("save_freq", "update_freq")):
        return False
    hooks = [getattr(callback, name, None) for name in _HOOKS]
    return not all(getattr(hook, "_is_default", False) for hook in hooks if hook is not None)


def _batches(x, batch_size: int | None, validation_split: float) -> int | None:
    """Batches of an epoch; `None` where only reading the data would tell."""
    if is_array(x):
        return -(-int(len(x) * (1 - (validation_split or 0.0))) // (batch_size or 32))
    if isinstance(x, tf.data.Dataset):
        cardinality = int(x.cardinality())
        return cardinality if cardinality > 0 else None
    return x.num_batches if isinstance(x, keras.utils.PyDataset) else None
