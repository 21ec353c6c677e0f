"""Information of an encoder about images, estimated from a whole data set.

q(z|x) is the encoder's distribution of the latents z of an image x. q(z) is the mixture of the N
distributions q(z|x_j) of a data set. Averages over minibatches do not replace q(z): such estimates
of the mutual information I_q(x;z) are wrong by several nats.
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
"""Smallest standard deviation, since logarithms are taken."""
_CELLS = 2**20
"""Entries of the largest intermediate matrix: 8 MB of float64."""


def mixture_log_prob(z: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Computes the log density of a Gaussian mixture at points z, in nats.

        log (1/N) sum_j N(z; loc_j, diag(scale_j^2))

    The function is differentiable.

    Args:
        z: tensor (m, d). Points.
        loc: tensor (N, d). Means of the components.
        scale: tensor (N, d). Standard deviations of the components.

    Returns:
        Tensor (m,), float64.

    Example:
        z, loc, scale = tf.zeros((1, 2)), tf.zeros((5, 2)), tf.ones((5, 2))
        ki.information.mixture_log_prob(z, loc, scale)  # [-1.838], -ln 2 pi
    """
    z, loc, scale = (tf.cast(a, tf.float64) for a in (z, loc, scale))
    weights, constants = _coefficients(loc, scale)
    joint = tf.matmul(tf.concat([z**2, z], axis=-1), weights, transpose_b=True) + constants
    count = tf.cast(tf.shape(joint)[-1], joint.dtype)
    return tf.reduce_logsumexp(joint, axis=-1) - tf.math.log(count)


