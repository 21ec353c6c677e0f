"""Priors p(z) as small serializable specs."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.spec import Spec

tfd = tfp.distributions

__all__ = ["StandardNormal", "prior_distribution"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class StandardNormal(Spec):
    """The prior N(0, I).

    Args:
        dimension: number of latent variables, at least 1.
    """

    def __init__(self, dimension: int):
        if dimension < 1:
            raise ValueError(f"A prior needs at least 1 dimension, got dimension={dimension}.")
        self.dimension = int(dimension)

    def distribution(self) -> tfd.Distribution:
        """The distribution, of batch shape () and event shape (dimension,)."""
        return tfd.MultivariateNormalDiag(tf.zeros(self.dimension), tf.ones(self.dimension))

    def get_config(self) -> dict:
        return {"dimension": self.dimension}


def prior_distribution(prior) -> tfd.Distribution:
    """The TFP distribution of a prior spec; a raw TFP distribution is passed through."""
    return prior if isinstance(prior, tfd.Distribution) else prior.distribution()
