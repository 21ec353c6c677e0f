"""Keras callbacks: the order of the data, history, and a backup that survives a kill."""

import csv
import os
from pathlib import Path

import keras

__all__ = ["AtomicBackup", "FollowEpoch", "History"]


class FollowEpoch(keras.callbacks.Callback):
    """Tells a dataset of `datasets` the epoch, which its order is a function of.

    `fit` of the models here adds it by itself; other Keras models need it only where a resumed run
    shall see the order of an uninterrupted one.

    Args:
        dataset: what `datasets.load` or `datasets.from_arrays` returned.
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        self.dataset.epoch.assign(epoch)


class AtomicBackup(keras.callbacks.Callback):
    """Keeps the weights and optimizers of the last finished epoch in one file.

    The file's name carries the number of epochs done and it appears by one rename, so that at any
    instant of a kill the newest file is whole. (Keras' `BackupAndRestore` writes weights and epoch
    as two files, neither atomically.)

    Args:
        directory: of the file `after_epoch_N.weights.h5`.
    """

    def __init__(self, directory: str | Path):
        super().__init__()
        self.directory = Path(directory)

    def restore(self, model: keras.Model) -> int:
        """Loads the newest backup into a compiled model; returns the epochs done, 0 for none."""
        backups = self._backups()
        if not backups:
            return 0
        done = max(backups)
        model.load_weights(backups[done])
        return done

    def on_epoch_end(self, epoch, logs=None):
        self.directory.mkdir(parents=True, exist_ok=True)
        target = self.directory / f"after_epoch_{epoch + 1:04d}.weights.h5"
        temporary = self.directory / f"unfinished-{os.getpid()}.weights.h5"
        self.model.save_weights(temporary, overwrite=True)
        os.replace(temporary, target)
        for done, path in self._backups().items():
            if done != epoch + 1:
                path.unlink()

    def _backups(self) -> dict[int, Path]:
        paths = self.directory.glob("after_epoch_*.weights.h5")
        return {int(path.name.split(".")[0].rsplit("_", 1)[1]): path for path in paths}


class History(keras.callbacks.Callback):
    """Writes the logs of every epoch to a CSV file, one line an epoch, also across resumed runs.

    Args:
        path: of the file; lines of epochs from `first_epoch` on are dropped from an earlier one.
        first_epoch: the epoch that training begins with.

    Attributes:
        rows: one dict an epoch, of floats.
    """

    def __init__(self, path: str | Path, first_epoch: int = 0):
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []
        if first_epoch:
            with self.path.open(newline="") as file:
                rows = [{k: float(v) for k, v in r.items() if v} for r in csv.DictReader(file)]
            rows = [row | {"epoch": int(row["epoch"])} for row in rows]
            self.rows = [row for row in rows if row["epoch"] <= first_epoch]

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append({"epoch": epoch + 1} | {k: float(v) for k, v in (logs or {}).items()})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", newline="") as file:
            # Epochs without validation lack its columns.
            writer = csv.DictWriter(file, list(dict.fromkeys(k for row in self.rows for k in row)))
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(temporary, self.path)
