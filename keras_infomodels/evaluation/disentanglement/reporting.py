"""Report of all disentanglement metrics: a table in text, JSON values and a picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_infomodels import html
from keras_infomodels.evaluation.disentanglement.arrays import (
    check_arrays,
    factor_entropies,
    information_matrix,
)
from keras_infomodels.evaluation.disentanglement.binned import mig, modularity
from keras_infomodels.evaluation.disentanglement.infomec import infomec
from keras_infomodels.evaluation.disentanglement.interventions import (
    beta_vae_score,
    factor_vae_score,
    irs,
)
from keras_infomodels.evaluation.disentanglement.predictors import dci, explicitness, sap
from keras_infomodels.evaluation.disentanglement.unsupervised import unsupervised_scores
from keras_infomodels.figure import Figure
from keras_infomodels.names import guess

if TYPE_CHECKING:
    from keras_infomodels.evaluation.latent_information import LatentInformation

__all__ = ["METRICS", "DisentanglementReport", "Score", "report"]

_Measure = Callable[[np.ndarray, np.ndarray, int, bool], dict[str, float]]


def _infomec(codes, factors, seed, discrete):
    found = infomec(codes, factors, discrete, seed)
    return {"InfoM": found.infom, "InfoE": found.infoe, "InfoC": found.infoc}


def _dci(codes, factors, seed, discrete):
    found = dci(codes, factors, seed=seed)
    return {
        "DCI disentanglement": found.disentanglement,
        "DCI completeness": found.completeness,
        "DCI informativeness": found.informativeness_test,
    }


def _unsupervised(codes, factors, seed, discrete):
    found = unsupervised_scores(codes)
    return {
        "Gaussian total correlation": found.gaussian_total_correlation,
        "Wasserstein correlation": found.gaussian_wasserstein_correlation,
        "Wasserstein correlation, normalized": found.gaussian_wasserstein_correlation_norm,
        "mutual-information score": found.mutual_info_score,
    }


METRICS = {
    "infomec": _infomec,
    "mig": lambda codes, factors, seed, discrete: {"MIG": mig(codes, factors)},
    "modularity": lambda codes, factors, seed, discrete: {"modularity": modularity(codes, factors)},
    "irs": lambda codes, factors, seed, discrete: {"IRS": irs(codes, factors)},
    "factor_vae": lambda codes, factors, seed, discrete: {
        "FactorVAE score": factor_vae_score(codes, factors, seed=seed).eval_accuracy
    },
    "beta_vae": lambda codes, factors, seed, discrete: {
        "BetaVAE score": beta_vae_score(codes, factors, seed=seed).eval_accuracy
    },
    "sap": lambda codes, factors, seed, discrete: {
        "SAP": sap(codes, factors, seed=seed),
        "SAP, continuous factors": sap(codes, factors, continuous=True),
    },
    "explicitness": lambda codes, factors, seed, discrete: {
        "explicitness": explicitness(codes, factors, seed=seed)[1]
    },
    "dci": _dci,
    "unsupervised": _unsupervised,
}
"""What `report` measures, by the names that its argument `metrics` takes."""

_ONCE = {"sap", "explicitness", "dci", "factor_vae", "beta_vae"}
"""Metrics that are measured once unless `refit`: they fit many models, or the noise of their own
draws would count as that of the rows."""

_MEANINGS = {
    "InfoM": "each code has information about one factor only",
    "InfoE": "a linear classifier predicts factors from all codes",
    "InfoC": "each factor is encoded in one code only",
    "MIG": "gap between a factor's best two codes",
    "modularity": "each code has information about one factor only",
    "IRS": "codes are constant while their factor is constant",
    "FactorVAE score": "the code that varies least identifies the fixed factor",
    "BetaVAE score": "a linear classifier identifies the shared factor of pairs",
    "SAP": "gap in accuracy between a factor's best two codes",
    "SAP, continuous factors": "the same in squared correlation",
    "explicitness": "area under ROC of a linear classifier, held out",
    "DCI disentanglement": "each code is important for one factor only",
    "DCI completeness": "each factor is predicted from one code only",
    "DCI informativeness": "accuracy of trees, held out",
    "Gaussian total correlation": "dependence between codes, nats; 0 is none",
    "Wasserstein correlation": "dependence as a squared distance; 0 is none",
    "Wasserstein correlation, normalized": "the previous value over the total variance",
    "mutual-information score": "mean over pairs of codes, nats; 0 is none",
}


@dataclass(frozen=True)
class Score:
    """Value of a metric, with a 95 % interval if it was resampled.

    Attributes:
        value: float. Value of the metric.
        low, high: float or None. Ends of the 95 % interval: value ± 1.96 standard errors of a
            delete-a-group jackknife. None if the metric was measured only once, or is not finite.

    Example:
        score = ki.evaluation.disentanglement.Score(0.9, low=0.85, high=0.95)
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class DisentanglementReport:
    """Result of `report`: disentanglement metrics of codes.

    `print(report)` shows a table.

    Attributes:
        examples: int. Number of examples.
        code_names, factor_names: tuple of str. Names of the d codes and the k factors.
        scores: dict from str to `Score`. Metrics by name.
        information: float array (d, k). Mutual information of each code, in 20 bins, with each
            factor, in nats.
        entropies: float array (k,). Entropy of each factor in nats, the largest possible value in
            its column of `information`.
        information_error: float array (d, k). Standard error of `information` in nats, by a
            jackknife. None without intervals.
        latents: `LatentInformation`. Bounds on the information in the latents behind the codes.
            None if it was not given.

    Example:
        codes = np.random.default_rng(0).normal(size=(600, 2))
        factors = (codes > 0).astype(int)
        print(ki.evaluation.disentanglement.report(codes, factors))
    """

    examples: int
    code_names: tuple[str, ...]
    factor_names: tuple[str, ...]
    scores: Mapping[str, Score]
    information: np.ndarray
    entropies: np.ndarray
    information_error: np.ndarray | None = None
    latents: "LatentInformation | None" = None

    def _repr_html_(self) -> str:
        scores = [
            (
                name,
                f"{score.value:.3f}",
                "-" if score.low is None else f"{score.low:.3f} to {score.high:.3f}",
                _MEANINGS[name],
            )
            for name, score in self.scores.items()
        ]
        best = [
            (
                name,
                self.code_names[int(self.information[:, j].argmax())],
                f"{self.information[:, j].max():.3f}",
                f"{self.entropies[j]:.3f}",
            )
            for j, name in enumerate(self.factor_names)
        ]
        shape = f"{len(self.code_names)} codes, {len(self.factor_names)} factors"
        return html.page(
            html.table(
                ("", "value", "95 % interval", "meaning"),
                scores,
                f"{self.examples} examples, {shape}",
            ),
            html.table(("factor", "best code", "I(code; factor), nats", "H(factor), nats"), best),
        )

    def __str__(self) -> str:
        shape = f"{len(self.code_names)} codes, {len(self.factor_names)} factors"
        lines = [f"{self.examples} examples, {shape}", f"{'':36} {'value':>7}  95 % interval"]
        for name, score in self.scores.items():
            interval = "-" if score.low is None else f"{score.low:.3f} to {score.high:.3f}"
            lines.append(f"{name:36} {score.value:7.3f}  {interval:16}  {_MEANINGS[name]}")
        lines.append("I(code; factor) in nats of the best code of each factor, at most H(factor):")
        for j, name in enumerate(self.factor_names):
            best = int(self.information[:, j].argmax())
            interval = ""
            if self.information_error is not None:
                value, error = self.information[best, j], 1.96 * self.information_error[best, j]
                interval = f" ({value - error:.3f} to {value + error:.3f})"
            lines.append(
                f"  {name}: {self.information[best, j]:.3f}{interval} of "
                f"{self.entropies[j]:.3f} in {self.code_names[best]}"
            )
        return "\n".join(lines + ([str(self.latents)] if self.latents else []))

    def as_dict(self) -> dict:
        """Returns the report as JSON values; numbers that are not finite become None."""
        scores = {
            name: {key: _finite(getattr(score, key)) for key in ("value", "low", "high")}
            for name, score in self.scores.items()
        }
        error = self.information_error
        return {
            "examples": self.examples,
            "codes": list(self.code_names),
            "factors": list(self.factor_names),
            "scores": scores,
            "information": self.information.tolist(),
            "entropies": self.entropies.tolist(),
            "information_error": error if error is None else error.tolist(),
            "latents": self.latents and self.latents.as_dict(),
        }

    def heat_map(self) -> Figure:
        """Draws the mutual information of codes and factors in nats.

        The color shows the share of the factor's entropy.
        """
        d, k = self.information.shape
        figure = Figure((1.6 + 0.9 * k, 1.4 + 0.4 * d), layout="constrained")
        axes = figure.subplots()
        shares = self.information / self.entropies
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="cividis", aspect="auto")
        for i, j in np.ndindex(d, k):
            color = "white" if shares[i, j] < 0.5 else "black"
            text = f"{self.information[i, j]:.2f}"
            axes.text(j, i, text, ha="center", va="center", color=color, fontsize=8)
        pairs = zip(self.factor_names, self.entropies, strict=True)
        labels = [f"{name}\nH = {entropy:.2f}" for name, entropy in pairs]
        axes.set_xticks(range(k), labels, fontsize=8, parse_math=False)
        axes.set_yticks(range(d), self.code_names, fontsize=8, parse_math=False)
        axes.set_title("I(code; factor), nats")
        figure.colorbar(image, label="share of H(factor)")
        return figure


