"""Checks of the arguments of `compile` and `fit`."""

import warnings
import weakref

import keras

from keras_infomodels.datasets.batches import is_array
from keras_infomodels.training.averages import WeightAverage

__all__ = [
    "Checked",
    "check_batch",
    "check_callbacks",
    "check_compile",
    "check_data",
    "check_no_weights",
    "check_optimizer",
]


class Checked:
    """Record of the data that a compiled model has checked, so they are not checked again.

    Data are recognized by identity (`is`), through weak references. Pixels that are changed in
    place later are still checked in each training step.
    """

    def __init__(self):
        self._known: dict[int, tuple[weakref.ref, int]] = {}

    def examples(self, model: keras.Model, data) -> int | None:
        """Returns the number of examples that `model.check_data` checked; None for a generator."""
        reference, count = self._known.get(id(data), (lambda: None, 0))
        if data is not None and reference() is data:
            return count
        examples = model.check_data(data)
        if examples is None:
            return None
        key = id(data)
        forget = weakref.ref(data, lambda _: self._known.pop(key, None))
        self._known[key] = (forget, len(examples))
        return len(examples)


def check_compile(model: keras.Model, kwargs: dict):
    """Raises ValueError for `loss` or `metrics`, and for XLA if it cannot compile the step."""
    name = type(model).__name__
    if kwargs.get("loss") is not None:
        raise ValueError(f"{name} has its own loss; call compile(optimizer) without loss.")
    if kwargs.get("metrics") or kwargs.get("weighted_metrics"):
        raise ValueError(
            f"{name}'s metrics are the terms of its loss; call compile(optimizer) without "
            "metrics, and measure others in a callback."
        )
    if kwargs.get("jit_compile") is True and not model.supports_jit:
        raise ValueError(
            "XLA cannot compile the affine augmentations of this model; leave jit_compile out, or "
            "turn them off."
        )


def check_optimizer(optimizer: keras.Optimizer):
    """Raises ValueError for gradient accumulation.

    The accumulated steps would all use the same noise.
    """
    if getattr(optimizer, "gradient_accumulation_steps", None):
        raise ValueError(
            "Gradient accumulation would repeat the noise of a step, whose seed is folded from the "
            "optimizer's iterations; take larger batches instead."
        )


def check_callbacks(callbacks: list[keras.callbacks.Callback]):
    """Raises ValueError for callbacks that would restore weights other than the evaluated ones."""
    averages = any(isinstance(each, WeightAverage) for each in callbacks)
    if averages and any(getattr(each, "restore_best_weights", False) for each in callbacks):
        raise ValueError(
            "EarlyStopping(restore_best_weights=True) would restore an epoch's weights before "
            "averaging, while WeightAverage evaluates the average; leave one of the two out."
        )


def check_data(model: keras.Model, x, y, batch_size: int | None, validation_data) -> int | None:
    """Checks the data of `fit`, and warns if batches are too small.

    Args:
        model: keras.Model. Its `check_labels` checks the labels. Its `check_data` checks the
            images, once for all calls of `fit`.
        x: images as `fit` takes them.
        y: labels as `fit` takes them, or None.
        batch_size: int. Batch size for arrays. `None` is 32.
        validation_data: data as `fit` takes them, or None.

    Returns:
        The size of the largest batch; None if it is unknown.

    Raises:
        ValueError: If the model cannot be trained on the data.
    """
    own_x, own_y, own_weights = keras.utils.unpack_x_y_sample_weight(validation_data)
    check_no_weights(validation_data=own_weights)
    model.check_labels(y)
    model.check_labels(own_y)
    sizes = [] if validation_data is None else [_batch_size(model, own_x, batch_size)]
    sizes.append(_batch_size(model, x, batch_size))
    if sizes[-1] is not None:
        _warn_of_small_batch(model, sizes[-1])
    return None if None in sizes else max(sizes)


def _batch_size(model: keras.Model, data, batch_size: int | None) -> int | None:
    """Checks data and returns the size of a full batch; None for a generator."""
    examples = model.checked_data.examples(model, data)
    return min(batch_size or 32, len(data)) if is_array(data) else examples


def check_batch(model: keras.Model, x, y, **weights):
    """Raises ValueError for a batch that a model cannot take, or for example weights."""
    check_no_weights(**weights)
    model.check_array(x)
    model.check_labels(y)


def check_no_weights(**given):
    """Raises ValueError if a `sample_weight` or `class_weight` is given."""
    for name, weights in given.items():
        if weights is not None:
            words = "A weight of examples in validation_data" if "data" in name else name
            raise ValueError(
                f"{words} is not supported, because the terms of the loss are means over all "
                "examples; repeat or leave out examples instead."
            )


def _warn_of_small_batch(model: keras.Model, size: int):
    if size < model.smallest_batch:
        warnings.warn(
            f"The batch size is {size}, and the divergence needs at least "
            f"{model.smallest_batch} examples. In smaller batches it is 0, so that the model is "
            "trained without a prior. Take larger batches.",
            stacklevel=4,
        )
