"""Priors, posteriors and likelihoods: specs with JSON configs that make TFP distributions."""

from keras_infomodels.distributions.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    likelihood,
)
from keras_infomodels.distributions.posteriors import diagonal_normal, rate
from keras_infomodels.distributions.priors import StandardNormal, prior_distribution

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "Gaussian",
    "Likelihood",
    "StandardNormal",
    "diagonal_normal",
    "likelihood",
    "prior_distribution",
    "rate",
]
