"""Keras callbacks: data order, history, pictures, weight averages, and backups for resuming."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import plots
from keras_infomodels.training.averages import WeightAverage
from keras_infomodels.training.backup import AtomicBackup
from keras_infomodels.training.guards import StopOnNonFinite, StopOnSaturation
from keras_infomodels.training.history import History
from keras_infomodels.training.order import FollowEpoch
from keras_infomodels.training.strategies import writes

__all__ = [
    "AtomicBackup",
    "FollowEpoch",
    "History",
    "Pictures",
    "StopOnNonFinite",
    "StopOnSaturation",
    "WeightAverage",
]


class Pictures(keras.callbacks.Callback):
    """Callback that writes the pictures of `plots.model_pictures` during training.

    Args:
        directory: str or Path. Folder of the files `NAME_0001.png`, numbered by finished epochs.
        images: array (n, height, width, channels) in [0, 1]. Real images to show or reconstruct.
        every: int. Number of epochs between pictures.
        log_dir: str or Path. TensorBoard directory to which the pictures are written too. `None`
            writes PNG files only.

    Raises:
        ValueError: If `every` is below 1, or the model's data are not images.
        ImportError: If `log_dir` is given and TensorBoard is not installed.

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        pictures = ki.callbacks.Pictures("pictures", images[:32] / 255, every=5)
        # model.fit(train, epochs=20, callbacks=[pictures])
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
        if (epoch + 1) % self.every or not writes(self.model):
            return
        for name, figure in plots.model_pictures(self.model, self.images).items():
            path = self.directory / f"{name}_{epoch + 1:04d}.png"
            plots.save(figure, path)
            if self.log_dir is not None:
                self._show(name, path, epoch + 1)

    def _show(self, name: str, path: Path, step: int):
        picture = tf.io.decode_png(path.read_bytes(), channels=3)
        with tf.summary.create_file_writer(str(self.log_dir)).as_default():
            tf.summary.image(name, picture[None], step=step)
