"""History of a training as a CSV file."""

import csv
import io
from pathlib import Path

import keras

from keras_infomodels.io import write_atomically
from keras_infomodels.training.strategies import writes

__all__ = ["History"]


class History(keras.callbacks.Callback):
    """Callback that writes the metrics of every epoch to a CSV file.

    A resumed run continues the file of the interrupted run.

    Args:
        path: str or path. CSV file with one line for each epoch. In an existing file, lines from
            `first_epoch` on are removed first.
        first_epoch: int. Index of the first epoch of this run. 0 starts a new file.

    Attributes:
        rows: list of dict. Metrics of each epoch, by name.

    Raises:
        ValueError: If an existing file lacks an epoch before `first_epoch`.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.compile("adam")
        images = model.generate(32, seed=0).numpy()
        model.fit(images, callbacks=[ki.callbacks.History("history.csv")], verbose=0)
    """

    def __init__(self, path: str | Path, first_epoch: int = 0):
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []
        if first_epoch:
            self.rows = self._read(first_epoch)

    def on_epoch_end(self, epoch, logs=None):
        if len(self.rows) < epoch:  # the run began before, and no backup held its rows
            self.rows = self._read(epoch)
        self.rows.append({"epoch": epoch + 1} | {k: float(v) for k, v in (logs or {}).items()})
        if not writes(self.model):
            return
        text = io.StringIO(newline="")
        # Epochs without validation lack its columns.
        writer = csv.DictWriter(text, list(dict.fromkeys(k for row in self.rows for k in row)))
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path, text.getvalue())

    def _read(self, epochs: int) -> list[dict[str, float]]:
        """Returns the first rows of an earlier file, one for each of so many epochs."""
        try:
            with self.path.open(newline="") as file:
                rows = [{k: float(v) for k, v in r.items() if v} for r in csv.DictReader(file)]
            rows = [row | {"epoch": int(row["epoch"])} for row in rows[:epochs]]
        except (KeyError, TypeError, UnicodeDecodeError, ValueError, csv.Error) as error:
            raise ValueError(f"{self.path} is damaged: {error!r}.") from error
        if [row["epoch"] for row in rows] != list(range(1, epochs + 1)):
            raise ValueError(
                f"{self.path} should hold the epochs 1 to {epochs}, and holds {len(rows)} of them: "
                "it is damaged. Put it back, or begin a new run."
            )
        return rows
