"""Backup of a training run that survives a kill, a full disk and a damaged file."""

import hashlib
import io
import json
import os
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.io import remove, write_atomically
from keras_infomodels.training.strategies import writes
from keras_infomodels.weights import weights_bytes

__all__ = ["AtomicBackup"]

_KEPT = 2
"""Number of backups that are kept, in case the last one is damaged."""

_CHECKSUMS = "checksums.json"


class AtomicBackup(keras.callbacks.Callback):
    """Callback that saves a backup of the training after each epoch, to resume it later.

    A backup holds the weights, the optimizers, the random states and the state of other callbacks.
    It is a folder named after the number of finished epochs, with the SHA-256 of each file. The
    folder is written under another name and then renamed, so it is complete even if the process is
    killed. The last two backups are kept. Pass this callback last, so that the other callbacks have
    finished their epoch.

    Keras' `BackupAndRestore` writes weights and epoch as two files, neither atomically. It does not
    save the patience of `EarlyStopping` or the state of `Dropout`.

    Args:
        directory: str or path. Folder of the backups, which are named `after_epoch_N`.
        callbacks: list of Keras callbacks. Callbacks whose state is saved, such as `EarlyStopping`,
            `ReduceLROnPlateau`, `SwapEMAWeights`, `WeightAverage` and `History`. A callback of
            another class needs an attribute that `backup.STATE` or `backup.ARRAYS` names.
        data: dict of JSON values. Fingerprint of the data, such as {"train":
            dataset.fingerprint()}. `restore` raises an error if it has changed. `None` means no
            check.

    Raises:
        ValueError: If the state of a callback cannot be saved.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.compile("adam")
        images = model.generate(32, seed=0).numpy()
        backup = ki.callbacks.AtomicBackup("backup")
        done, stopped = backup.restore(model)  # (0, False) in a new run
        model.fit(images, initial_epoch=done, epochs=2, callbacks=[backup], verbose=0)
    """

    STATE = (
        "best",
        "wait",
        "best_epoch",
        "stopped_epoch",
        "cooldown_counter",
        "_ema_weights_in_model",  # of SwapEMAWeights
        "rows",  # of History
    )
    ARRAYS = ("best_weights", "averages")

    def __init__(
        self,
        directory: str | Path,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        data: Mapping | None = None,
    ):
        super().__init__()
        self.directory = Path(directory)
        self.callbacks = list(callbacks)
        self.data = None if data is None else dict(data)
        for callback in self.callbacks:
            if not vars(callback).keys() & {*self.STATE, *self.ARRAYS}:
                raise ValueError(
                    f"A backup cannot save the state of {type(callback).__name__}; pass it to fit "
                    "only."
                )
        self._restored: Path | None = None

    def restore(self, model: keras.Model) -> tuple[int, bool]:
        """Loads the newest complete backup into a compiled model.

        The state of the callbacks is restored later, when `fit` begins, because `fit` resets them.
        A warning is given for damaged backups and for changed versions of Keras or TensorFlow.

        Args:
            model: keras.Model. Compiled model to restore.

        Returns:
            Two values: the number of finished epochs, which is 0 without a backup, and `True` if a
            callback had stopped the training.

        Raises:
            ValueError: If all backups are damaged, or the backup was made with other callbacks or
                data.
        """
        found = self._newest()
        if found is None:
            return 0, False
        done, folder = found
        document = json.loads((folder / "callbacks.json").read_text())
        self._check(document, folder)
        compiled = bool(model.jit_compile)
        if document.get("jit_compile", compiled) != compiled:
            warnings.warn(
                f"{folder} comes from a run with jit_compile={not compiled}, and this run has "
                f"{compiled}. XLA draws other random numbers, so the resumed run will differ "
                "from an uninterrupted one.",
                stacklevel=2,
            )
        model.load_weights(folder / "model.weights.h5")
        with np.load(folder / "random_layers.npz", allow_pickle=False) as states:
            for variable, name in zip(_random_states(model), states.files, strict=True):
                variable.assign(states[name])
        self._restored = folder
        return done, document["stopped"]

    def on_train_begin(self, logs=None):
        if writes(self.model):
            for path in self.directory.glob("unfinished-*"):  # of a process that was killed
                remove(path)
        folder, self._restored = self._restored, None
        if folder is None:
            return
        states = json.loads((folder / "callbacks.json").read_text())["states"]
        # Version 0.1 kept no `History`, which comes last.
        for index, (callback, state) in enumerate(zip(self.callbacks, states, strict=False)):
            vars(callback).update(state)
            for name in self.ARRAYS:
                path = folder / f"{name}_{index}.npz"
                if path.exists():
                    with np.load(path, allow_pickle=False) as arrays:
                        setattr(callback, name, [arrays[key] for key in arrays.files])

    def on_epoch_end(self, epoch, logs=None):
        if not writes(self.model):
            return
        unfinished = self.directory / f"unfinished-{uuid.uuid4().hex}"
        target = self.directory / f"after_epoch_{epoch + 1:04d}"
        try:
            unfinished.mkdir(parents=True)
            self._write(unfinished)
            for done, path in self._backups().items():
                if done > epoch:  # of another run; `restore` would load it
                    path.rename(f"{unfinished}-{done}")
            os.replace(unfinished, target)
        except OSError as error:
            remove(unfinished)
            raise OSError(
                error.errno,
                f"The backup after epoch {epoch + 1} could not be written to {self.directory} "
                f"({error.strerror or error}). Earlier ones are complete: free some space and "
                "resume from them",
            ) from error
        for path in [*self._backups().values()][:-_KEPT]:
            remove(path)
        for path in self.directory.glob("unfinished-*"):
            remove(path)

    def _write(self, folder: Path):
        # Files are built in memory first: HDF5 may abort the process when it closes a file on a
        # full disk.
        files = {"model.weights.h5": weights_bytes(self.model)}
        files["random_layers.npz"] = _archive(_random_states(self.model))
        for index, callback in enumerate(self.callbacks):
            for name in self.ARRAYS:
                if (arrays := getattr(callback, name, None)) is not None:
                    files[f"{name}_{index}.npz"] = _archive(arrays)
        states = [
            {name: value for name, value in vars(each).items() if name in self.STATE}
            for each in self.callbacks
        ]
        document = {
            "stopped": self.model.stop_training,
            "classes": self._classes(),
            "states": states,
            "versions": _versions(),
            "jit_compile": bool(self.model.jit_compile),
            "data": self.data,
        }
        files["callbacks.json"] = json.dumps(document, default=float).encode()
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files[_CHECKSUMS] = json.dumps(checksums).encode()
        for name, content in files.items():
            write_atomically(folder / name, content)

    def _newest(self) -> tuple[int, Path] | None:
        """Returns the epochs and the folder of the newest complete backup."""
        damaged = []
        for done, folder in reversed(self._backups().items()):
            problem = _damage(folder)
            if problem is None:
                return done, folder
            damaged.append(f"{folder} is damaged ({problem})")
            warnings.warn(f"{damaged[-1]}; the backup before it is used.", stacklevel=3)
        if damaged:
            raise ValueError(f"There is no complete backup: {'; '.join(damaged)}. Start a new run.")
        return None

    def _check(self, document: Mapping, folder: Path):
        classes = self._classes()
        if "versions" not in document:  # of version 0.1, which did not keep the history
            classes = [name for name in classes if name != "History"]
        if document["classes"] != classes:
            raise ValueError(
                f"The backup in {self.directory} was made with the callbacks "
                f"{document['classes']}, not {classes}; resume with the same."
            )
        data = document.get("data")
        if None not in (data, self.data) and data != self.data:
            differing = [
                f"{name} was {data.get(name)} and is {self.data.get(name)}"
                for name in sorted({*data, *self.data})
                if data.get(name) != self.data.get(name)
            ]
            raise ValueError(
                f"The data differ from those that the run in {self.directory} started with: "
                f"{'; '.join(differing)}. Restore them, or start a new run."
            )
        versions = document.get("versions", _versions())
        if versions != _versions():
            warnings.warn(
                f"{folder} was written with {versions}, and this is {_versions()}: the resumed run "
                "may differ slightly from an uninterrupted one.",
                stacklevel=3,
            )

    def _classes(self) -> list[str]:
        return [type(callback).__name__ for callback in self.callbacks]

    def _backups(self) -> dict[int, Path]:
        """Returns epochs done -> folder, the newest last."""
        paths = self.directory.glob("after_epoch_*")
        return dict(sorted((int(path.name.rsplit("_", 1)[1]), path) for path in paths))


def _damage(folder: Path) -> str | None:
    """Returns what is wrong with a backup; None if its files have their checksums."""
    try:
        if not (folder / _CHECKSUMS).exists() and "versions" not in json.loads(
            (folder / "callbacks.json").read_text()
        ):
            return None  # of keras-infomodels 0.1, without checksums
        for name, expected in json.loads((folder / _CHECKSUMS).read_text()).items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    return f"{name} has another SHA-256"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError) as error:
        return f"it cannot be read: {error}"
    return None


def _archive(arrays) -> bytes:
    """Returns the content of a .npz file."""
    file = io.BytesIO()
    np.savez(file, *map(np.asarray, arrays))
    return file.getvalue()


def _versions() -> dict[str, str]:
    return {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """Random states of layers such as `Dropout`, which a weights file leaves out."""
    weights = {id(weight) for weight in model.weights}
    return [state for state in model.non_trainable_variables if id(state) not in weights]
