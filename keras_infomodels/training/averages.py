"""Moving average of a model's weights."""

import keras
import numpy as np

__all__ = ["WeightAverage"]


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
        self._seen = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        done = int(self.model.optimizer.iterations.numpy())
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
