"""Audit of the information in a table of latents, and of its estimators on simulated data."""

import math
from dataclasses import replace

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import distributions
from keras_infomodels.distributions import StandardNormal
from keras_infomodels.evaluation.audit_result import Audit
from keras_infomodels.evaluation.encodings import check_drawn, check_table
from keras_infomodels.evaluation.latent import active_units
from keras_infomodels.information import (
    AggregatedPosterior,
    Estimate,
    GaussianJoint,
    discrete_entropy,
    gaussian_channel,
    mean_estimate,
)
from keras_infomodels.information.aggregate import fitted_marginal_terms
from keras_infomodels.information.bounds import leave_one_out_terms
from keras_infomodels.information.streams import generator

tfd = tfp.distributions

__all__ = ["LEAST", "as_prior", "audit_codes"]

LEAST = 4
"""Smallest number of examples: the fitted q(z) and its error need two latents each."""


def audit_codes(
    z: np.ndarray | None = None,
    loc: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    prior=None,
    calibrate: bool = True,
    seed: int = 0,
    title: str = "encoder",
) -> Audit:
    """Measures the information in the latents of any encoder, given as arrays.

    For each of N examples x, the encoder's distribution of the latents is q(z|x) = N(loc, scale^2).
    The result has bounds on I_q(x;z), the mutual information of examples and latents, and the
    divergence of the latents from the prior, in nats.

    Args:
        z: array (N, d), N at least 4. One *sample* of q(z|x) for each example. Do not pass
            posterior means, which would make every bound wrong. `None` draws the samples.
        loc: array (N, d). Means of q(z|x). For a deterministic encoder pass its latents here, and
            neither `z` nor `scale`.
        scale: array (N, d). Standard deviations of q(z|x). All 0, or `None` without z, means a
            deterministic encoder; its information is the entropy of the N latents, ln N if all
            differ.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Prior p(z). `None` is
            N(0, I).
        calibrate: bool. `True` also runs the estimators on simulated data with a known answer, to
            measure their error. `False` does not.
        seed: int. Seed of all draws.
        title: str. Title of the result.

    Returns:
        `Audit`, which prints as a table.

    Raises:
        ValueError: If `loc` is missing, or `scale` where z is given; if shapes differ or values
            are NaN; if z cannot have been drawn from N(loc, scale^2); or if the prior does not
            fit.

    Example:
        rng = np.random.default_rng(1)
        means, deviations = rng.normal(size=(500, 2)), np.full((500, 2), 0.1)
        print(ki.evaluation.audit_codes(loc=means, scale=deviations))
    """
    if loc is None or (scale is None and z is not None):
        raise ValueError(
            "An audit needs loc and scale, (N, d); z may be left out, and is drawn. The latents of "
            "a deterministic encoder are loc alone: audit_codes(loc=z)."
        )
    drawn = z is None
    scale = np.zeros(np.shape(loc)) if scale is None else scale
    z, loc, scale = check_table(loc if drawn else z, loc, scale)
    if drawn:
        z = loc + scale * generator(seed, 17).normal(size=loc.shape)
    else:
        check_drawn(z, loc, scale)
    if len(z) < LEAST:
        raise ValueError(f"An audit needs at least {LEAST} examples, got {len(z)}.")
    d = z.shape[1]
    prior = as_prior(prior, d)
    active = active_units(loc)
    if not scale.any():
        note = "a deterministic encoder: infinite for a continuous x, this is for N latents"
        rows = {"I_q lower": replace(discrete_entropy(loc), kind="lower bound", note=note)}
        return Audit(title, len(z), rows, active_units=active, latent_dim=d)
    rows, dimensions, gap = _measure(z, loc, scale, prior, seed)
    calibration = _calibrate(loc, scale, seed) if calibrate else {}
    note = _crossing(rows["I_q lower"], rows["I_q upper"], gap)
    return Audit(title, len(z), rows, calibration, tuple(dimensions), active, d, note)


def _crossing(lower: Estimate, upper: Estimate, gap: Estimate) -> str:
    """Note for a lower bound that exceeds the upper bound; `gap` is the upper minus the lower."""
    if not gap.nats < 0:
        return ""
    note = f"The bounds of I_q cross: {lower.nats:.3f} from below, {upper.nats:.3f} from above. "
    if gap.nats >= -3 * gap.standard_error:
        return note + (
            f"The difference, {-gap.nats:.3f} ± {gap.standard_error:.3f}, is within three of its "
            "standard errors: both are near the true value, up to theirs."
        )
    return note + (
        "One is wrong, as where z is not drawn from q(z|x), or examples are not independent."
    )


