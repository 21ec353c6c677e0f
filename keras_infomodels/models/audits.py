"""What a model hands to `evaluation.audit`: a table of encodings or a generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import Latents
from keras_infomodels.information import Estimate

__all__ = ["EncoderParts", "GeneratorParts"]


@dataclass(frozen=True)
class EncoderParts:
    """An encoder's table, whose I_q(x;z) is bounded, and a decoder for I_p(x;z).

    Attributes:
        table: a sample, the mean and the standard deviation of q(z|x), each (N, d).
        table_prior: prior of the table's z, a spec or TFP distribution; None is N(0, I).
        decoder: from z to generated data, drawn from p(x|z); None leaves I_p(x;z) out.
        prior: prior of the decoder's z; I_p(x;z) needs a normal one.
        before, after: the model's own estimates by name, shown before and after the table's.
    """

    table: tuple[np.ndarray, np.ndarray, np.ndarray]
    table_prior: object = None
    decoder: Callable[[tf.Tensor], tf.Tensor] | None = None
    prior: object = None
    before: Mapping[str, Estimate] = field(default_factory=dict)
    after: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class GeneratorParts:
    """A generator, whose I_p(x;c) is bounded code by code.

    Attributes:
        generator: from latents (batch, d) to images.
        latents: prior of the latents, with the codes.
    """

    generator: Callable[[tf.Tensor], tf.Tensor]
    latents: Latents
