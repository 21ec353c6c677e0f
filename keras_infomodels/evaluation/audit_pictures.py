"""Pictures of audits: bars for one model, the information plane for several."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_infomodels.defaults import COLORS
from keras_infomodels.figure import Figure

if TYPE_CHECKING:
    from keras_infomodels.evaluation.audit_result import Audit

__all__ = ["audit_picture", "information_plane"]


_MARKERS = "os^DvP*X"

_LABELS = {
    "rate": "rate",
    "I_q lower": "of it, information about x (I_q)",
    "marginal KL": "of it, distance of q(z) from the prior",
    "total correlation": "    dependence between latent variables",
    "dimension-wise KL": "    distance of each latent variable from N(0, 1)",
    "JSD, adversary": "the adversary's JSD of q(z) and prior, at least",
    "marginal KL, adversary": "the adversary's distance of q(z) from the prior",
    "I_p": "information of generated x about z (I_p), at least",
    "I_q(x;category)": "information of the category about x",
}


def audit_picture(audit: "Audit") -> Figure:
    """Draws an audit: one bar for each quantity, in nats.

    Whiskers are standard errors. A bracket marks the lower and the upper bound of I_q(x;z), the
    information in latents z about images x. A dashed line marks the ceiling of the lower bound, its
    largest possible value. If a bar reaches this line, the true value may be larger.

    Args:
        audit: `Audit`. Result of `evaluation.audit`.

    Returns:
        Matplotlib figure.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        audit = ki.evaluation.audit(model, test, steps=0, limit=200, calibrate=False)
        ki.plots.save(ki.evaluation.audit_picture(audit), "audit.png")
    """
    rows = {k: e for k, e in audit.rows.items() if k not in ("reconstruction", "I_q upper")}
    figure = Figure((9, 0.6 * len(rows) + 1.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, e) in enumerate(rows.items()):
        color = COLORS[2] if name.startswith("I_p") else COLORS[0 if "I_q" in name else 5]
        axes.barh(place, e.nats, color=color, height=0.6)
        axes.errorbar(e.nats, place, xerr=e.standard_error, color="black", capsize=3)
        text = f" {e.nats:.2f}"
        if name == "I_q lower" and "I_q upper" in audit.rows:
            upper = audit.rows["I_q upper"].nats
            axes.plot([e.nats, upper], [place, place], color=COLORS[1], linewidth=4, alpha=0.8)
            if round(upper, 2) <= round(e.nats, 2):  # draws may put the lower above the upper
                text = f" about {(e.nats + upper) / 2:.2f}: the bounds meet"
            else:
                text = f" between {e.nats:.2f} and {upper:.2f}"
            axes.text(max(e.nats, upper), place, text, va="center")
        else:
            axes.text(max(e.nats, 0) + e.standard_error, place, text, va="center")
        if math.isfinite(e.ceiling):
            ends = [place - 0.4, place + 0.4]
            axes.plot([e.ceiling] * 2, ends, color="black", linestyle="--")
            axes.text(e.ceiling, place - 0.42, "ceiling", ha="center", va="bottom", fontsize=8)
    axes.set_yticks(range(len(rows)), [_LABELS.get(name, name) for name in rows])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.15)
    axes.set(xlabel="nats per example", title=f"{audit.title}: {audit.examples} examples")
    return figure


def information_plane(audits: Mapping[str, "Audit"]) -> Figure:
    """Draws audited models in the plane of KL(q(z) || p(z)) and I_q(x;z), in nats.

    I_q(x;z) is the information in latents z about images x, and KL(q(z) || p(z)) the divergence of
    the latents of all images from the prior. Their sum is the rate, which is constant along each
    diagonal. The bar of a model reaches from the lower to the upper bound of I_q(x;z). For a model
    with a category, only the continuous latents are used.

    Args:
        audits: dict from str to `Audit`. Results of `evaluation.audit`, by the name to show.

    Returns:
        Matplotlib figure.

    Raises:
        ValueError: If there is no audit, or an audit lacks these quantities, as for an InfoGAN.

    Example:
        test = ki.datasets.load("fashion_mnist_mini", "test")
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        audit = ki.evaluation.audit(model, test, steps=0, limit=200, calibrate=False)
        ki.plots.save(ki.evaluation.information_plane({"MMD-VAE": audit}), "plane.png")
    """
    if not audits:
        raise ValueError("The information plane needs at least one audit.")
    for name, audit in audits.items():
        if not {"I_q lower", "marginal KL"} <= set(audit.rows):
            raise ValueError(f"{name} has no encoder with a density to place in the plane.")
    figure = Figure((7, 6), layout="constrained")
    axes = figure.subplots()
    x = np.array([a.rows["marginal KL"].nats for a in audits.values()])
    low = np.array([a.rows["I_q lower"].nats for a in audits.values()])
    for i, (name, audit) in enumerate(audits.items()):
        upper = audit.rows["I_q upper"].nats
        color = COLORS[i % len(COLORS)]
        marker = _MARKERS[i // len(COLORS) % len(_MARKERS)]
        axes.plot([x[i], x[i]], [low[i], max(upper, low[i])], color=color, linewidth=2)
        axes.scatter(x[i], low[i], color=color, marker=marker, label=name, zorder=3)
    right, top = 1.25 * max(x.max(), 0.1), 1.25 * max(low.max(), 0.1)
    rates = np.linspace(0, right + top, 9)[1:-1]
    if right > 5 * max(np.median(x), 0.1):
        # One model far off would put all others on the axis.
        axes.set_xscale("symlog", linthresh=1)
        rates = np.geomspace(top, right, 6)
    for rate in rates:
        share = np.linspace(0, rate, 200)
        axes.plot(share, rate - share, color="grey", linewidth=0.7, linestyle=":")
        place = min(rate, top)
        axes.annotate(f"rate {rate:.1f}", (rate - place, place), fontsize=7, color="grey")
    ceilings = {round(a.rows["I_q lower"].ceiling, 3) for a in audits.values()}
    for ceiling in ceilings:
        if ceiling < 1.2 * top:
            axes.axhline(ceiling, color="black", linestyle="--", linewidth=0.8)
            axes.text(right, ceiling, f"ln N = {ceiling:.2f}", ha="right", va="bottom", fontsize=8)
    axes.set(
        xlim=(min(0, 1.1 * x.min()), right),
        ylim=(min(0, 1.1 * low.min()), max(top, 1.05 * max(ceilings))),
        xlabel="KL(q(z) || p(z)), nats",
        ylabel="I_q(x;z), nats: lower bound, and up to the upper",
        title="Information plane",
    )
    axes.legend(frameon=False)
    return figure
