"""Priors p(z) of latent variables z, as small objects that can be saved."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.defaults import MOST_CORRELATED
from keras_infomodels.registry import built_in
from keras_infomodels.renames import old_attribute, rename, takes_old_arguments
from keras_infomodels.spec import Spec

tfd = tfp.distributions

__all__ = [
    "CategoricalNormal",
    "GaussianMixture",
    "MultivariateNormal",
    "StandardNormal",
    "SwissRoll",
    "prior_distribution",
]


@built_in
class StandardNormal(Spec):
    """Prior N(0, I) of the latent variables z.

    Args:
        dimension: int. Number of latent variables, at least 1.

    Raises:
        ValueError: If the dimension is below 1.

    Example:
        ki.distributions.StandardNormal(10).distribution().sample(5)  # shape (5, 10)
    """

    def __init__(self, dimension: int):
        if dimension < 1:
            raise ValueError(f"A prior needs at least 1 dimension, got dimension={dimension}.")
        self.dimension = int(dimension)

    def distribution(self) -> tfd.Distribution:
        """Creates the prior as a TFP distribution, of event shape (dimension,)."""
        return tfd.MultivariateNormalDiag(tf.zeros(self.dimension), tf.ones(self.dimension))

    def get_config(self) -> dict:
        return {"dimension": self.dimension}


@built_in
@takes_old_arguments(rename(categories="num_categories", dimension="continuous_dim"))
class CategoricalNormal(Spec):
    """Prior of a category with K equally likely values, and independent latents z ~ N(0, I).

    A draw is one vector: the one-hot category, then z. A model with this prior needs an encoder
    that returns {"logits", "loc", "scale"}; see `AdversarialAutoencoder`.

    Args:
        num_categories: int, at least 2. Number K of values of the category.
        continuous_dim: int, at least 1. Length of z.

    Raises:
        ValueError: If a number is too small.

    Example:
        prior = ki.distributions.CategoricalNormal(num_categories=10, continuous_dim=8)
        prior.distribution().sample(5)  # shape (5, 18)
    """

    categories = old_attribute("categories", "num_categories")
    dimension = old_attribute("dimension", "continuous_dim")

    def __init__(self, num_categories: int, continuous_dim: int):
        if num_categories < 2 or continuous_dim < 1:
            raise ValueError(
                "A CategoricalNormal needs at least 2 categories and 1 continuous variable, got "
                f"num_categories={num_categories} and continuous_dim={continuous_dim}."
            )
        self.num_categories = int(num_categories)
        self.continuous_dim = int(continuous_dim)

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape ().

        The event shape is (num_categories + continuous_dim,).
        """
        category = tfd.OneHotCategorical(tf.zeros(self.num_categories), dtype=tf.float32)
        return tfd.Blockwise([category, StandardNormal(self.continuous_dim).distribution()])

    def get_config(self) -> dict:
        return {"num_categories": self.num_categories, "continuous_dim": self.continuous_dim}


