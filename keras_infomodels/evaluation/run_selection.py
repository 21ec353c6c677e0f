"""Label-free scores of several runs in one table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.centrality import model_centrality
from keras_infomodels.evaluation.latent_information import LatentInformation, latent_information
from keras_infomodels.evaluation.selection import udr
from keras_infomodels.models.code_tables import code_table
from keras_infomodels.models.latent_sources import latent_source

__all__ = ["RunScores", "RunSelection", "select_runs"]

_RATE = 0.01
"""Nats above which a latent variable counts, as in `udr`."""


@dataclass(frozen=True)
class RunScores:
    """Scores of one run, measured without labels by `select_runs`.

    Attributes:
        udr: float. Score of the unsupervised disentanglement ranking, see `udr`.
        centrality: float. Score of ModelCentrality, see `model_centrality`.
        active: int. Number of latent variables or codes that were compared.
        information: `LatentInformation` or None. Information in the latents and their independence.
            None for an InfoGAN, which infers only codes.

    Example:
        ki.evaluation.RunScores(udr=0.4, centrality=0.6, active=5)
    """

    udr: float
    centrality: float
    active: int
    information: LatentInformation | None = None


@dataclass(frozen=True)
class RunSelection:
    """Result of `select_runs`: scores of several runs, measured without labels.

    `print(selection)` shows a table, with the highest UDR first.

    Attributes:
        examples: int. Number of images that were encoded.
        runs: dict from str to `RunScores`. Scores by the name of the run.

    Example:
        runs = {name: ki.evaluation.RunScores(0.4, 0.6, 5) for name in ("seed_0", "seed_1")}
        print(ki.evaluation.RunSelection(1000, runs))
    """

    examples: int
    runs: Mapping[str, RunScores]

    def best(self) -> dict[str, str]:
        """Returns the name of the best run by "UDR", "centrality" and "independence"."""
        found = {
            "UDR": max(self.runs, key=lambda name: _finite(self.runs[name].udr)),
            "centrality": max(self.runs, key=lambda name: _finite(self.runs[name].centrality)),
        }
        sandwiched = {n: s.information for n, s in self.runs.items() if s.information}
        if sandwiched:
            found["independence"] = max(sandwiched, key=lambda n: sandwiched[n].independence[0])
        return found

    def __str__(self) -> str:
        width = max(len(name) for name in self.runs)
        lines = [
            f"{len(self.runs)} runs, {self.examples} images; information in nats, from below and "
            "from above",
            f"{'':{width}} {'UDR':>6} {'centrality':>10} {'active':>6} {'I_q(x;z)':>15} "
            f"{'total corr.':>15} {'independence':>13}",
        ]
        order = sorted(self.runs, key=lambda name: -_finite(self.runs[name].udr))
        lines += [f"{name:{width}} {_row(self.runs[name])}" for name in order]
        chosen = ", ".join(f"{name} in {score}" for score, name in self.best().items())
        return "\n".join([*lines, f"Highest: {chosen}."])

    def as_dict(self) -> dict:
        """Returns the scores as JSON values; scores that are not finite become None."""
        runs = {
            name: {
                "udr": _or_none(scores.udr),
                "centrality": _or_none(scores.centrality),
                "active": scores.active,
                "information": scores.information and scores.information.as_dict(),
            }
            for name, scores in self.runs.items()
        }
        return {"examples": self.examples, "runs": runs, "best": self.best()}


def select_runs(
    models: Mapping[str, object], images: np.ndarray, votes: int = 500, seed: int = 0
) -> RunSelection:
    """Scores trained runs without labels, to select the most disentangled one.

    Three scores are measured on the same images: the unsupervised disentanglement ranking (`udr`),
    ModelCentrality (`model_centrality`) and the independence of the latents (`latent_information`).
    Their docstrings say what each score cannot detect. Latent variables with a mean rate
    KL(q(z_j|x) || p(z_j)) of at most 0.01 nats are left out of the first two scores. Compare runs
    of the same recipe that differ by the seed. Between recipes, a weaker regularizer changes all
    scores.

    Args:
        models: dict from str to model. At least two autoencoders without a category, or InfoGANs,
            by name.
        images: array (n, height, width, channels). Images as `fit` takes them. 1,000 to 10,000 are
            enough.
        votes: int. Number of training votes and of evaluation votes in `model_centrality`, which
            takes most of the time.
        seed: int. Seed of all draws.

    Returns:
        `RunSelection`, with the scores of each run.

    Raises:
        ValueError: If there are fewer than two runs, or a model has no latents to compare.

    Example:
        test = ki.datasets.load_arrays("fashion_mnist_mini", "test[:200]")[0] / np.float32(255)
        names = ("mmd_vae_fashion_mnist_mini", "mmd_vae_fashion_mnist")
        runs = {name: ki.from_preset(name) for name in names}
        print(ki.evaluation.select_runs(runs, test, votes=20))
    """
    names = list(models)
    codes = [code_table(models[name], images)[0] for name in names]
    tables = [_table(models[name], images) for name in names]
    pairs = zip(codes, tables, strict=True)
    rates = [_rates(code, table) for code, table in pairs]
    actives = [np.flatnonzero(rate > _RATE) for rate in rates]
    sources = [
        latent_source(models[name], active) for name, active in zip(names, actives, strict=True)
    ]
    agreement = udr(codes, rates).scores
    central = model_centrality(sources, train=votes, evaluation=votes, seed=seed).scores
    runs = {}
    for i, name in enumerate(names):
        own = None if tables[i] is None else latent_information(*tables[i], seed=seed)
        runs[name] = RunScores(float(agreement[i]), float(central[i]), len(actives[i]), own)
    return RunSelection(len(images), runs)


def _table(model, images) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """A sample, the mean and the deviation of each posterior; None of an InfoGAN."""
    if getattr(model, "encoding_table", None) is None:
        return None
    return model.encoding_table(images, batch_size=256, limit=len(images))


def _rates(codes: np.ndarray, table) -> np.ndarray:
    """Mean KL(q(z_j|x) || N(0, 1)) of each latent; infinity where there is no density."""
    varies = np.where(np.ptp(codes, axis=0) > 0, math.inf, 0.0)
    if table is None or not table[2].any():
        return varies
    _, loc, scale = (np.asarray(each, np.float64) for each in table)
    scale = np.maximum(scale, 1e-12)
    return 0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(scale)).mean(axis=0)


def _row(scores: RunScores) -> str:
    start = f"{scores.udr:6.3f} {scores.centrality:10.3f} {scores.active:6d}"
    own = scores.information
    if own is None:
        return f"{start} {'-':>15} {'-':>15} {'-':>13}"
    bounds = f"{own.lower.nats:.2f} to {own.upper.nats:.2f}"
    correlation = "{:.2f} to {:.2f}".format(*own.total_correlation)
    independence = "{:.2f} to {:.2f}".format(*own.independence)
    return f"{start} {bounds:>15} {correlation:>15} {independence:>13}"


def _finite(score: float) -> float:
    return score if math.isfinite(score) else -math.inf


def _or_none(score: float) -> float | None:
    return score if math.isfinite(score) else None
