"""Callbacks that stop a training run that has failed."""

import math

import keras

__all__ = ["StopOnNonFinite", "StopOnSaturation"]


class StopOnNonFinite(keras.callbacks.Callback):
    """Callback that stops training if a loss term becomes NaN or infinite.

    The error names the step and the term. `fit` of the models of this library adds this callback. A
    training step of these models skips the update if a term is not finite. So the model keeps its
    last finite weights, even if the NaN is noticed some steps later: `fit` reads the metrics every
    ten steps and at the end of an epoch. A NaN in validation stops the training too; otherwise
    `EarlyStopping` would wait for the NaN to improve.

    Raises:
        FloatingPointError: In `fit`, if a term is not finite.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.compile("adam")
        images = model.generate(32, seed=0).numpy()
        model.fit(images, callbacks=[ki.callbacks.StopOnNonFinite()], verbose=0)
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
        labels = "labels outside the classes, for " * ("classification" in broken)
        advice = problem or (
            f"Look for {labels}NaN in the data, lower the learning rate, or raise min_stddev."
        )
        step = int(self.model.optimizer.iterations.numpy()) + 1
        raise FloatingPointError(
            f"Training stopped at step {step}: {names} is not finite. The model holds the weights "
            f"before this step. {advice}"
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
                f"{' and '.join(broken)} is not finite, while the training terms were. The model "
                f"holds the weights of that step. {problem or 'Look for NaN in the data.'}"
            )
        self._forget()

    def _end_epoch(self):
        """Checks the last steps of an epoch, before validation resets the metrics."""
        within, self._within_epoch = self._within_epoch, False
        if within:
            logs = self.model.get_metrics_result()
            self.on_train_batch_end(0, {name: float(logs[name]) for name in sorted(logs)})

    def _forget(self):
        if self._extremes:
            self._extremes.reset()


class StopOnSaturation(keras.callbacks.Callback):
    """Callback that stops the training of a GAN whose discriminator is always right.

    `fit` of a GAN adds this callback. Training stops if the discriminator's mean loss over an epoch
    is within `margin` of its minimum, such as 0 for "non_saturating". The generator then no longer
    learns: its gradient is zero or does not depend on the data.

    Args:
        margin: float. Distance from the minimum, in the unit of the discriminator's loss.

    Raises:
        ValueError: In `fit`, if the model is not a GAN.
        FloatingPointError: In `fit`, if the loss is saturated.

    Example:
        model = ki.from_preset("gan_mnist")
        model.compile("adam", "adam")
        images = model.generate(32, seed=0).numpy()
        model.fit(images, callbacks=[ki.callbacks.StopOnSaturation(margin=0.001)], verbose=0)
    """

    def __init__(self, margin: float = 0.01):
        super().__init__()
        self.margin = margin

    def on_train_begin(self, logs=None):
        if not hasattr(self.model, "saturated_loss"):
            raise ValueError(
                f"A {type(self.model).__name__} is not a GAN; leave StopOnSaturation out."
            )

    def on_epoch_end(self, epoch, logs=None):
        smallest = self.model.saturated_loss
        loss = (logs or {}).get("discriminator_loss", math.inf)
        if smallest is None or loss > smallest + self.margin:
            return
        raise FloatingPointError(
            f"Training stopped after epoch {epoch + 1}: the discriminator separates all generated "
            f"images from the real ones (its loss is {loss:.2g}), so the generator does not learn. "
            "Lower the discriminator's learning rate, smooth its labels, or add r1=1.0."
        )
