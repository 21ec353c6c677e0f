"""Backup of a training that survives a kill."""

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_infomodels.weights import weights_bytes

__all__ = ["AtomicBackup"]


class AtomicBackup(keras.callbacks.Callback):
    """Keeps the last finished epoch: weights, optimizers, random layers, state of other callbacks.

    They are in one folder whose name carries the number of epochs done and which appears by one
    rename, so that at any instant of a kill the newest folder is whole. (Keras'
    `BackupAndRestore` writes weights and epoch as two files, neither atomically, and forgets how
    long `EarlyStopping` has waited and what `Dropout` draws next.) It comes last among the
    callbacks, to see what they decided.

    Args:
        directory: of the folder `after_epoch_N`.
        callbacks: Keras callbacks whose state goes along: `EarlyStopping`, `ReduceLROnPlateau`,
            `SwapEMAWeights`, `WeightAverage` and what else keeps its state in the attributes of
            `STATE` and lists of arrays in those of `ARRAYS`.

    Raises:
        ValueError: a callback that has none of these attributes.
    """

    STATE = (
        "best",
        "wait",
        "best_epoch",
        "stopped_epoch",
        "cooldown_counter",
        "_ema_weights_in_model",  # of SwapEMAWeights
    )
    ARRAYS = ("best_weights", "averages")

    def __init__(self, directory: str | Path, callbacks: Sequence[keras.callbacks.Callback] = ()):
        super().__init__()
        self.directory = Path(directory)
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not vars(callback).keys() & {*self.STATE, *self.ARRAYS}:
                raise ValueError(
                    f"A backup knows of no state that {type(callback).__name__} has; give it to "
                    "fit alone."
                )
        self._restored: Path | None = None

    def restore(self, model: keras.Model) -> tuple[int, bool]:
        """Loads the newest backup into a compiled model.

        The callbacks get their state when `fit` begins, which would reset them.

        Returns:
            The epochs done, 0 for no backup, and whether a callback had stopped the training.
        """
        backups = self._backups()
        if not backups:
            return 0, False
        done = max(backups)
        self._restored = backups[done]
        document = json.loads((self._restored / "callbacks.json").read_text())
        if document["classes"] != self._classes():
            raise ValueError(
                f"The backup in {self.directory} is of a training with the callbacks "
                f"{document['classes']}, not {self._classes()}; go on with the same."
            )
        model.load_weights(self._restored / "model.weights.h5")
        with np.load(self._restored / "random_layers.npz", allow_pickle=False) as states:
            for variable, name in zip(_random_states(model), states.files, strict=True):
                variable.assign(states[name])
        return done, document["stopped"]

    def on_train_begin(self, logs=None):
        folder, self._restored = self._restored, None
        if folder is None:
            return
        states = json.loads((folder / "callbacks.json").read_text())["states"]
        for index, (callback, state) in enumerate(zip(self.callbacks, states, strict=True)):
            vars(callback).update(state)
            for name in self.ARRAYS:
                path = folder / f"{name}_{index}.npz"
                if path.exists():
                    with np.load(path, allow_pickle=False) as arrays:
                        setattr(callback, name, [arrays[key] for key in arrays.files])

    def on_epoch_end(self, epoch, logs=None):
        # Readable like other folders, which `tempfile.mkdtemp` would not be.
        unfinished = self.directory / f"unfinished-{uuid.uuid4().hex}"
        unfinished.mkdir(parents=True)
        (unfinished / "model.weights.h5").write_bytes(weights_bytes(self.model))
        np.savez(unfinished / "random_layers.npz", *map(np.asarray, _random_states(self.model)))
        states = [
            {name: value for name, value in vars(each).items() if name in self.STATE}
            for each in self.callbacks
        ]
        document = {
            "stopped": self.model.stop_training,
            "classes": self._classes(),
            "states": states,
        }
        (unfinished / "callbacks.json").write_text(json.dumps(document, default=float))
        for index, callback in enumerate(self.callbacks):
            for name in self.ARRAYS:
                if (arrays := getattr(callback, name, None)) is not None:
                    np.savez(unfinished / f"{name}_{index}.npz", *arrays)
        for done, path in self._backups().items():
            if done > epoch:  # of another run: `restore` would take it for this one's
                path.rename(f"{unfinished}-{done}")
        target = self.directory / f"after_epoch_{epoch + 1:04d}"
        os.replace(unfinished, target)
        for pattern in ("after_epoch_*", "unfinished-*"):
            for path in self.directory.glob(pattern):
                if path != target:
                    shutil.rmtree(path)

    def _classes(self) -> list[str]:
        return [type(callback).__name__ for callback in self.callbacks]

    def _backups(self) -> dict[int, Path]:
        paths = self.directory.glob("after_epoch_*")
        return {int(path.name.rsplit("_", 1)[1]): path for path in paths}


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """Of the generators of layers such as `Dropout`, which a weights file leaves out."""
    weights = {id(weight) for weight in model.weights}
    return [state for state in model.non_trainable_variables if id(state) not in weights]
