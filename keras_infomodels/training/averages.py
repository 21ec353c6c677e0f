"""Moving average of a model's weights."""

import keras
import numpy as np

__all__ = ["WeightAverage"]


class WeightAverage(keras.callbacks.Callback):
    """Callback that keeps a moving average of all weights, for validation and the final model.

    The average includes both networks of a GAN and the statistics of batch normalization, which
    Keras' own average leaves out. The average starts as a plain mean of the steps so far, so the
    initial weights have no lasting influence. Averaging is used with GANs in Yazici et al., "The
    unusual effectiveness of averaging in GAN training", 2019.

    Do not combine this callback with `EarlyStopping(restore_best_weights=True)`. That callback
    selects an epoch by the metrics of the averaged weights, but restores the weights without
    averaging. `fit` of the models of this library raises an error for this combination.

    Args:
        momentum: float, between 0 and 1. Factor of the old average in each training step. 0.999
            averages over about the last 1,000 steps.

    Attributes:
        averages: list of arrays. Average of each of the model's weights; None before training.

    Raises:
        ValueError: If `momentum` is out of range.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.compile("adam")
        images = model.generate(32, seed=0).numpy()
        model.fit(images, callbacks=[ki.callbacks.WeightAverage(0.99)], verbose=0)
    """

    def __init__(self, momentum: float = 0.999):
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"momentum is between 0 and 1, got {momentum!r}.")
        self.momentum = momentum
        self.averages: list[np.ndarray] | None = None

    def on_train_begin(self, logs=None):
        self._seen = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        done = int(self.model.optimizer.iterations.numpy())
        if done == self._seen:  # the loss scale overflowed, and the update was skipped
            return
        weights = self.model.get_weights()
        if self.averages is None:
            self.averages = weights
        # With `steps_per_execution` several steps lie between two calls.
        # The larger weight: a plain mean at first, later the moving average.
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
