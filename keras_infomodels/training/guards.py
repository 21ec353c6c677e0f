"""Stops of a training that cannot go on."""

import math

import keras

__all__ = ["StopOnNonFinite", "StopOnSaturation"]


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends training with the step and the term that broke; `fit` of the models here adds it.

    Their steps leave the weights as they were once a term is not finite, so what the model holds
    are the last good ones, however many steps later a NaN is noticed: `fit` reads metrics every ten
    steps, so that a GPU does not wait, and at the end of an epoch. Validation ends it too:
    `EarlyStopping` and its like would wait for a NaN to improve.
    """

    takes_several_batches = True
    _within_epoch = False

    @property
    def _extremes(self):
        return getattr(self.model, "extremes", None)

    def on_train_begin(self, logs=None):
        self._forget()

    def on_epoch_begin(self, epoch, logs=None):
        self._within_epoch = True

    def on_epoch_end(self, epoch, logs=None):
        self._end_epoch()

    def on_train_batch_end(self, batch, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if not broken:
            return
        problem = self._extremes and self._extremes.problem()
        names = " and ".join(name for name in broken if name != "loss")
        if broken == ["loss"]:
            names = "a gradient, a penalty or the weighted sum"
        labels = "labels that are no class, for " * ("classification" in broken)
        advice = problem or (
            f"Look for {labels}NaN in the data, lower the learning rate, or raise min_stddev."
        )
        step = int(self.model.optimizer.iterations.numpy()) + 1
        raise FloatingPointError(
            f"Training stopped at step {step}: {names} is not finite. The model holds the weights "
            f"from before it. {advice}"
        )

    def on_test_begin(self, logs=None):
        self._end_epoch()
        self._forget()

    def on_test_end(self, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            step = int(self.model.optimizer.iterations.numpy())
            problem = self._extremes and self._extremes.problem()
            raise FloatingPointError(
                f"Training stopped in the validation after step {step}: "
                f"{' and '.join(broken)} is not finite, though training was until then. The model "
                f"holds the weights of that step. {problem or 'Look for NaN in the data.'}"
            )
        self._forget()

    def _end_epoch(self):
        """Looks at the last steps of an epoch, before validation resets the metrics."""
        within, self._within_epoch = self._within_epoch, False
        if within:
            logs = self.model.get_metrics_result()
            self.on_train_batch_end(0, {name: float(logs[name]) for name in sorted(logs)})

    def _forget(self):
        if self._extremes:
            self._extremes.reset()


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
        if not hasattr(self.model, "saturated_loss"):
            raise ValueError(f"A {type(self.model).__name__} has no GAN's objective to saturate.")

    def on_epoch_end(self, epoch, logs=None):
        smallest = self.model.saturated_loss
        loss = (logs or {}).get("discriminator_loss", math.inf)
        if smallest is None or loss > smallest + self.margin:
            return
        raise FloatingPointError(
            f"Training stopped after epoch {epoch + 1}: the discriminator tells every generated "
            f"image from the real ones (its loss is {loss:.2g}), so the generator learns nothing. "
            "Lower the discriminator's learning rate, smooth its labels, or add r1=1.0."
        )
