"""History of a training as a CSV file."""

import csv
import os
from pathlib import Path

import keras

__all__ = ["History"]


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
