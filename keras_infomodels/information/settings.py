"""Settings of the estimators that train a critic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_infomodels.spec import check_int, check_nonnegative

if TYPE_CHECKING:
    import keras

__all__ = ["NeuralSettings"]


@dataclass(frozen=True)
class NeuralSettings:
    """Settings of estimators that train a critic, a network f(x, y) that scores pairs.

    `MutualInformation` takes these fields as keyword arguments.

    Attributes:
        critic: Keras model. Critic from (x, y) to scores (n, m). Its initial weights are restored
            after the fit. `None` creates a `SeparableCritic`.
        warm_start: bool. `True` adds the critic to ln p(x, y) / (p(x) p(y)) of a Gaussian copula
            that is fitted to the training pairs. The critic then only learns the difference from a
            Gaussian copula. `False` trains the critic alone.
        alpha: float in [0, 1]. Weight of InfoNCE in the estimator "interpolated".
        clip: float. Largest absolute score in the estimator "smile".
        batch_size: int. Number of pairs per training step.
        learning_rate: float. Learning rate of AdamW.
        weight_decay: float. Weight decay of AdamW.
        epochs: int. Largest number of passes over the training pairs.
        patience: int. Number of epochs without a better validation bound before training stops.
        held_out: float. Share of the pairs from which the bound is computed. Further pairs, a third
            as many, are used to select the best epoch.
        steps: int. Number of training steps if x is a function that draws pairs. The learning rate
            falls by a cosine schedule. Numbers above 50 are rounded up to a multiple of 50.
        candidates: int. Number of new pairs from which the bound is computed, if x is a function.
        queries: int. Largest number of pairs whose x is scored against the y of all pairs.
        seed: int. Seed of the split, the weights and the order.
        verbose: int or str. Verbosity of Keras' `fit`.

    Example:
        settings = ki.information.NeuralSettings(epochs=50, patience=5)
    """

    critic: "keras.Model | None" = None
    warm_start: bool = True
    alpha: float = 0.5
    clip: float = 5.0
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    epochs: int = 200
    patience: int = 10
    held_out: float = 0.25
    steps: int = 20_000
    candidates: int = 2**17
    queries: int = 4096
    seed: int = 0
    verbose: int | str = 0

    def __post_init__(self):
        least = {"steps": 1, "batch_size": 2, "epochs": 1, "patience": 0}
        for name, smallest in (least | {"candidates": 3, "queries": 1}).items():
            check_int(name, getattr(self, name), smallest)
        for name in ("learning_rate", "weight_decay", "clip"):
            check_nonnegative(name, getattr(self, name))
        for name in ("held_out", "alpha"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies between 0 and 1, got {getattr(self, name)!r}.")
