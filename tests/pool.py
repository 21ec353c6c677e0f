"""Compiled models that tests share: each is traced once a session and put back as it was made."""

from collections.abc import Callable

import keras
import numpy as np

from keras_infomodels.spec import Spec

FUNCTIONS = {"train_function", "test_function", "predict_function"}
# What `fit` and `evaluate` set, and what an instance may say once.
CHANGES = FUNCTIONS | {
    "history",
    "stop_training",
    "stop_evaluating",
    "stop_predicting",
    "_called",
    "_parent_path",
    "_eval_epoch_iterator",
    "_ceiling_shown",
    "_ceilings_shown",
}
SIMPLE = (bool, int, float, str, type(None))  # and what their constructors describe


class Pool:
    """Models by what they were made of; a test gets each instance once."""

    def __init__(self):
        self._free: dict[tuple, list] = {}
        self._taken: list[tuple[tuple, _Kept]] = []

    def take(self, name: str, make: Callable[[], keras.Model], *settings) -> keras.Model:
        """A model that is as `make` returns it; made where no instance is free.

        Args:
            name: what `make` makes of the settings.
            make: returns a compiled model.
            *settings: what tells it from others. Instances are shared where all are simple values.
        """
        if not all(map(_is_simple, settings)):
            return make()
        key = (name, repr(settings))
        free = self._free.setdefault(key, [])
        kept = free.pop() if free else _Kept(make())
        kept.put_back()
        self._taken.append((key, kept))
        return kept.model

    def release(self):
        """Takes back what the test had, but for models that it changed."""
        for key, kept in self._taken:
            if kept.is_as_made():
                self._free[key].append(kept)
        self._taken.clear()


class _Kept:
    """A model and its state when it was made."""

    def __init__(self, model: keras.Model):
        self.model = model
        self.attributes = dict(vars(model))
        self.trainable = [variable.trainable for variable in model.variables]
        self.values = [(variable, np.array(variable)) for variable in self._variables()]

    def put_back(self):
        if self.model.run_eagerly != self.attributes["_run_eagerly"]:
            self.model.run_eagerly = self.attributes["_run_eagerly"]
            for name in FUNCTIONS:
                setattr(self.model, name, None)
        for variable, value in self.values:
            variable.assign(value)
        for name in (CHANGES - FUNCTIONS) & self.attributes.keys():
            setattr(self.model, name, self.attributes[name])

    def is_as_made(self) -> bool:
        """Whether no attribute has changed but those that `put_back` sets."""
        now = vars(self.model)
        names = (now.keys() | self.attributes.keys()) - CHANGES - {"_run_eagerly"}
        same = all(
            name in now and name in self.attributes and _is_same(now[name], self.attributes[name])
            for name in names
        )
        return (
            same
            and self.trainable == [variable.trainable for variable in self.model.variables]
            and len(self._variables()) == len(self.values)
        )

    def _variables(self) -> list[keras.Variable]:
        names = ("optimizer", "discriminator_optimizer")
        optimizers = [getattr(self.model, name, None) for name in names]
        own = [v for optimizer in optimizers if optimizer is not None for v in optimizer.variables]
        metrics = [v for metric in self.model.metrics for v in metric.variables]
        return [*self.model.variables, *own, *metrics]


def _is_same(a, b) -> bool:
    return a is b or (isinstance(a, SIMPLE) and type(a) is type(b) and a == b)


def _is_simple(value) -> bool:
    if isinstance(value, dict):
        return all(map(_is_simple, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_simple, value))
    return isinstance(value, (*SIMPLE, type, Spec))
