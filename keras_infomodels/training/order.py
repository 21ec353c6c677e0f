"""Order of the data as a function of the epoch."""

import keras

__all__ = ["FollowEpoch"]


class FollowEpoch(keras.callbacks.Callback):
    """Callback that sets the epoch of a dataset, so that its order depends on seed and epoch only.

    `fit` of the models of this library adds it. Other Keras models need it if a resumed run has to
    see the order of an uninterrupted run.

    Args:
        dataset: `tf.data.Dataset` from `datasets.load` or `datasets.from_arrays`.

    Example:
        train = ki.datasets.load("fashion_mnist_mini", "train", labels=True)
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(train, shuffle=False, callbacks=[ki.callbacks.FollowEpoch(train)], verbose=0)
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        self.dataset.epoch.assign(epoch)
