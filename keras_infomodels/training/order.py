"""Order of the data as a function of the epoch."""

import keras

__all__ = ["FollowEpoch"]


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
