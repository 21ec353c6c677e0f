"""Entropy and mutual information of Gaussian variables, from a covariance."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow_probability as tfp

from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import Joint

__all__ = ["GaussianJoint", "gaussian_channel"]


class GaussianJoint(Joint):
    """Jointly Gaussian variables with a known covariance.

    Its methods, such as `entropy` and `mutual_information`, return exact results in nats:

        H(X) = 1/2 ln det(2 pi e S_x)        I(X;Y) = 1/2 ln(det S_x det S_y / det S_xy)

    S_x is the covariance of X, S_y that of Y, and S_xy that of both together. The entropies are
    differential entropies: they may be negative and depend on the unit of X.

    Args:
        covariance: array (d, d). Covariance matrix, symmetric and positive definite. The variables
            may have any units.
        variables: sequence of str, or dict from str to int. A name for each of the d dimensions, or
            for each variable its number of dimensions, which sum to d.

    Raises:
        ValueError: If the matrix is not a covariance, or is singular, so that information is
            infinite.

    Example:
        joint = ki.information.GaussianJoint([[1.0, 0.8], [0.8, 1.0]], "xy")
        joint.mutual_information("x", "y")  # 0.511 nats (exact)
    """

    def __init__(self, covariance: np.ndarray, variables: Sequence[str] | Mapping[str, int]):
        sizes = dict(variables) if isinstance(variables, Mapping) else dict.fromkeys(variables, 1)
        super().__init__(sizes if isinstance(variables, Mapping) else variables)
        self.covariance, singular = _covariance(covariance, sum(sizes.values()), "covariance")
        if singular:
            raise ValueError(
                "The covariance is not positive definite: some variable is a linear function of "
                "the others, and their information is infinite."
            )
        ends = np.cumsum(list(sizes.values()))
        self._columns = {
            name: range(end - size, end)
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }

    def joint_entropy(self, names: frozenset[str]) -> float:
        """Computes the joint differential entropy of the named variables, in nats.

        Args:
            names: frozenset of str. Names of the variables.
        """
        if not names:
            return 0.0
        columns = [i for name in self.names if name in names for i in self._columns[name]]
        root = np.linalg.cholesky(self.covariance[np.ix_(columns, columns)])
        return float(tfp.distributions.MultivariateNormalTriL(scale_tril=root).entropy())


def gaussian_channel(
    matrix: np.ndarray, input_covariance: np.ndarray, noise_covariance: np.ndarray
) -> Estimate:
    """Computes I(x;z) of a linear channel z = A x + e, with x ~ N(0, Sx) and noise e ~ N(0, S).

        I(x;z) = 1/2 ln(det(A Sx A' + S) / det S)

    Sx may be singular, but S may not. The encoder of `LinearGaussian` is such a channel.

    Args:
        matrix: array (k, d). Matrix A.
        input_covariance: array (d, d). Covariance Sx of the input x.
        noise_covariance: array (k, k). Covariance S of the noise, positive definite.

    Returns:
        `Estimate` in nats, of the kind "exact".

    Raises:
        ValueError: If the shapes do not match, a matrix is not a covariance, or S is singular.

    Example:
        ki.information.gaussian_channel([[1.0]], [[3.0]], [[1.0]])  # ln 2 nats, 1 bit
    """
    a = np.asarray(matrix, np.float64)
    if a.ndim != 2 or not np.isfinite(a).all():
        raise ValueError(f"The matrix is finite, of shape (k, d); got shape {a.shape}.")
    k, d = a.shape
    sx, _ = _covariance(input_covariance, d, "input covariance")
    s, singular = _covariance(noise_covariance, k, "noise covariance")
    if singular:
        raise ValueError(
            "The noise is degenerate, and the information infinite; add noise in every direction."
        )
    log_det, log_det_noise = (np.linalg.slogdet(m)[1] for m in (a @ sx @ a.T + s, s))
    return Estimate(float(0.5 * (log_det - log_det_noise)), 0.0, "exact")


def _covariance(matrix: np.ndarray, size: int, name: str) -> tuple[np.ndarray, bool]:
    """Returns a checked covariance (size, size), and whether it is singular up to rounding."""
    s = np.asarray(matrix, np.float64)
    if s.shape != (size, size):
        raise ValueError(
            f"{size} dimensions have a {name} of shape ({size}, {size}), got {s.shape}."
        )
    if not np.isfinite(s).all():
        raise ValueError(f"The {name} holds NaN or infinite numbers.")
    scale = np.sqrt(np.abs(np.diag(s)))
    scale[scale == 0] = 1
    r = s / scale / scale[:, None]  # correlations, which have no unit
    # Tolerances allow for the rounding of float32.
    if np.abs(r - r.T).max() > 1e-6:
        i, j = np.unravel_index(np.abs(r - r.T).argmax(), s.shape)
        raise ValueError(
            f"The {name} is not symmetric: entries ({i}, {j}) and ({j}, {i}) are {s[i, j]:.6g} "
            f"and {s[j, i]:.6g}."
        )
    values = np.linalg.eigvalsh((r + r.T) / 2)
    largest = np.abs(values).max()
    if values[0] < -1e-6 * largest:
        raise ValueError(
            f"The {name} is no covariance: its correlations have the negative eigenvalue "
            f"{values[0]:.3g}."
        )
    return (s + s.T) / 2, bool(values[0] <= size**2 * np.finfo(float).eps * largest)
