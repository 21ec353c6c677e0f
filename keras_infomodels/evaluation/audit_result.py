"""Result of an audit: its table, and its text."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from keras_infomodels import html
from keras_infomodels.evaluation.soundness import ReconstructionCheck, SampleCheck
from keras_infomodels.information import Estimate

__all__ = ["MEANINGS", "Audit"]

MEANINGS = {
    "reconstruction": "-E log p(x|z)",
    "rate": "E KL(q(z|x) || p(z)) = I_q + KL(q(z) || p(z))",
    "I_q lower": "I_q(x;z), the information about the example",
    "I_q upper": "I_q(x;z): by leave-one-out, fitted q(z) or rate",
    "marginal KL": "KL(q(z) || p(z)): distance of q(z) from the prior",
    "total correlation": "KL(q(z) || prod q(z_j)): dependence between latent variables",
    "dimension-wise KL": "sum of KL(q(z_j) || N(0,1))",
    "JSD, adversary": "JSD(q(z), p(z)) by the model's own discriminator",
    "marginal KL, adversary": "KL(q(z) || p(z)) by the model's own discriminator",
    "I_p": "I_p(x;z), by a fresh Q on generated x",
}


@dataclass(frozen=True)
class Audit:
    """Result of `evaluation.audit`: information quantities of a model, in nats.

    `print(audit)` shows a table.

    Attributes:
        title: str. Title of the model.
        examples: int. Number N of examples that were encoded.
        rows: dict from str to `Estimate`. Quantities by name. The table explains each name.
        calibration: dict from str to float. Error in nats of each estimator on simulated data with
            a known answer: a Gaussian encoder with the same N, and with means and standard
            deviations like the model's.
        dimensions: list of float. For each latent variable z_j, KL(q(z_j) || N(0, 1)) in nats: the
            divergence of its distribution over all examples from N(0, 1).
        active_units: int. Number of latent variables whose posterior mean has a variance above 0.01
            over the examples. None for a generator.
        latent_dim: int. Number of latent variables. 0 for a generator.
        note: str. Quantities that were left out, and the reason; empty for none.
        soundness: tuple of `ReconstructionCheck` and `SampleCheck`. Checks of the images of a model
            of this library, each with a `warning`.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        audit = ki.evaluation.audit(model, test, steps=0, limit=200, calibrate=False)
        print(audit)
        audit.as_dict()["active_units"]
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
        return "\n".join([*lines, *self._notes().splitlines()])

    def _repr_html_(self) -> str:
        rows = []
        for name, e in self.rows.items():
            bias = f"{self.calibration[name].nats:+.3f}" if name in self.calibration else "-"
            ceiling = "-" if math.isinf(e.ceiling) else f"{e.ceiling:.3f}"
            value, error = f"{e.nats:.3f}", f"{e.standard_error:.3f}"
            rows.append((name, value, error, ceiling, bias, e.kind, MEANINGS.get(name, "")))
        header = ("", "nats", "±", "ceiling", "calibration", "kind", "meaning")
        return html.table(header, rows, f"{self.title}, {self.examples} examples", self._notes())

    def _notes(self) -> str:
        """The lines below the table."""
        lines = []
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
        """Returns all fields as a dict of JSON values."""
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
