"""Signatures of an exported model: named functions of named tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tensorflow as tf

__all__ = ["Input", "Signature", "seeded"]

RANDOM = "it draws random numbers, and TFLite has no random operator that takes a seed"


@dataclass(frozen=True)
class Input:
    """Named input tensor of a signature.

    Attributes:
        name: str. Name of the tensor.
        shape: tuple of int. Shape of one example, without the batch.
        kind: str. Meaning of the values: "image", "latent" (input of the decoder), "normal" (draws
            of N(0, 1)), "uniform" (draws from -1 to 1), "category" (one-hot, all K values equally
            likely), "count" (one int32) or "seed" (int32 of shape (2,)).
    """

    name: str
    shape: tuple[int, ...]
    kind: str

    def spec(self, batch_size: int | None = None) -> tf.TensorSpec:
        """Returns the tensor's specification; a batch size of None is free."""
        if self.kind in ("count", "seed"):
            return tf.TensorSpec(self.shape, tf.int32, name=self.name)
        return tf.TensorSpec((batch_size, *self.shape), tf.float32, name=self.name)


@dataclass(frozen=True)
class Signature:
    """Function of an exported file.

    Attributes:
        function: function of tensors by keyword. It returns a dict of tensors.
        inputs: tuple of Input. The function's arguments.
        saved_model_only: str. Reason why a `.tflite` file cannot contain it; empty if it can.
        scales: dict from output to float. What differences of an output are relative to, if that is
            more than its value: a log density adds terms of both signs, so it may be near 0.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[Input, ...]
    saved_model_only: str = ""
    scales: Mapping[str, float] = field(default_factory=dict)


def seeded(function: Callable) -> Signature:
    """Returns the signature of a function that draws random numbers from a count and a seed."""
    return Signature(function, (Input("count", (), "count"), Input("seed", (2,), "seed")), RANDOM)
