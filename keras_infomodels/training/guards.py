"""Callbacks that stop a training run that has failed."""

import math

import keras

__all__ = ["StopOnNonFinite", "StopOnSaturation"]


class StopOnNonFinite(keras.callbacks.Callback):
    """Callback that stops training if a term is not finite, naming the step and the term.

    `fit` of the models of this library adds it. Their steps skip the update if a term is not
    finite, so that the model holds the last good weights, even if the NaN is noticed some steps
    later: `fit` reads the metrics every ten steps, and at the end of an epoch. A NaN in validation
    stops the training too, because `EarlyStopping` would wait for it to improve.

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
        raise FloatingPointError(
            f"Training stopped at step {int(self.model.optimizer.iterations) + 1}: {names} is not "
            f"finite. The model holds the weights before this step. {advice}"
        )

    def on_test_begin(self, logs=None):
        self._end_epoch()
        self._forget()

    def on_test_end(self, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            step = int(self.model.optimizer.iterations)
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

    `fit` of a GAN adds it. The training stops if the discriminator's mean loss over an epoch is
    within `margin` of the objective's minimum. The generator's gradient has then vanished, or does
    not depend on the data.

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
