"""Keras callbacks: data order, history, pictures, a backup that survives a kill."""

import csv
import importlib.util
import json
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

__all__ = [
    "AtomicBackup",
    "FollowEpoch",
    "History",
    "Pictures",
    "StopOnNonFinite",
    "StopOnSaturation",
    "WeightAverage",
]


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
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=self.directory, prefix="unfinished-"))
        self.model.save_weights(unfinished / "model.weights.h5")
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


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends training with the step and the term that broke; `fit` of the models here adds it.

    Their steps leave the weights as they were once a term is not finite, so what the model holds
    are the last good ones. Validation ends it too: `EarlyStopping` and its like would wait for a
    NaN to improve.
    """

    def on_train_batch_end(self, batch, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if not broken:
            return
        where = f"step {int(self.model.optimizer.iterations) + 1}"
        if broken == ["loss"]:
            what = "a gradient, a penalty or the weighted sum"
        else:
            what = " and ".join(name for name in broken if name != "loss")
        labels = "labels that are no class (from 0) and not -1, for " * ("classification" in broken)
        raise FloatingPointError(
            f"Training stopped at {where}: {what} is not finite. The model holds the weights from "
            f"before it. Look for {labels}NaN in the data, lower the learning rate, or raise "
            "min_stddev."
        )

    def on_test_end(self, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            step = int(self.model.optimizer.iterations)
            raise FloatingPointError(
                f"Training stopped in the validation after step {step}: "
                f"{' and '.join(broken)} is not finite, though training was until then. The model "
                "holds the weights of that step. Look for NaN in the validation data."
            )


class StopOnSaturation(keras.callbacks.Callback):
    """Ends the training of a GAN whose discriminator is always right; `fit` of a GAN adds it.

    Its loss, a mean over an epoch, is then within `margin` of the objective's smallest value, and
    what it tells the generator has vanished or says nothing about the data.

    Args:
        margin: in the unit of the discriminator's loss.
    """

    def __init__(self, margin: float = 0.01):
        super().__init__()
        self.margin = margin

    def on_train_begin(self, logs=None):
        if not hasattr(self.model, "objective"):
            raise ValueError(f"A {type(self.model).__name__} has no GAN's objective to saturate.")

    def on_epoch_end(self, epoch, logs=None):
        from keras_infomodels.models.objectives import OBJECTIVES

        smallest, s = OBJECTIVES[self.model.objective].saturation, self.model.label_smoothing
        if s:  # always right about labels of 1 - s has their entropy for its loss
            smallest = -s * math.log(s) - (1 - s) * math.log1p(-s)
        loss = (logs or {}).get("discriminator_loss", math.inf)
        if smallest is None or loss > smallest + self.margin:
            return
        raise FloatingPointError(
            f"Training stopped after epoch {epoch + 1}: the discriminator tells every generated "
            f"image from the real ones (its loss is {loss:.2g}), so the generator learns nothing. "
            "Lower the discriminator's learning rate, smooth its labels, or add r1=1.0."
        )


class WeightAverage(keras.callbacks.Callback):
    """A moving average of all weights, which validation uses and the trained model keeps.

    Of both players and of the statistics of batch normalization, which Keras' own average leaves
    out. It begins as a plain mean, so that the first weights do not linger. Source of its use with
    GANs: Yazici et al., "The unusual effectiveness of averaging in GAN training", 2019.

    Not beside `EarlyStopping(restore_best_weights=True)`: it chooses an epoch by the average's
    figures and then puts that epoch's own weights back, without the average; `fit` of the models
    here refuses the pair.

    Args:
        momentum: of a training step; 0.999 averages over about the last 1,000.

    Attributes:
        averages: one array for each of the model's weights, or None before training.
    """

    def __init__(self, momentum: float = 0.999):
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"momentum is between 0 and 1, got {momentum!r}.")
        self.momentum = momentum
        self.averages: list[np.ndarray] | None = None

    def on_train_begin(self, logs=None):
        self._seen = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch, logs=None):
        done = int(self.model.optimizer.iterations)
        if done == self._seen:  # a loss scale that overflowed took no step
            return
        weights = self.model.get_weights()
        if self.averages is None:
            self.averages = weights
        # A call may follow several steps.
        new = max(1 - self.momentum ** (done - self._seen), (done - self._seen) / done)
        for average, weight in zip(self.averages, weights, strict=True):
            average += np.asarray(new, average.dtype) * (weight - average)
        self._seen = done

    def on_test_begin(self, logs=None):
        if self.averages is not None:
            self._raw = self.model.get_weights()
            self.model.set_weights(self.averages)

    def on_test_end(self, logs=None):
        if self.averages is not None:
            self.model.set_weights(self._raw)

    def on_train_end(self, logs=None):
        if self.averages is not None:
            self.model.set_weights(self.averages)


class Pictures(keras.callbacks.Callback):
    """The pictures of `plots.model_pictures` while a model trains.

    Args:
        directory: where `NAME_0001.png` of each goes, the number being that of epochs done.
        images: (n, height, width, channels) in [0, 1], real ones to show or reconstruct.
        every: epochs between pictures.
        log_dir: a TensorBoard directory to show them in too; None writes files alone.
    """

    def __init__(
        self,
        directory: str | Path,
        images: np.ndarray,
        every: int = 1,
        log_dir: str | Path | None = None,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every is at least 1, got {every!r}.")
        if log_dir is not None and importlib.util.find_spec("tensorboard") is None:
            raise ImportError("log_dir needs TensorBoard: pip install tensorboard.")
        self.directory = Path(directory)
        self.images = np.asarray(images, np.float32)
        self.every = every
        self.log_dir = log_dir

    def on_train_begin(self, logs=None):
        if len(self.model.data_shape) != 3:
            raise ValueError(f"Data of shape {self.model.data_shape} are no images to draw.")
        self.model.check_data(self.images)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        from keras_infomodels import plots

        for name, figure in plots.model_pictures(self.model, self.images).items():
            path = self.directory / f"{name}_{epoch + 1:04d}.png"
            plots.save(figure, path)
            if self.log_dir is not None:
                self._show(name, path, epoch + 1)

    def _show(self, name: str, path: Path, step: int):
        picture = tf.io.decode_png(path.read_bytes(), channels=3)
        with tf.summary.create_file_writer(str(self.log_dir)).as_default():
            tf.summary.image(name, picture[None], step=step)


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
