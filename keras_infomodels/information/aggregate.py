"""Information of an encoder, with q(z) the mixture of its posteriors over a whole set.

No average over minibatches stands in for q(z): such estimates of I_q(x;z) are wrong by nats.
"""

import math
from functools import cached_property

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.information.bounds import leave_one_out_terms
from keras_infomodels.information.estimate import Estimate, mean_estimate
from keras_infomodels.information.marginals import mixture_marginal_log_prob
from keras_infomodels.information.streams import generator
from keras_infomodels.spec import check_int

__all__ = [
    "AggregatedPosterior",
    "fitted_marginal_bound",
    "mixture_log_prob",
    "mutual_information_bounds",
]

_FLOOR = 1e-12
"""Of standard deviations, whose logarithms are taken."""
_CELLS = 2**20
"""Entries of the largest intermediate matrix: 8 MB of float64."""


def mixture_log_prob(z: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """log (1/N) sum_j N(z; loc_j, diag(scale_j^2)), in nats, differentiable.

    Args:
        z: points, shape (m, d).
        loc: means, shape (N, d).
        scale: standard deviations, shape (N, d).

    Returns:
        Shape (m,), float64.
    """
    z, loc, scale = (tf.cast(a, tf.float64) for a in (z, loc, scale))
    weights, constants = _coefficients(loc, scale)
    joint = tf.matmul(tf.concat([z**2, z], axis=-1), weights, transpose_b=True) + constants
    count = tf.cast(tf.shape(joint)[-1], joint.dtype)
    return tf.reduce_logsumexp(joint, axis=-1) - tf.math.log(count)


def _coefficients(loc: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """log N(z; loc_j, diag(scale_j^2)) is quadratic in z: its factors of [z^2, z], (N, 2d), and its
    constants, (N,).

    So all pairs take one matrix product, never an (m, N, d) tensor; in float64, as its terms cancel
    where scales are small.
    """
    precision = 1 / (scale * scale)
    weights = tf.concat([-0.5 * precision, loc * precision], axis=-1)
    constants = -0.5 * tf.reduce_sum(
        loc**2 * precision + 2 * tf.math.log(scale) + math.log(2 * math.pi), axis=-1
    )
    return weights, constants


def _log_sum_of_others(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, index: np.ndarray
) -> np.ndarray:
    """ln sum over j != index_i of N(z_i; loc_j, diag(scale_j^2)), shape (m,)."""
    if len(loc) == 1:
        return np.full(len(z), -math.inf)
    rows = max(1, _CELLS // len(loc))
    center = loc.mean(axis=0)  # squares of far codes would cancel
    z = z - center
    weights, constants = map(np.asarray, _coefficients(tf.constant(loc - center), scale))

    def log_sum(part: np.ndarray) -> np.ndarray:
        # In place, and not TensorFlow's, which makes a new matrix of each step: half the time.
        points = z[part]
        terms = np.concatenate([points**2, points], axis=-1) @ weights.T
        terms += constants
        terms[np.arange(len(part)), index[part]] = -math.inf
        top = terms.max(axis=1, keepdims=True)
        terms -= top
        return np.log(np.exp(terms, out=terms).sum(axis=1)) + top[:, 0]

    return np.concatenate(
        [log_sum(p) for p in np.split(np.arange(len(z)), range(rows, len(z), rows))]
    )


def _table(z, loc, scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    if not (z.shape == loc.shape == scale.shape and z.ndim == 2 and len(z)):
        raise ValueError(
            f"z, loc and scale have one shape (N, d), got {z.shape}, {loc.shape}, {scale.shape}."
        )
    return z, loc, np.maximum(scale, _FLOOR)


def _some_of(z, loc, scale, index) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A table whose z are of some of the N posteriors, and which of them."""
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    if not (loc.shape == scale.shape and loc.ndim == z.ndim == 2 and len(z)):
        raise ValueError(
            "loc and scale have one shape (N, d), and z has the shape (m, d), got "
            f"{loc.shape}, {scale.shape} and {z.shape}."
        )
    index = np.arange(len(z)) if index is None else np.asarray(index)
    if z.shape[1] != loc.shape[1] or index.shape != (len(z),) or index.max() >= len(loc):
        raise ValueError(
            f"Each of {z.shape[0]} z of {z.shape[1]} dimensions is of one of the {len(loc)} "
            f"posteriors of {loc.shape[1]}; give index, (m,), from 0 to {len(loc) - 1}."
        )
    if index.min() < 0 or index.dtype.kind not in "iu":
        raise ValueError(f"index holds integers from 0 to {len(loc) - 1}, got {index.min()!r}.")
    return z, loc, np.maximum(scale, _FLOOR), index


def _own_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """log q(z_i|x_i), shape (N,)."""
    terms = ((z - loc) / scale) ** 2 + 2 * np.log(scale) + math.log(2 * math.pi)
    return -0.5 * terms.sum(axis=-1)


class AggregatedPosterior:
    """q(z) = (1/N) sum_j N(z; loc_j, diag(scale_j^2)) at samples of its posteriors.

    The pass over all pairs is made once, in blocks of rows, when it is first needed, and serves
    every quantity. Errors fall with the number of z, and the bias with that of the posteriors.

    Args:
        z: samples of posteriors, shape (m, d).
        loc, scale: means and standard deviations, shape (N, d); below 1e-12 these count as 1e-12.
        index: int (m,). The posterior of each z; None is the first m of them, in order.
    """

    def __init__(
        self,
        z: np.ndarray,
        loc: np.ndarray,
        scale: np.ndarray,
        index: np.ndarray | None = None,
    ):
        self.z, self.loc, self.scale, self.index = _some_of(z, loc, scale, index)

    @cached_property
    def own(self) -> np.ndarray:
        """log q(z_i|x_i), shape (m,)."""
        return _own_log_prob(self.z, self.loc[self.index], self.scale[self.index])

    @cached_property
    def others(self) -> np.ndarray:
        """ln sum over j != i of q(z_i|x_j), shape (m,)."""
        return _log_sum_of_others(self.z, self.loc, self.scale, self.index)

    @cached_property
    def log_prob(self) -> np.ndarray:
        """log q(z_i), shape (m,)."""
        # The matrix product loses the largest term, each z's own, where scales are tiny.
        return np.logaddexp(self.own, self.others) - math.log(len(self.loc))

    @cached_property
    def marginals(self) -> np.ndarray:
        """log q(z_ij) of each dimension, shape (m, d), to 1e-7."""
        columns = zip(self.z.T, self.loc.T, self.scale.T, strict=True)
        return np.stack([mixture_marginal_log_prob(*column) for column in columns], axis=-1)

    def lower_bound(self) -> Estimate:
        """`aggregated_mutual_information`."""
        return mean_estimate(self.own - self.log_prob, "lower bound", math.log(len(self.loc)))

    def upper_bound(self) -> Estimate:
        """I_q(x;z) <= E [log q(z|x) - log (1/(N-1)) sum_{j != i} q(z|x_j)], leave-one-out.

        Raises:
            ValueError: a single example.
        """
        if len(self.loc) < 2:
            raise ValueError("Leaving one out needs at least 2 examples, got 1.")
        terms = leave_one_out_terms(self.own, self.others, len(self.loc))
        return mean_estimate(terms.numpy(), "upper bound")

    def marginal_kl(self, prior: tfp.distributions.Distribution) -> Estimate:
        """`marginal_kl`."""
        self._need_density()
        log_p = np.asarray(prior.log_prob(tf.cast(self.z, prior.dtype)), np.float64)
        return mean_estimate(self.log_prob - log_p, "upper bound")

    def total_correlation(self) -> Estimate:
        """`total_correlation`."""
        self._need_density()
        return mean_estimate(self.log_prob - self.marginals.sum(axis=-1), "estimate")

    def dimension_wise_kl(self) -> list[Estimate]:
        """`dimension_wise_kl`."""
        self._need_density()
        log_p = -0.5 * (self.z**2 + math.log(2 * math.pi))
        return [mean_estimate(terms, "estimate") for terms in (self.marginals - log_p).T]

    def _need_density(self):
        # The answer would be that of the floor: larger by d ln 10 for each digit it is lowered.
        if (self.scale <= _FLOOR).all():
            raise ValueError(
                "The standard deviations are 0, those of a deterministic encoder: its q(z) has no "
                "density, and this divergence is infinite."
            )


def mutual_information_bounds(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, components: int | None = None
) -> tuple[Estimate, Estimate]:
    """I_q(x;z) from below and from above, with mixtures of K posteriors for q(z).

        E [log q(z|x) - log (1/K) sum_j q(z|x_j)]            at most ln K
        E [log q(z|x) - log (1/(K-1)) sum_{j != i} q(z|x_j)]  large where a z has no neighbor

    In expectation the population's information lies between the two. Every z is a query, against
    the K encodings of its own block; they meet as K grows, unless I is near ln K or above.
    Source: Poole et al., "On variational bounds of mutual information", 2019, section 2.4.

    Args:
        z: one sample of each posterior, shape (N, d).
        loc, scale: means and standard deviations, shape (N, d), of independent examples.
        components: K, from 2 to N; None is N. The last N mod K examples are left out.

    Returns:
        The lower and the upper bound, in nats.
    """
    z, loc, scale = _table(z, loc, scale)
    k = len(z) if components is None else int(components)
    if not 2 <= k <= len(z):
        raise ValueError(f"components is from 2 to {len(z)}, got {components!r}.")
    blocks = [
        AggregatedPosterior(*(a[start : start + k] for a in (z, loc, scale)))
        for start in range(0, len(z) - k + 1, k)
    ]
    lower = np.concatenate([q.own - q.log_prob for q in blocks])
    upper = np.concatenate([leave_one_out_terms(q.own, q.others, k) for q in blocks])
    return (
        mean_estimate(lower, "lower bound", math.log(k)),
        mean_estimate(upper, "upper bound"),
    )


def fitted_marginal_bound(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, components: int = 1, seed: int = 0
) -> Estimate:
    """I_q(x;z) <= E [log q(z|x) - log r(z)], r a Gaussian mixture fitted to other codes.

    Half of the codes fit r, the other half is measured, so that no z has helped to make its own r.
    The excess is KL(q(z) || r): nothing where q(z) is such a mixture.

    Args:
        z: one sample of each posterior, shape (N, d).
        loc, scale: means and standard deviations, shape (N, d).
        components: of r, with full covariances.
        seed: of the halves and of the fit.

    Returns:
        An upper bound in nats.

    Raises:
        ValueError: fewer than four examples, or than two a component.
    """
    from sklearn.mixture import GaussianMixture

    z, loc, scale = _table(z, loc, scale)
    least = max(4, 2 * check_int("components", components, 1))
    if len(z) < least:
        raise ValueError(
            f"A fit to one half of the codes and a mean over the other need at least {least} "
            f"examples, got {len(z)}."
        )
    order = generator(seed, 14).permutation(len(z))
    fitted, measured = np.array_split(order, 2)
    r = GaussianMixture(components, random_state=seed).fit(z[fitted])
    terms = _own_log_prob(z, loc, scale)[measured] - r.score_samples(z[measured])
    return mean_estimate(terms, "upper bound")
