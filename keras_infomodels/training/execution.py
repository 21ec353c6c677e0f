"""Execution of the steps of `fit`: several steps in one call, with few reads of the metrics."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_infomodels import log
from keras_infomodels.datasets.batches import is_array

__all__ = ["Execution", "ProgressBar", "looks_at_batches", "steps_together"]

_READ_EVERY = 10
"""Steps between two reads of the metrics; a read waits until a GPU has finished the step."""

_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar that does not count past the last step of an epoch.

    Keras' own bar counts whole calls of several steps. With ten steps per call it would show
    "50/43" for 43 steps. Messages of the library begin on a new line while the bar is shown.
    """

    def on_train_batch_end(self, batch, logs=None):
        last = batch if self.target is None else min(batch, self.target - 1)
        super().on_train_batch_end(last, logs)
        # In a file or with verbose=2, Keras ends each line itself.
        log.line_is_open(self.verbose == 1 and getattr(self.progbar, "_dynamic_display", False))

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        log.line_is_open(False)


class Execution:
    """Training functions of one model, one for each number of steps per call.

    Args:
        given: int. `steps_per_execution` that the model was compiled with. `None` lets `fit`
            choose.

    Attributes:
        large: bool. `True` if batches may be larger than `SMALL_BATCH`.
    """

    def __init__(self, given: int | None):
        self.given = given
        self._functions: dict[tuple[int, bool], Callable] = {}
        self.begin()

    def begin(self, watched: bool = True, large: bool = True):
        """Starts a call of `fit`.

        A call of this method without arguments ends it.

        Args:
            watched: bool. `True` reads the metrics after every step, for callbacks that look at
                batches. `False` reads them every 10 steps and repeats them in between.
            large: bool. `True` if batches may be large; their steps have a graph of their own.
        """
        self._watched, self.large = watched, large
        self._calls, self._latest = 0, {}

    def function(self, model: keras.Model, make: Callable[[], Callable], force: bool) -> Callable:
        """Returns a function that takes a data iterator and runs `model.steps_per_execution` steps.

        Afterwards `steps_per_execution` has its compiled value again, because validation and
        `predict` run other numbers of batches.

        Args:
            model: keras.Model. Model to train.
            make: function. Returns a training function, which reads `steps_per_execution` when it
                is traced.
            force: bool. `True` replaces an existing function.
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
    """Returns the number of steps per call: a twentieth of an epoch, at most 10.

    The result is 1 if the number of steps per epoch is unknown before the data are read, or if a
    callback acts on every batch. The trained weights do not depend on this number.

    Args:
        x: data as `fit` takes them.
        batch_size: int. Batch size for arrays. `None` is 32.
        callbacks: sequence of Keras callbacks.
        **arguments: further arguments of `fit`. `steps_per_epoch` and `validation_split` are used.
    """
    steps, cap = arguments.get("steps_per_epoch"), keras.config.max_steps_per_epoch()
    # If an epoch ends before the data do, Keras still runs whole calls.
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
    """Returns True if a callback does something at each batch of training."""
    if getattr(callback, "takes_several_batches", False):
        return False
    # ModelCheckpoint, BackupAndRestore and TensorBoard define batch hooks, and use them only if
    # these attributes ask for it.
    if "epoch" in (getattr(callback, name, None) for name in ("save_freq", "update_freq")):
        return False
    hooks = [getattr(callback, name, None) for name in _HOOKS]
    return not all(getattr(hook, "_is_default", False) for hook in hooks if hook is not None)


def _batches(x, batch_size: int | None, validation_split: float) -> int | None:
    """Batches of an epoch; None if the number is unknown before the data are read."""
    if is_array(x):
        return -(-int(len(x) * (1 - (validation_split or 0.0))) // (batch_size or 32))
    if isinstance(x, tf.data.Dataset):
        cardinality = int(x.cardinality())
        return cardinality if cardinality > 0 else None
    return x.num_batches if isinstance(x, keras.utils.PyDataset) else None
