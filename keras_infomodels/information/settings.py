"""Settings of the estimators that train a critic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_infomodels.spec import check_int, check_nonnegative

if TYPE_CHECKING:
    import keras

__all__ = ["NeuralSettings"]


@dataclass(frozen=True)
class NeuralSettings:
    """Settings of the training of a critic.

    Attributes:
        critic: Keras model from (x, y) to scores (n, m). Its weights are restored after the fit.
            `None` creates a `SeparableCritic`.
        warm_start: bool. Whether the critic is added to the log ratio of a Gaussian copula that is
            fitted to the training pairs. The sum is then exact for a Gaussian copula from the
            start.
        alpha: float in [0, 1]. Interpolation weight of "interpolated".
        clip: float. Largest absolute score of "smile".
        batch_size: int. Pairs per step.
        learning_rate: float. Learning rate of AdamW.
        weight_decay: float. Weight decay of AdamW.
        epochs: int. Largest number of passes over the pairs.
        patience: int. Number of epochs without a better validation bound before training stops.
        held_out: float. Share of the pairs from which the bound is computed. A third as many pairs
            select the epoch.
        steps: int. Number of training steps on fresh draws; the learning rate falls by a cosine.
            Numbers above 50 are rounded up to a multiple of 50, the steps of one call.
        candidates: int. Number of fresh draws from which the bound is computed.
        queries: int. Largest number of these draws that are used as x.
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
