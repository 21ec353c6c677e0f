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
from keras_infomodels.distributions.posteriors import code_distribution, posterior, rate
from keras_infomodels.distributions.priors import (
    CategoricalNormal,
    GaussianMixture,
    StandardNormal,
    SwissRoll,
    prior_distribution,
)

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "CategoricalNormal",
    "ContinuousBernoulli",
    "Gaussian",
    "GaussianMixture",
    "Likelihood",
    "StandardNormal",
    "SwissRoll",
    "check_range",
    "code_distribution",
    "likelihood",
    "posterior",
    "prior_distribution",
    "rate",
]
