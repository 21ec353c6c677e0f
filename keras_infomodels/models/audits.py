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
    """Encodings and decoder of an autoencoder, as `evaluation.audit` needs them.

    q(z|x) is the encoder's distribution of the latents z of an image x, and p(x|z) the decoder's.
    The audit bounds two mutual informations: I_q(x;z) of images and their encodings, and I_p(x;z)
    of draws of the prior and their decoded images.

    Attributes:
        table: three arrays (N, d). A sample, the mean and the standard deviation of q(z|x) for N
            images.
        table_prior: prior of the encodings' z. `None` is N(0, I).
        decoder: function. Draws data from p(x|z), given z (n, d). `None` leaves out I_p(x;z).
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
    """Generator of an InfoGAN, as `evaluation.audit` needs it.

    The audit bounds I_p(x;c), the mutual information of generated images x and each code c.

    Attributes:
        generator: function from latents (batch, latent_dim) to images.
        latents: `Latents`. Prior of the latents, with the codes.
    """

    generator: Callable[[tf.Tensor], tf.Tensor]
    latents: Latents
