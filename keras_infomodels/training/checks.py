"""Checks of what a model is compiled and trained with."""

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
    """Data that a compiled model has looked at, so that the next `fit` begins at once.

    Known by identity and not kept alive. Pixels that are changed in place later are still checked
    in each step.
    """

    def __init__(self):
        self._known: dict[int, tuple[weakref.ref, int]] = {}

    def examples(self, model: keras.Model, data) -> int | None:
        """How many examples `model.check_data` looked at, now or before; `None` for a generator."""
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
    """Refuses a loss, metrics, and XLA where it cannot compile the step."""
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
            "XLA cannot compile the affine moves that this model makes; leave jit_compile out, or "
            "turn them off."
        )


def check_optimizer(optimizer: keras.Optimizer):
    """Refuses gradient accumulation, which would draw the same noise in several steps."""
    if getattr(optimizer, "gradient_accumulation_steps", None):
        raise ValueError(
            "Gradient accumulation would repeat the noise of a step, which is drawn by the "
            "optimizer's iterations; take larger batches instead."
        )


def check_callbacks(callbacks: list[keras.callbacks.Callback]):
    """That the weights a training ends with are those that its figures chose."""
    averages = any(isinstance(each, WeightAverage) for each in callbacks)
    if averages and any(getattr(each, "restore_best_weights", False) for each in callbacks):
        raise ValueError(
            "EarlyStopping(restore_best_weights=True) would put back an epoch's own weights, which "
            "WeightAverage has not averaged; leave one of the two out."
        )


def check_data(model: keras.Model, x, y, batch_size: int | None, validation_data) -> int | None:
    """Raises ValueError for data that a model cannot be fitted to; warns of batches too small.

    Args:
        model: keras.Model. Its `check_labels` looks at the labels, and its `check_data` at the
            rest, once for all calls of `fit`.
        x: as `fit` takes it.
        y: as `fit` takes it.
        batch_size: as `fit` takes it.
        validation_data: as `fit` takes it.

    Returns:
        The number of examples of the largest batch, as far as it is known; `None` for unknown.
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
    """Examples in a full batch of data, which are checked; `None` for a generator."""
    examples = model.checked_data.examples(model, data)
    return min(batch_size or 32, len(data)) if is_array(data) else examples


def check_batch(model: keras.Model, x, y, **weights):
    """Raises ValueError for one batch that a model cannot take, or for weights of its examples."""
    check_no_weights(**weights)
    model.check_array(x)
    model.check_labels(y)


def check_no_weights(**given):
    """Raises ValueError for weights of examples or classes, by the name of their argument."""
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
            f"The batch size is {size}, and the divergence compares at least "
            f"{model.smallest_batch} examples: it is 0 in such batches, so the model trains as an "
            "autoencoder without a prior. Take larger batches.",
            stacklevel=4,
        )