def _coefficients(loc: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Factors (N, 2d) of [z^2, z] and constants (N,) of log N(z; loc_j, diag(scale_j^2)).

    The log density is quadratic in z, so that one matrix product computes all pairs without a
    tensor (m, N, d). float64 is needed because its terms cancel where scales are small.
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
    """Computes ln sum over j != index_i of N(z_i; loc_j, diag(scale_j^2)), shape (m,)."""
    if len(loc) == 1:
        return np.full(len(z), -math.inf)
    rows = max(1, _CELLS // len(loc))
    center = loc.mean(axis=0)  # squares of latents far from 0 would cancel
    z = z - center
    weights, constants = map(np.asarray, _coefficients(tf.constant(loc - center), scale))

    def log_sum(part: np.ndarray) -> np.ndarray:
        # NumPy in place takes half the time of TensorFlow, which allocates a matrix per operation.
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
    """Checks a table in which each z is a sample of one of the N posteriors, named by `index`."""
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    if not (loc.shape == scale.shape and loc.ndim == z.ndim == 2 and len(z)):
        raise ValueError(
            "loc and scale have one shape (N, d), and z has the shape (m, d), got "
            f"{loc.shape}, {scale.shape} and {z.shape}."
        )
    index = np.arange(len(z)) if index is None else np.asarray(index)
    if z.shape[1] != loc.shape[1] or index.shape != (len(z),) or index.max() >= len(loc):
        raise ValueError(
            f"z has shape {z.shape} and loc {loc.shape}: their dimensions must match, and index, "
            f"shape ({len(z)},), must name the posterior of each z, from 0 to {len(loc) - 1}."
        )
    if index.min() < 0 or index.dtype.kind not in "iu":
        raise ValueError(f"index holds integers from 0 to {len(loc) - 1}, got {index.min()!r}.")
    return z, loc, np.maximum(scale, _FLOOR), index


def _own_log_prob(z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Computes log q(z_i|x_i), shape (N,)."""
    terms = ((z - loc) / scale) ** 2 + 2 * np.log(scale) + math.log(2 * math.pi)
    return -0.5 * terms.sum(axis=-1)


class AggregatedPosterior:
    """Aggregated posterior q(z) of a data set, for estimates of the information in latents z.

        q(z) = (1/N) sum_j q(z|x_j),    q(z|x_j) = N(z; loc_j, diag(scale_j^2))

    x_1, ..., x_N are the images of the data set. All estimates are in nats. Their standard errors
    fall with the number m of samples z, and their biases with the number N of images. The densities
    q(z_i|x_j) of all pairs are computed once, when they are first needed.

    Args:
        z: array (m, d). Samples of the distributions q(z|x_j).
        loc: array (N, d). Means of q(z|x_j).
        scale: array (N, d). Standard deviations of q(z|x_j). Values below 1e-12 are set to 1e-12.
        index: int array (m,). Index j of the distribution that each z was drawn from. `None` means
            that z_i was drawn from q(z|x_i).

    Raises:
        ValueError: If the shapes do not match, or `index` has values outside 0 to N - 1.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        posterior = ki.information.AggregatedPosterior(*model.encoding_table(test, limit=500))
        print(posterior.lower_bound())
        print(posterior.total_correlation())
    """

    def __init__(
        self,
        z: np.ndarray,
        loc: np.ndarray,
        scale: np.ndarray,
        index: np.ndarray | None = None,
    ):
        self.z, self.loc, self.scale, self.index = _some_of(z, loc, scale, index)

    def __repr__(self) -> str:
        (m, d), n = self.z.shape, len(self.loc)
        return f"<AggregatedPosterior of {n} examples: {m} samples of {d} latent variables>"

    @cached_property
    def own(self) -> np.ndarray:
        """Log density of each sample z_i under the distribution it was drawn from, array (m,)."""
        return _own_log_prob(self.z, self.loc[self.index], self.scale[self.index])

    @cached_property
    def others(self) -> np.ndarray:
        """Log of the summed densities of each sample z_i under all other images, array (m,).

        The sum is over q(z_i|x_j) for j != i.
        """
        return _log_sum_of_others(self.z, self.loc, self.scale, self.index)

    @cached_property
    def log_prob(self) -> np.ndarray:
        """Log density of each sample z_i under the mixture q(z) of all images, array (m,)."""
        # For tiny scales the matrix product cancels in each z's own term, the largest one.
        return np.logaddexp(self.own, self.others) - math.log(len(self.loc))

    @cached_property
    def marginals(self) -> np.ndarray:
        """Log densities of single latents under q(z), array (m, d), with errors below 1e-7.

        The entry [i, j] is log q(z_ij), for the j-th latent of the sample z_i.
        """
        columns = zip(self.z.T, self.loc.T, self.scale.T, strict=True)
        return np.stack([mixture_marginal_log_prob(*column) for column in columns], axis=-1)

    def lower_bound(self) -> Estimate:
        """Estimates a lower bound on I_q(x;z), the information in latents z about images x.

        The bound is E [log q(z|x) - log q(z)], at most ln N for N images. The value is the
        information that z has about which of the N images was encoded.
        """
        return mean_estimate(self.own - self.log_prob, "lower bound", math.log(len(self.loc)))

    def upper_bound(self) -> Estimate:
        """Estimates an upper bound on I_q(x;z), the information in latents z about images x.

        In the mixture of all images, the encoded image i itself is left out:

            E [log q(z_i|x_i) - log (1/(N-1)) sum_{j != i} q(z_i|x_j)]

        Raises:
            ValueError: If there is only one image.
        """
        if len(self.loc) < 2:
            raise ValueError("Leaving one out needs at least 2 examples, got 1.")
        terms = leave_one_out_terms(self.own, self.others, len(self.loc))
        return mean_estimate(terms.numpy(), "upper bound")

    def marginal_kl(self, prior: tfp.distributions.Distribution | None = None) -> Estimate:
        """Estimates KL(q(z) || p(z)), the divergence of the latents of all images from the prior.

        Args:
            prior: TFP distribution with batch shape () and event shape (d,). Prior p(z).
                `None` is N(0, I).

        Raises:
            ValueError: If all standard deviations are 0.
        """
        self._need_density()
        if prior is None:
            prior = tfp.distributions.MultivariateNormalDiag(np.zeros(self.z.shape[1]))
        log_p = np.asarray(prior.log_prob(tf.cast(self.z, prior.dtype)), np.float64)
        return mean_estimate(self.log_prob - log_p, "upper bound")

    def total_correlation(self) -> Estimate:
        """Estimates the total correlation of the latents, KL(q(z) || prod_j q(z_j)).

        It is 0 if the latent variables z_j are independent.

        Raises:
            ValueError: If all standard deviations are 0.
        """
        self._need_density()
        return mean_estimate(self.log_prob - self.marginals.sum(axis=-1), "estimate")

    def dimension_wise_kl(self) -> list[Estimate]:
        """Estimates KL(q(z_j) || N(0, 1)) for each latent variable z_j.

        Raises:
            ValueError: If all standard deviations are 0.
        """
        self._need_density()
        log_p = -0.5 * (self.z**2 + math.log(2 * math.pi))
        return [mean_estimate(terms, "estimate") for terms in (self.marginals - log_p).T]

    def _need_density(self):
        # The result would depend on the floor: d ln 10 larger for each digit less.
        if (self.scale <= _FLOOR).all():
            raise ValueError(
                "The standard deviations are 0, those of a deterministic encoder: its q(z) has no "
                "density, and this divergence is infinite."
            )


def mutual_information_bounds(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, components: int | None = None
) -> tuple[Estimate, Estimate]:
    """Bounds I_q(x;z), the information in an encoder's latents z about images x.

    q(z|x) is the encoder's distribution. The bounds replace q(z), its mean over all images, by a
    mixture of K images. i is the image that z encodes, and j runs over all K images:

        lower bound    E [log q(z|x_i) - log (1/K) sum_j q(z|x_j)]                 at most ln K
        upper bound    E [log q(z|x_i) - log (1/(K-1)) sum_{j != i} q(z|x_j)]

    In expectation the information I_q(x;z) of all images lies between the two. The N images are
    divided into blocks of K, and every z is compared with the images of its own block. The bounds
    approach each other as K grows, if I_q(x;z) is well below ln K. The upper bound is very large if
    a z is far from all other images' z. Source: Poole et al., "On variational bounds of mutual
    information", 2019, section 2.4.

    Args:
        z: array (N, d). One sample of q(z|x) for each of N images.
        loc: array (N, d). Means of q(z|x). The images must be independent draws.
        scale: array (N, d). Standard deviations of q(z|x).
        components: int. Block size K, from 2 to N. The last N mod K images are left out. `None`
            means N.

    Returns:
        (lower bound, upper bound), two `Estimate`s in nats.

    Raises:
        ValueError: If `components` is not between 2 and N.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        table = model.encoding_table(test, limit=500)
        lower, upper = ki.information.mutual_information_bounds(*table)
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
    """Upper bound on I_q(x;z), the information in an encoder's latents z about images x.

        I_q(x;z) <= E [log q(z|x) - log r(z)]

    q(z|x) is the encoder's distribution, and r is a Gaussian mixture that is fitted to samples of
    z. Each half of the samples is measured by the r that is fitted to the other half. The bound
    exceeds I_q(x;z) by KL(q(z) || r), where q(z) is the distribution of z over all images.

    Args:
        z: array (N, d). One sample of q(z|x) for each of N images.
        loc: array (N, d). Means of q(z|x).
        scale: array (N, d). Standard deviations of q(z|x).
        components: int. Number of Gaussian components of r, with full covariance matrices.
        seed: int. Seed of the split and of the fit.

    Returns:
        `Estimate` of the kind "upper bound", in nats.

    Raises:
        ValueError: If there are fewer than four images, or fewer than two per component.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        ki.information.fitted_marginal_bound(*model.encoding_table(test, limit=500), components=4)
    """
    return mean_estimate(fitted_marginal_terms(z, loc, scale, components, seed), "upper bound")


def fitted_marginal_terms(
    z: np.ndarray, loc: np.ndarray, scale: np.ndarray, components: int = 1, seed: int = 0
) -> np.ndarray:
    """Computes the terms (N,) whose mean is `fitted_marginal_bound`, with the same arguments."""
    from sklearn.mixture import GaussianMixture

    z, loc, scale = _table(z, loc, scale)
    least = max(4, 2 * check_int("components", components, 1))
    if len(z) < least:
        raise ValueError(
            f"A fit to one half of the latents and a mean over the other need at least {least} "
            f"examples, got {len(z)}."
        )
    terms = _own_log_prob(z, loc, scale)
    halves = np.array_split(generator(seed, 14).permutation(len(z)), 2)
    for fitted, measured in (halves, halves[::-1]):
        r = GaussianMixture(components, random_state=seed).fit(z[fitted])
        terms[measured] -= r.score_samples(z[measured])
    return terms
