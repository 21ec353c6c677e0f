"""Bounds on the information in latents, and on the dependence between them."""

from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.table_audit import audit_codes
from keras_infomodels.information import Estimate, discrete_entropy

__all__ = ["LatentInformation", "latent_information"]


@dataclass(frozen=True)
class LatentInformation:
    """Result of `latent_information`: information in latents z, and their independence.

    I_q(x;z) is the mutual information of images x and all latents z, and I_q(x;z_j) that of images
    and the latent z_j. The total correlation, sum_j I_q(x;z_j) - I_q(x;z), measures the dependence
    between the latents. All values except `independence` are in nats.

    Attributes:
        lower: `Estimate`. Lower bound on I_q(x;z), at most ln N for N images.
        upper: `Estimate`. Upper bound on I_q(x;z), the smallest of several.
        parts: float. Sum of I_q(x;z_j) over all latents.
        total_correlation: (float, float). Lower and upper bound on the total correlation of the
            latents, `parts` minus `upper` and `parts` minus `lower`. The lower bound may be
            negative. Bounds that are nearly equal may be in the wrong order by their standard
            errors.
        independence: (float, float). Lower and upper bound on I_q(x;z) / sum_j I_q(x;z_j). It is 1
            for independent latents, and 1/d for d copies of one latent. The upper bound is at most
            1.

    Example:
        rng = np.random.default_rng(0)
        loc, scale = rng.normal(size=(500, 2)), np.full((500, 2), 0.3)
        ki.evaluation.latent_information(loc=loc, scale=scale).independence
    """

    lower: Estimate
    upper: Estimate
    parts: float
    total_correlation: tuple[float, float]
    independence: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.total_correlation
        ceiling = f", ceiling {self.lower.ceiling:.3f}" if np.isfinite(self.lower.ceiling) else ""
        return "\n".join(
            [
                f"I_q(x;z): {self.lower.nats:.3f} to {self.upper.nats:.3f} nats{ceiling}",
                f"sum of I_q(x;z_j): {self.parts:.3f} nats",
                f"total correlation of q(z): {low:.3f} to {high:.3f} nats",
                "independence, I_q(x;z) / that sum: "
                f"{self.independence[0]:.3f} to {self.independence[1]:.3f}",
            ]
        )

    def as_dict(self) -> dict:
        """Returns the quantities as JSON values."""
        return {
            "lower": self.lower.as_dict(),
            "upper": self.upper.as_dict(),
            "parts": self.parts,
            "total_correlation": list(self.total_correlation),
            "independence": list(self.independence),
        }


def latent_information(
    z: np.ndarray | None = None,
    loc: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    prior=None,
    seed: int = 0,
) -> LatentInformation:
    """Bounds the information in latents from both sides, and measures their independence.

    q(z|x) is the encoder's distribution of the latents z of an image x. I_q(x;z) is the mutual
    information of images and latents. The latents are independent given x, so their total
    correlation is sum_j I_q(x;z_j) - I_q(x;z). Therefore bounds on I_q(x;z) also give bounds on the
    total correlation. The information of a single latent, I_q(x;z_j), is estimated accurately from
    N images. The lower bound on I_q(x;z) cannot exceed ln N, so the upper bound is needed as well.

    The result's `independence` is a pair of bounds on the ratio I_q(x;z) / sum_j I_q(x;z_j), which
    needs no labels and can rank runs of the same model. A latent that copies another one lowers the
    ratio. A latent without information does not change it. The ratio does not show what the latents
    mean: it is 1 for all independent latents, also for those that mix several properties of the
    images.

    For deterministic, quantized latents, I_q(x;z) is the entropy of the N rows of z, and I_q(x;z_j)
    that of column j, each by counts. For deterministic continuous latents, all rows differ; then
    every value is ln N, and the result has no meaning.

    Args:
        z: float array (N, d), N at least 4. One sample of q(z|x) for each of N images. `None` draws
            the samples.
        loc: float array (N, d). Means of q(z|x). Required.
        scale: float array (N, d). Standard deviations of q(z|x); all 0 for a deterministic encoder.
            Required.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Prior p(z), used by
            one of the upper bounds. `None` is N(0, I).
        seed: int. Seed of the draws.

    Returns:
        `LatentInformation`.

    Raises:
        ValueError: If `loc` or `scale` is missing, shapes differ, values are NaN, z cannot have
            been drawn from N(loc, scale^2), or the prior does not fit.

    Example:
        rng = np.random.default_rng(0)
        loc, scale = rng.normal(size=(500, 2)), np.full((500, 2), 0.3)
        print(ki.evaluation.latent_information(loc=loc, scale=scale))
    """
    rows = audit_codes(z, loc, scale, prior, calibrate=False, seed=seed).rows
    lower = rows["I_q lower"]
    if "I_q upper" not in rows:  # a deterministic encoder
        upper = Estimate(lower.nats, lower.standard_error, "upper bound", note=lower.note)
        columns = np.asarray(loc, np.float64).T
        parts = sum(discrete_entropy(column[:, None]).nats for column in columns)
    else:
        upper = rows["I_q upper"]
        parts = lower.nats + rows["total correlation"].nats
    correlation = (parts - upper.nats, parts - lower.nats)
    shares = [bound / parts if parts > 0 else 1.0 for bound in (lower.nats, upper.nats)]
    independence = (float(min(shares[0], 1)), float(min(shares[1], 1)))
    return LatentInformation(
        lower, upper, float(parts), tuple(map(float, correlation)), independence
    )
