"""Priors, posteriors and likelihoods: objects that can be saved and create TFP distributions."""

from keras_infomodels.distributions.codes import Categorical, Code, Normal, Uniform
from keras_infomodels.distributions.latents import Latents
from keras_infomodels.distributions.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    DiscretizedGaussian,
    DiscretizedLogistic,
    Gaussian,
    Likelihood,
    likelihood,
    portable_log_prob,
)
from keras_infomodels.distributions.posteriors import code_distribution, posterior, rate
from keras_infomodels.distributions.priors import (
    CategoricalNormal,
    GaussianMixture,
    MultivariateNormal,
    StandardNormal,
    SwissRoll,
    prior_distribution,
)

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Categorical",
    "CategoricalNormal",
    "Code",
    "ContinuousBernoulli",
    "DiscretizedGaussian",
    "DiscretizedLogistic",
    "Gaussian",
    "GaussianMixture",
    "Latents",
    "Likelihood",
    "MultivariateNormal",
    "Normal",
    "StandardNormal",
    "SwissRoll",
    "Uniform",
    "code_distribution",
    "likelihood",
    "portable_log_prob",
    "posterior",
    "prior_distribution",
    "rate",
]