def report(
    codes,
    factors,
    names: Sequence[str] | None = None,
    *,
    code_names: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    groups: int = 10,
    refit: bool = False,
    discrete: bool = False,
    latents: "LatentInformation | None" = None,
    seed: int = 0,
) -> DisentanglementReport:
    """Measures all disentanglement metrics of codes.

    The protocol of the literature uses 15,000 examples. Metrics that fit predictors hold out a
    third of them. DCI, SAP, explicitness, FactorVAE score and BetaVAE score are measured once. For
    the other metrics a 95 % interval is computed: the examples are divided into groups, and the
    metric is measured without each group in turn (jackknife).

    Args:
        codes: float array (n, d), d at least 2. Representation of each example, such as posterior
            means.
        factors: int array (n, k), k at least 2. Known factors of each example.
        names: sequence of str. Names of the k factors. `None` numbers them.
        code_names: sequence of str. Names of the d codes. `None` numbers them.
        metrics: sequence of str. Metrics to measure, from `METRICS`, such as "mig". `None` measures
            all.
        groups: int. Number of groups for the intervals. 0 computes no intervals.
        refit: bool. `True` also computes intervals of DCI, SAP, explicitness, FactorVAE score and
            BetaVAE score, which takes `groups` + 1 times as long.
        discrete: bool. `True` for codes that are categories, which InfoMEC treats differently.
            `False` for continuous codes.
        latents: `LatentInformation`. Result of `evaluation.latent_information` for the latents
            behind the codes, to show beside the scores. `None` leaves it out.
        seed: int. Seed of all draws.

    Returns:
        `DisentanglementReport`.

    Raises:
        ValueError: If the arrays have other shapes, a factor has a single value, the number of
            names differs, or a metric is unknown.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=(2000, 2))
        >>> found = ki.evaluation.disentanglement.report(
        ...     factors.astype(float), factors, ["hue", "size"], metrics=["mig", "modularity"]
        ... )
        >>> round(found.scores["MIG"].value, 2)
        1.0
    """
    codes, factors = check_arrays(codes, factors, 2, 2)
    metrics = list(METRICS) if metrics is None else list(metrics)
    if unknown := set(metrics) - set(METRICS):
        raise ValueError(
            f"The metrics are {', '.join(METRICS)}; got {', '.join(sorted(unknown))}."
            f"{guess(min(unknown), METRICS)}"
        )
    if groups != 0 and not 2 <= groups <= len(codes) // 2:
        raise ValueError(f"groups is 0 or from 2 to half the number of rows, got {groups}.")
    scores = {}
    for metric in metrics:
        parts = 0 if metric in _ONCE and not refit else groups
        scores |= _measure(METRICS[metric], codes, factors, parts, discrete, seed)
    return DisentanglementReport(
        len(codes),
        _names("code_names", code_names, "code", codes.shape[1]),
        _names("names", names, "factor", factors.shape[1]),
        scores,
        information_matrix(codes, factors),
        factor_entropies(factors),
        _information_error(codes, factors, groups, seed) if groups else None,
        latents,
    )


