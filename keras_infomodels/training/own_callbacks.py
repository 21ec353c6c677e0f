"""Callbacks that `fit` adds to those of the user."""

import keras

from keras_infomodels.datasets.batches import epoch_variable
from keras_infomodels.training.checks import check_callbacks
from keras_infomodels.training.execution import ProgressBar
from keras_infomodels.training.guards import StopOnNonFinite
from keras_infomodels.training.information_reader import InformationReader
from keras_infomodels.training.order import FollowEpoch

__all__ = ["with_own_callbacks"]


def with_own_callbacks(
    model: keras.Model, x, callbacks, verbose, information_freq: int
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks, preceded by those that every training has.

    Args:
        model: keras.Model. Compiled model. With two optimizers, the second's learning rate follows
            the first's.
        x: data as `fit` takes them. A dataset of `datasets` gets the order of each epoch.
        callbacks: a callback, a nested structure of callbacks, or None.
        verbose: int or str, as `fit` takes it. 0 shows no progress bar.
        information_freq: int. `every` of `InformationReader`.

    Raises:
        ValueError: If callbacks exclude each other.
    """
    own = [] if epoch_variable(x) is None else [FollowEpoch(x)]
    given = keras.tree.flatten(callbacks or [])
    callbacks = [InformationReader(information_freq), StopOnNonFinite(), *own, *given]
    check_callbacks(callbacks)
    if verbose and not any(isinstance(c, keras.callbacks.ProgbarLogger) for c in given):
        callbacks.append(ProgressBar())
    return callbacks if len(model.optimizer_groups()) == 1 else model._follow_rate.among(callbacks)