@built_in
class GaussianMixture(Spec):
    """Prior of K equally likely Gaussian components N(mean_k, stddev^2 I).

    Args:
        means: array (K, d). Mean of each component.
        stddev: float. Standard deviation of every component, above 0.

    Raises:
        ValueError: If the means are not a matrix, or `stddev` is not above 0.

    Example:
        prior = ki.distributions.GaussianMixture.ring(components=10)
        prior.distribution().sample(5)  # shape (5, 2)
    """

    def __init__(self, means: Sequence[Sequence[float]], stddev: float):
        means = np.asarray(means, np.float32)
        if means.ndim != 2 or not means.size:
            raise ValueError(f"means have shape (components, dimensions), got {means.shape}.")
        if not stddev > 0:
            raise ValueError(f"stddev is above 0, got {stddev!r}.")
        self.means = means
        self.stddev = float(stddev)

    @classmethod
    def ring(cls, components: int = 10, radius: float = 4.0, stddev: float = 0.5):
        """Creates a mixture whose components are evenly spaced on a circle in the plane.

        Args:
            components: int. Number of components.
            radius: float. Radius of the circle.
            stddev: float. Standard deviation of every component.
        """
        angles = 2 * np.pi * np.arange(components) / components
        return cls(radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1), stddev)

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape () and event shape (d,)."""
        components = tfd.MultivariateNormalDiag(
            tf.constant(self.means), tf.fill(self.means.shape, self.stddev)
        )
        return tfd.MixtureSameFamily(tfd.Categorical(tf.zeros(len(self.means))), components)

    def get_config(self) -> dict:
        return {"means": self.means.tolist(), "stddev": self.stddev}


@built_in
class MultivariateNormal(Spec):
    """Prior N(loc, L L^T) of correlated latent variables z.

    `InfoVAE.fit_prior` fits one to the latent variables of images.

    Args:
        loc: array (d,). Mean of at most 256 latent variables.
        scale_tril: array (d, d). Lower triangular matrix L, with a positive diagonal.

    Raises:
        ValueError: If there are more latent variables, the shapes do not fit together, a number is
            not finite in float32, or L is not lower triangular with a positive diagonal.

    Example:
        prior = ki.distributions.MultivariateNormal([0.0, 1.0], [[1.0, 0.0], [0.5, 2.0]])
        prior.distribution().covariance()  # [[1, 0.5], [0.5, 4.25]]
    """

    def __init__(self, loc: Sequence[float], scale_tril: Sequence[Sequence[float]]):
        loc, scale = _float32("loc", loc), _float32("scale_tril", scale_tril)
        if loc.ndim != 1 or not loc.size or scale.shape != (loc.size, loc.size):
            raise ValueError(
                f"loc has shape (d,) and scale_tril (d, d), got {loc.shape} and {scale.shape}."
            )
        if loc.size > MOST_CORRELATED:
            raise ValueError(
                f"At most {MOST_CORRELATED} latent variables can be correlated, got {loc.size}."
            )
        if not (np.isfinite(loc).all() and np.isfinite(scale).all()):
            raise ValueError("loc and scale_tril are finite numbers.")
        if np.triu(scale, 1).any() or scale.diagonal().min() <= 0:
            raise ValueError("scale_tril is lower triangular, with a positive diagonal.")
        self.loc = loc
        self.scale_tril = scale

    def distribution(self) -> tfd.Distribution:
        """Creates the prior as a TFP distribution, of event shape (d,)."""
        return tfd.MultivariateNormalTriL(tf.constant(self.loc), tf.constant(self.scale_tril))

    def get_config(self) -> dict:
        # Through text, for the shortest decimal numbers that are the same in float32.
        arrays = {"loc": self.loc, "scale_tril": self.scale_tril}
        return {name: array.astype(str).astype(float).tolist() for name, array in arrays.items()}


def _float32(name: str, values) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            with np.errstate(over="ignore"):
                return array.astype(np.float32)
    except ValueError:  # lists of several lengths
        pass
    raise ValueError(f"{name} is an array of numbers, got {values!r:.80}.")


@built_in
class SwissRoll(Spec):
    """Prior on a spiral in the plane: (t cos t, t sin t) times a scale, plus Gaussian noise.

    t goes from 1.5 pi to 4.5 pi, and draws are uniform along the curve. The curve is approximated
    by 200 narrow Gaussian components, so that the prior has a density.

    Args:
        radius: float. Radius of the spiral's outer end.
        stddev: float. Standard deviation across the curve.

    Raises:
        ValueError: If a number is not above 0.

    Example:
        ki.distributions.SwissRoll().distribution().sample(5)  # shape (5, 2)
    """

    def __init__(self, radius: float = 4.0, stddev: float = 0.15):
        if not (radius > 0 and stddev > 0):
            raise ValueError(f"radius and stddev are above 0, got {radius!r} and {stddev!r}.")
        self.radius = float(radius)
        self.stddev = float(stddev)

    def distribution(self) -> tfd.Distribution:
        """Creates this prior as a TFP distribution of batch shape () and event shape (2,)."""
        # The arc of r = t grows about as t^2 / 2: even steps in t^2 are even along the curve.
        t = np.sqrt(np.linspace((1.5 * math.pi) ** 2, (4.5 * math.pi) ** 2, 200))
        curve = t[:, None] * np.stack([np.cos(t), np.sin(t)], axis=-1)
        return GaussianMixture(curve * self.radius / t[-1], self.stddev).distribution()

    def get_config(self) -> dict:
        return {"radius": self.radius, "stddev": self.stddev}


def prior_distribution(prior) -> tfd.Distribution:
    """Returns the TFP distribution of a prior.

    Args:
        prior: prior of `keras_infomodels.distributions`, or TFP distribution, which is returned
            unchanged.

    Example:
        ki.distributions.prior_distribution(ki.distributions.StandardNormal(2))
    """
    return prior if isinstance(prior, tfd.Distribution) else prior.distribution()
