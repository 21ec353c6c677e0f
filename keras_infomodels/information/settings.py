"""Settings of the estimators that train a critic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_infomodels.spec import check_int, check_nonnegative

if TYPE_CHECKING:
    import keras

__all__ = ["NeuralSettings"]


@dataclass(frozen=True)
class NeuralSettings:
    """How a critic is trained.

    Attributes:
        critic: a Keras model from (x, y) to scores (n, m), which has its weights of before back
            after the fit; None is a `SeparableCritic`.
        warm_start: whether the critic is a residual of the Gaussian-copula log ratio of the
            training pairs, which is exact for a Gaussian copula.
        alpha: of "interpolated".
        clip: of "smile".
        batch_size, learning_rate, weight_decay: of AdamW.
        epochs: the most passes over the pairs.
        patience: epochs without a better validation bound before training stops.
        held_out: share of the pairs that the bound is read from; a third as many choose the epoch.
        steps: of training, for fresh draws, whose rate falls by cosine; rounded up where there are
            more than 50, which one call takes.
        candidates: fresh draws for the read-out.
        queries: how many of these are x, at most.
        seed: of the split, the weights and the order.
        verbose: of `fit`.
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
