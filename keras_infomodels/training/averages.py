"""Moving average of a model's weights."""

import math

import keras
import numpy as np

__all__ = ["WeightAverage"]


class WeightAverage(keras.callbacks.Callback):
    """Callback that keeps a moving average of all weights, for validation and the final model.

    The average includes both networks of a GAN and the statistics of batch normalization, which
    Keras' own average leaves out. In a short run the factor is smaller, (t - 1) / (t + 9) in step
    t: the average covers about the last tenth of the steps, and early weights have no lasting
    influence. Averaging is used with GANs in Yazici et al., "The unusual effectiveness of averaging
    in GAN training", 2019.

    Do not combine this callback with `EarlyStopping(restore_best_weights=True)`. That callback
    selects an epoch by the metrics of the averaged weights, but restores the weights without
    averaging. `fit` of the models of this library raises an error for this combination.

    Args:
        momentum: float, between 0 and 1. Largest factor of the old average in each training step.
            0.999 averages over about the last 1,000 steps of a run of 10,000 or more.

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
        steps = range(self._seen + 1, done + 1)
        new = 1 - math.prod(min(self.momentum, (step - 1) / (step + 9)) for step in steps)
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
