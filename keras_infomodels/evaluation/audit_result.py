"""The result of an audit: its table, and its text."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from keras_infomodels.evaluation.soundness import ReconstructionCheck, SampleCheck
from keras_infomodels.information import Estimate

__all__ = ["MEANINGS", "Audit"]

MEANINGS = {
    "reconstruction": "-E log p(x|z)",
    "rate": "E KL(q(z|x) || p(z)) = I_q + KL(q(z) || p(z))",
    "I_q lower": "I_q(x;z) from below: what the code tells of the example",
    "I_q upper": "I_q(x;z) from above: the least of leave-one-out, fitted q(z) and rate",
    "marginal KL": "KL(q(z) || p(z)): how far codes are from the prior",
    "total correlation": "KL(q(z) || prod q(z_j)): dependence between latent variables",
    "dimension-wise KL": "sum of KL(q(z_j) || N(0,1))",
    "JSD, adversary": "JSD(q(z), p(z)) as the model's own discriminator sees it",
    "marginal KL, adversary": "KL(q(z) || p(z)) as the model's own discriminator sees it",
    "I_p": "I_p(x;z) from below: what a fresh Q reads of z in generated x",
}


@dataclass(frozen=True)
class Audit:
    """What was measured of a model, in nats.

    Attributes:
        title: of the model.
        examples: N, how many of the data were encoded.
        rows: an `Estimate` by name; `MEANINGS` says what each is.
        calibration: by the same names, the estimator's error on a simulated Gaussian encoder of
            the same N, moments and scales, whose answer is known.
        dimensions: KL(q(z_j) || N(0, 1)) of each latent variable.
        active_units: latent variables whose posterior mean has a variance above 0.01; None where
            there is no table of codes.
        latent_dim: how many latent variables there are; 0 where there is no table of codes.
        note: what was left out and why; empty for nothing.
        soundness: of a model of this library, its reconstructions beside the mean image and its
            samples beside the repeated mean image and other data; a warning in words is in each.
    """

    title: str
    examples: int
    rows: Mapping[str, Estimate]
    calibration: Mapping[str, Estimate] = field(default_factory=dict)
    dimensions: tuple[Estimate, ...] = ()
    active_units: int | None = None
    latent_dim: int = 0
    note: str = ""
    soundness: tuple[ReconstructionCheck | SampleCheck, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{self.title}, {self.examples} examples, in nats",
            f"{'':22} {'value':>9} {'±':>7} {'ceiling':>8} {'calibration':>12}  kind",
        ]
        for name, e in self.rows.items():
            ceiling = "-" if math.isinf(e.ceiling) else f"{e.ceiling:.3f}"
            bias = f"{self.calibration[name].nats:+.3f}" if name in self.calibration else "-"
            lines.append(
                f"{name:22} {e.nats:9.3f} {e.standard_error:7.3f} {ceiling:>8} {bias:>12}  "
                f"{e.kind}: {MEANINGS.get(name, name)}" + (f" ({e.note})" if e.note else "")
            )
        if self.active_units is not None:
            lines.append(f"active units: {self.active_units} of {self.latent_dim}")
        if self.calibration:
            lines.append(
                "calibration: the same estimator's error on a Gaussian encoder of known answer."
            )
        lines += [str(check) for check in self.soundness]
        if self.note:
            lines.append(self.note)
        return "\n".join(lines)

    def as_dict(self) -> dict:
        """The audit as JSON can hold it."""
        return {
            "title": self.title,
            "examples": self.examples,
            "rows": {name: e.as_dict() for name, e in self.rows.items()},
            "calibration": {name: e.as_dict() for name, e in self.calibration.items()},
            "dimensions": [e.as_dict() for e in self.dimensions],
            "active_units": self.active_units,
            "latent_dim": self.latent_dim,
            "note": self.note,
            "soundness": [asdict(check) | {"warning": check.warning} for check in self.soundness],
        }
