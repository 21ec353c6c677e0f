"""What an exported model offers: named functions of named tensors."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

__all__ = ["Input", "Signature", "seeded"]

RANDOM = "it draws random numbers, for which TFLite has no operator that takes a seed"


@dataclass(frozen=True)
class Input:
    """A named tensor that a signature takes.

    Attributes:
        name: of the tensor.
        shape: of one example, without the batch.
        kind: what belongs there: "image"; "latent" (what the decoder takes); draws of "normal",
            "uniform" (-1 to 1) or "category" (one of K, all equally likely); "count" (one int32);
            "seed" (int32 of shape (2,)).
    """

    name: str
    shape: tuple[int, ...]
    kind: str

    def spec(self, batch_size: int | None = None) -> tf.TensorSpec:
        """The tensor's specification; None is a free batch size."""
        if self.kind in ("count", "seed"):
            return tf.TensorSpec(self.shape, tf.int32, name=self.name)
        return tf.TensorSpec((batch_size, *self.shape), tf.float32, name=self.name)


@dataclass(frozen=True)
class Signature:
    """A function that an export offers.

    Attributes:
        function: of tensors by keyword, to a dict of tensors.
        inputs: what it takes.
        saved_model_only: why a `.tflite` cannot hold it; empty if it can.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[Input, ...]
    saved_model_only: str = ""


def seeded(function: Callable) -> Signature:
    """The signature of a function of a count and a seed, which draws random numbers."""
    return Signature(function, (Input("count", (), "count"), Input("seed", (2,), "seed")), RANDOM)
