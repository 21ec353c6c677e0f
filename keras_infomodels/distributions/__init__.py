"""Priors, posteriors and likelihoods: specs with JSON configs that make TFP distributions."""

from keras_infomodels.distributions.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    check_range,
    likelihood,
)
from keras_infomodels.distributions.posteriors import posterior, rate
from keras_infomodels.distributions.priors import (
    GaussianMixture,
    StandardNormal,
    SwissRoll,
    prior_distribution,
)

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "Gaussian",
    "GaussianMixture",
    "Likelihood",
    "StandardNormal",
    "SwissRoll",
    "check_range",
    "likelihood",
    "posterior",
    "prior_distribution",
    "rate",
]