def as_prior(prior, dimension: int):
    """Returns a prior of `dimension` latent variables, N(0, I) for None.

    Raises:
        ValueError: If the object is not a prior, or has another shape.
    """
    if prior is None:
        return StandardNormal(dimension)
    if not isinstance(prior, tfd.Distribution) and not hasattr(prior, "distribution"):
        raise ValueError(
            "A prior is a spec of keras_infomodels.distributions or a TFP distribution, got "
            f"{prior!r}."
        )
    p = distributions.prior_distribution(prior)
    if tuple(p.event_shape) != (dimension,) or tuple(p.batch_shape):
        raise ValueError(
            f"The prior of {dimension} latent variables has the event shape ({dimension},) and the "
            f"batch shape (), got {tuple(p.event_shape)} and {tuple(p.batch_shape)}."
        )
    return prior


def _measure(z, loc, scale, prior, seed) -> tuple[dict[str, Estimate], list[Estimate], Estimate]:
    """Rows of the audit, the dimension-wise KL, and the upper minus the lower bound of I_q."""
    q = AggregatedPosterior(z, loc, scale)
    distribution = distributions.prior_distribution(prior)
    log_p = np.asarray(distribution.log_prob(tf.cast(z, distribution.dtype)), np.float64)
    standard = isinstance(prior, StandardNormal)
    rate = q.own - log_p
    if standard:  # the closed form has less noise
        rate = 0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(q.scale)).sum(axis=1)
    rows = {"rate": mean_estimate(rate), "I_q lower": _noted(q.lower_bound())}
    uppers = {
        "leave-one-out": leave_one_out_terms(q.own, q.others, len(z)).numpy(),
        "fitted q(z)": fitted_marginal_terms(z, loc, scale, seed=seed),
        "rate": rate,
    }
    terms, method = _smallest(uppers, seed)
    rows["I_q upper"] = replace(mean_estimate(terms, "upper bound"), method=method, note=method)
    gap = mean_estimate(terms - (q.own - q.log_prob))
    rows["marginal KL"] = q.marginal_kl(distribution)
    rows["total correlation"] = q.total_correlation()
    if not standard:
        return rows, [], gap
    dimensions = q.dimension_wise_kl()
    log_normal = -0.5 * (z**2 + math.log(2 * math.pi))
    rows["dimension-wise KL"] = mean_estimate((q.marginals - log_normal).sum(axis=1))
    return rows, dimensions, gap


def _smallest(uppers: dict[str, np.ndarray], seed: int) -> tuple[np.ndarray, str]:
    """Terms (N,) of the smallest upper bound, and its name.

    The smallest of several noisy means is biased downwards. So the bound of each half of the
    examples is the one that is smallest on the other half; they may differ.
    """
    size = len(next(iter(uppers.values())))
    terms, chosen = np.empty(size), {}
    halves = np.array_split(generator(seed, 21).permutation(size), 2)
    for choosing, measured in (halves, halves[::-1]):
        name = min(uppers, key=lambda name: uppers[name][choosing].mean())
        terms[measured] = uppers[name][measured]
        chosen[name] = None
    return terms, ", ".join(chosen)


def _noted(lower: Estimate) -> Estimate:
    if lower.near_ceiling():
        return replace(lower, note="capped by ln N: the truth may lie above")
    return lower


def _calibrate(loc, scale, seed) -> dict[str, Estimate]:
    """Errors on x ~ N(0, C), q(z|x) = N(x, diag(s^2)), with C the covariance of the means."""
    n, d = loc.shape
    rng = generator(seed, 18)
    c, s = np.atleast_2d(np.cov(loc.T)), np.sqrt((scale**2).mean(axis=0)).clip(1e-6)
    means = rng.multivariate_normal(np.zeros(d), c, size=n, method="svd")
    z, scales = means + s * rng.normal(size=(n, d)), np.tile(s, (n, 1))
    rows, _, _ = _measure(z, means, scales, StandardNormal(d), seed)
    sz = c + np.diag(s**2)
    names = [f"z{j}" for j in range(d)]
    joint = GaussianJoint(sz, names)
    information = gaussian_channel(np.eye(d), c, np.diag(s**2)).nats
    correlation = sum(joint.entropy(name).nats for name in names) - joint.entropy(names).nats
    variances = np.diag(sz)
    dimension_wise = 0.5 * float(np.sum(variances - 1 - np.log(variances)))
    truth = {
        "rate": information + correlation + dimension_wise,
        "I_q lower": information,
        "I_q upper": information,
        "marginal KL": correlation + dimension_wise,
        "total correlation": correlation,
        "dimension-wise KL": dimension_wise,
    }
    return {
        name: Estimate(rows[name].nats - value, rows[name].standard_error)
        for name, value in truth.items()
    }
