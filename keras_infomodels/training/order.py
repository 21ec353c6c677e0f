"""Order of the data as a function of the epoch."""

import keras

__all__ = ["FollowEpoch"]


class FollowEpoch(keras.callbacks.Callback):
    """Callback that tells a dataset the current epoch, which determines the order of its examples.

    The order then depends only on the dataset's seed and the epoch. So a resumed run sees the same
    order as an uninterrupted one. `fit` of the models of this library adds this callback; add it
    yourself for other Keras models.

    Args:
        dataset: `tf.data.Dataset`. Dataset made by `datasets.load` or `datasets.from_arrays`.

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
