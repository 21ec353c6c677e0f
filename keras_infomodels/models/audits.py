"""Parts of a model that `evaluation.audit` measures: encodings or a generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions import Latents
from keras_infomodels.information import Estimate

__all__ = ["EncoderParts", "GeneratorParts"]


@dataclass(frozen=True)
class EncoderParts:
    """Encodings, whose I_q(x;z) is bounded, and a decoder for I_p(x;z).

    Attributes:
        table: three arrays (N, d). A sample, the mean and the standard deviation of each q(z|x).
        table_prior: prior of the encodings' z. `None` is N(0, I).
        decoder: function from z to data that are drawn from p(x|z). `None` leaves I_p(x;z) out.
        prior: prior of the decoder's z. I_p(x;z) needs a normal prior.
        before: dict of Estimate. The model's own estimates, shown before those of the encodings.
        after: dict of Estimate. The model's own estimates, shown after those of the encodings.
    """

    table: tuple[np.ndarray, np.ndarray, np.ndarray]
    table_prior: object = None
    decoder: Callable[[tf.Tensor], tf.Tensor] | None = None
    prior: object = None
    before: Mapping[str, Estimate] = field(default_factory=dict)
    after: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class GeneratorParts:
    """Generator, whose I_p(x;c) is bounded for each code.

    Attributes:
        generator: function from latents (batch, latent_dim) to images.
        latents: `Latents`. Prior of the latents, with the codes.
    """

    generator: Callable[[tf.Tensor], tf.Tensor]
    latents: Latents