def _measure(
    measure: _Measure, codes, factors, groups: int, discrete: bool, seed: int
) -> dict[str, Score]:
    values = measure(codes, factors, seed, discrete)
    if not groups:
        return {name: Score(float(value)) for name, value in values.items()}
    without = [measure(*rows, seed, discrete) for rows in _left_out(codes, factors, groups, seed)]
    scores = {}
    for name, value in values.items():
        others = [each[name] for each in without]
        if not np.isfinite([value, *others]).all():
            scores[name] = Score(float(value))
            continue
        error = 1.96 * math.sqrt((groups - 1) * np.var(others))
        scores[name] = Score(float(value), float(value - error), float(value + error))
    return scores


def _left_out(codes, factors, groups: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows without each group in turn."""
    group = np.random.default_rng(seed).permutation(len(codes)) % groups
    return [(codes[group != g], factors[group != g]) for g in range(groups)]


def _information_error(codes, factors, groups: int, seed: int) -> np.ndarray:
    """Standard error of `information_matrix` by the same jackknife, float (d, k)."""
    rows = _left_out(codes, factors, groups, seed)
    return np.sqrt((groups - 1) * np.var([information_matrix(*each) for each in rows], axis=0))


def _names(argument: str, given: Sequence[str] | None, kind: str, count: int) -> tuple[str, ...]:
    names = tuple(f"{kind} {i}" for i in range(count)) if given is None else tuple(map(str, given))
    if len(names) != count:
        raise ValueError(f"{argument} has one name a {kind}, {count} in all; got {len(names)}.")
    return names


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
