"""Sandwiches what latents carry: I_q(x;z), that of each latent, their dependence."""

from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.table_audit import audit_codes
from keras_infomodels.information import Estimate, discrete_entropy

__all__ = ["LatentInformation", "latent_information"]


@dataclass(frozen=True)
class LatentInformation:
    """Information of latents in nats, and how independent they are.

    Attributes:
        lower: Estimate. Lower bound on I_q(x;z), at most ln N.
        upper: Estimate. Upper bound on I_q(x;z): the smallest of the audit's.
        parts: float. Sum over latents of I_q(x;z_j), in nats.
        total_correlation: (float, float). TC(q(z)) = sum_j I_q(x;z_j) - I_q(x;z) between the sum
            minus `upper` and the sum minus `lower`, in nats. The first may be negative. Bounds that
            meet may cross by their standard errors.
        independence: (float, float). I_q(x;z) / sum_j I_q(x;z_j) by `lower` and by `upper`: 1 for
            independent latents, 1/d for d copies of one. The second is at most 1.

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
                "independence, I_q(x;z) by that sum: "
                f"{self.independence[0]:.3f} to {self.independence[1]:.3f}",
            ]
        )

    def as_dict(self) -> dict:
        """The quantities as JSON values."""
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
    """Sandwiches the information of latents, their total correlation and their independence.

    Latents are independent given x, so TC(q(z)) = sum_j I_q(x;z_j) - I_q(x;z): bounds on I_q are
    bounds on the total correlation too. Each I_q(x;z_j) is of one dimension, where q(z_j) is a
    mixture of N posteriors whose own terms hardly count; I_q(x;z) of many dimensions is capped by
    ln N from below, so that both bounds are needed.

    `independence` needs no factors and ranks runs of one kind. Blind to: what latents mean: an
    encoder of independent mixtures of the factors has 1. A latent that copies another lowers it;
    one without information changes nothing.

    Deterministic encoders: of quantized latents the bounds are entropies of the rows and columns,
    of the N examples; where all rows are distinct as floats they are ln N each and say nothing.

    Args:
        z: float (N, d), N at least 4. A sample of each posterior. None draws it.
        loc: float (N, d). Posterior means.
        scale: float (N, d). Posterior standard deviations; all 0 for a deterministic encoder.
        prior: `Prior`. Prior of z, as in `audit_codes`.
        seed: int. Seed of the draws.

    Returns:
        `LatentInformation`.

    Raises:
        ValueError: as `audit_codes`.

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
