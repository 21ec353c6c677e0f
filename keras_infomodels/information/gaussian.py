"""Gaussian variables: entropy and information from a covariance."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import multivariate_normal

from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import Joint

__all__ = ["GaussianJoint", "gaussian_channel"]


class GaussianJoint(Joint):
    """Jointly Gaussian variables; every answer is exact, in nats.

        H(X) = 1/2 ln det(2 pi e S_x)        I(X;Y) = 1/2 ln(det S_x det S_y / det S_xy)

    Entropies are of densities: they may be negative, and change with the unit of X.

    Args:
        covariance: shape (d, d), symmetric and positive definite.
        variables: names, one a dimension; or {name: number of dimensions}, which sum to d.

    Raises:
        ValueError: a matrix that is no covariance. A singular one has infinite information.
    """

    def __init__(self, covariance: np.ndarray, variables: Sequence[str] | Mapping[str, int]):
        sizes = dict(variables) if isinstance(variables, Mapping) else dict.fromkeys(variables, 1)
        super().__init__(sizes if isinstance(variables, Mapping) else variables)
        self.covariance = np.asarray(covariance, np.float64)
        d = sum(sizes.values())
        if self.covariance.shape != (d, d):
            raise ValueError(
                f"{d} dimensions have a covariance of shape ({d}, {d}), got "
                f"{self.covariance.shape}."
            )
        if not np.allclose(self.covariance, self.covariance.T):
            raise ValueError("A covariance is symmetric.")
        if np.linalg.eigvalsh(self.covariance).min() <= 0:
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
        if not names:
            return 0.0
        columns = [i for name in self.names if name in names for i in self._columns[name]]
        covariance = self.covariance[np.ix_(columns, columns)]
        return float(multivariate_normal(cov=covariance).entropy())


def gaussian_channel(
    matrix: np.ndarray, input_covariance: np.ndarray, noise_covariance: np.ndarray
) -> Estimate:
    """I(x;z) of z = A x + e, x ~ N(0, Sx), e ~ N(0, S): 1/2 ln(det(A Sx A' + S) / det S), in nats.

    The encoder of `LinearGaussian`; x may be degenerate, the noise may not.

    Args:
        matrix: A, shape (k, d).
        input_covariance: Sx, shape (d, d).
        noise_covariance: S, shape (k, k).
    """
    a, sx, s = (np.asarray(m, np.float64) for m in (matrix, input_covariance, noise_covariance))
    sign, log_det_noise = np.linalg.slogdet(s)
    if sign <= 0:
        raise ValueError("The noise is degenerate, and the information infinite.")
    log_det = np.linalg.slogdet(a @ sx @ a.T + s)[1]
    return Estimate(float(0.5 * (log_det - log_det_noise)), 0.0, "exact")
