"""What a model's latent variables carry: bounds, and a calibration beside each estimate."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import distributions
from keras_infomodels.distributions import Code, Latents, Normal, StandardNormal
from keras_infomodels.evaluation.encodings import (
    check_drawn,
    check_table,
    encode,
    saved_encoder,
)
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.evaluation.soundness import (
    ReconstructionCheck,
    SampleCheck,
    model_checks,
)
from keras_infomodels.information import (
    AggregatedPosterior,
    Estimate,
    GaussianJoint,
    discrete_entropy,
    fitted_marginal_bound,
    gaussian_channel,
    mean_estimate,
)
from keras_infomodels.information.streams import generator
from keras_infomodels.models.audits import EncoderParts, GeneratorParts
from keras_infomodels.models.base import LedgerModel
from keras_infomodels.spec import whole

tfd = tfp.distributions

__all__ = ["Audit", "audit", "audit_codes"]

_LEAST = 4
"""Examples: the fitted q(z) and its error need two codes each."""

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


def audit(
    model,
    data=None,
    *,
    decoder: Callable[[tf.Tensor], tf.Tensor] | None = None,
    prior=None,
    network: keras.Model | None = None,
    steps: int = 2000,
    limit: int = 10_000,
    batch_size: int = 128,
    calibrate: bool = True,
    seed: int = 0,
    title: str | None = None,
    trust: bool = False,
) -> Audit:
    """Measures what latent variables carry, for any model.

    An `InfoVAE` sees the data as in training; a SavedModel or a function gets them as they are. So
    a model with the likelihood "bernoulli_stochastic" and its own SavedModel differ on grey images:
    the one is measured on binarized pixels, the other on grey ones.

    Args:
        model: an `InfoVAE` or `InfoGAN`; a SavedModel's folder with a signature "encode" to loc
            and scale; or a function or Keras model from a batch of data to q(z|x): {"loc",
            "scale"}, each (batch, d), {"loc"} if deterministic, or a TFP distribution whose
            dimensions are independent normals.
        data: an array, a `tf.data.Dataset` or a `PyDataset`; an `InfoGAN` needs none.
        decoder: from z (n, d) to generated data, *drawn* from p(x|z), for I_p(x;z) of a function;
            a model of this library has its own. The prior must then be a multivariate normal; of
            a model with another one I_p is left out.
        prior: of the codes of a function, a spec or TFP distribution; None is N(0, I).
        network: of the fresh Q, as in `fit_posterior`; None is made for images and for vectors.
        steps: of its training; 0 leaves I_p(x;z) out.
        limit: N, the most examples to encode, at least 4: the cost grows with its square, the
            ceiling is ln N.
        batch_size: for arrays.
        calibrate: whether to measure the estimators where the answer is known.
        seed: of all draws.
        title: of the model in what is printed.
        trust: bool. Whether a SavedModel is loaded although it holds operators that may read or
            write files or run code.

    Returns:
        Bounds and estimates with errors, kinds, ceilings and calibration; print it.

    Raises:
        ValueError: a model without latent variables (a `Classifier`, a `GAN` without codes) or
            nothing that can be audited, no data or fewer than 4 examples for an encoder,
            a decoder or prior beside a model of this library, q(z|x) that is no product of
            normals, a prior that does not fit, or a SavedModel with such operators.
    """
    steps = whole("steps", steps, 0)
    limit = whole("limit", limit, _LEAST)
    batch_size = whole("batch_size", batch_size, 1)
    if isinstance(model, LedgerModel):
        if not (decoder is None and prior is None):
            raise ValueError(
                "decoder= and prior= are for functions; this model has its own of both."
            )
        title = title or type(model).__name__
        parts = model.audit_parts(data, limit, batch_size, seed)
        if isinstance(parts, GeneratorParts):
            result = _audit_generator(parts, network, steps, seed, title)
        else:
            result = _audit_encoder(parts, network, steps, calibrate, seed, title)
        return replace(result, soundness=model_checks(model, data, batch_size, seed))
    if data is None:
        raise ValueError("An encoder is audited on data; give an array or a dataset.")
    if isinstance(model, str | Path):
        title = title or str(model)
        model = saved_encoder(model, trust)
    if not callable(model):
        raise ValueError(
            f"audit takes a model of this library, a SavedModel's folder or a function, got "
            f"{type(model).__name__}."
        )
    table = encode(model, data, limit, batch_size, seed)
    prior = _prior(prior, table[0].shape[1])
    if decoder is not None and steps and _affine(prior) is None:
        raise ValueError(
            "I_p(x;z) needs a prior that is a multivariate normal, got "
            f"{type(prior).__name__}; leave the decoder out."
        )
    parts = EncoderParts(table, prior, decoder, prior)
    return _audit_encoder(parts, network, steps, calibrate, seed, title or "encoder")


def audit_codes(
    z: np.ndarray | None = None,
    loc: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    prior=None,
    calibrate: bool = True,
    seed: int = 0,
    title: str = "encoder",
) -> Audit:
    """The audit of a table of encodings.

    Args:
        z: one sample of each posterior, (N, d), N at least 4; None draws them. The means are no
            samples: with them every bound would be wrong.
        loc, scale: posterior means and standard deviations, (N, d); a scale of 0 everywhere is a
            deterministic encoder, whose information is that of N distinct codes.
        prior: a spec or a TFP distribution; None is N(0, I).
        calibrate, seed, title: as in `audit`.

    Raises:
        ValueError: no means or deviations, arrays of other shapes or with NaN, z that cannot have
            been drawn from N(loc, scale^2), or a prior that does not fit.

    Example:
        `audit_codes(loc=means, scale=deviations)`
    """
    if loc is None or scale is None:
        raise ValueError("An audit needs loc and scale, (N, d); z may be left out, and is drawn.")
    drawn = z is None
    z, loc, scale = check_table(loc if drawn else z, loc, scale)
    if drawn:
        z = loc + scale * generator(seed, 17).normal(size=loc.shape)
    else:
        check_drawn(z, loc, scale)
    if len(z) < _LEAST:
        raise ValueError(f"An audit needs at least {_LEAST} examples, got {len(z)}.")
    d = z.shape[1]
    prior = _prior(prior, d)
    active = int(np.sum(loc.var(0) > 0.01))
    if not scale.any():
        note = "a deterministic encoder: infinite for a continuous x, this is of N distinct codes"
        rows = {"I_q lower": replace(discrete_entropy(loc), kind="lower bound", note=note)}
        return Audit(title, len(z), rows, active_units=active, latent_dim=d)
    rows, dimensions = _measure(z, loc, scale, prior, seed)
    calibration = _calibrate(loc, scale, seed) if calibrate else {}
    note = _crossing(rows["I_q lower"], rows["I_q upper"])
    return Audit(title, len(z), rows, calibration, tuple(dimensions), active, d, note)


def _crossing(lower: Estimate, upper: Estimate) -> str:
    """What to say of a lower bound that is above the upper one by more than three errors."""
    if lower.nats - upper.nats <= 3 * math.hypot(lower.standard_error, upper.standard_error):
        return ""
    return (
        f"The bounds of I_q cross: {lower.nats:.3f} from below, {upper.nats:.3f} from above. One "
        "is wrong, as where z is not drawn from q(z|x), or examples are not independent."
    )


def _prior(prior, dimension: int):
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


def _measure(z, loc, scale, prior, seed) -> tuple[dict[str, Estimate], list[Estimate]]:
    q = AggregatedPosterior(z, loc, scale)
    distribution = distributions.prior_distribution(prior)
    log_p = np.asarray(distribution.log_prob(tf.cast(z, distribution.dtype)), np.float64)
    standard = isinstance(prior, StandardNormal)
    rate = mean_estimate(q.own - log_p)
    if standard:  # the closed form has less noise
        rate = mean_estimate(0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(q.scale)).sum(axis=1))
    rows = {"rate": rate, "I_q lower": _noted(q.lower_bound())}
    uppers = {
        "leave-one-out": q.upper_bound(),
        "fitted q(z)": fitted_marginal_bound(z, loc, scale, seed=seed),
        "rate": replace(rate, kind="upper bound"),
    }
    method = min(uppers, key=lambda name: uppers[name].nats)
    rows["I_q upper"] = replace(uppers[method], method=method, note=method)
    rows["marginal KL"] = q.marginal_kl(distribution)
    rows["total correlation"] = q.total_correlation()
    if not standard:
        return rows, []
    dimensions = q.dimension_wise_kl()
    log_normal = -0.5 * (z**2 + math.log(2 * math.pi))
    rows["dimension-wise KL"] = mean_estimate((q.marginals - log_normal).sum(axis=1))
    return rows, dimensions


def _noted(lower: Estimate) -> Estimate:
    if lower.near_ceiling():
        return replace(lower, note="capped by ln N: the truth may lie above")
    return lower


def _calibrate(loc, scale, seed) -> dict[str, Estimate]:
    """Errors on x ~ N(0, C), q(z|x) = N(x, diag(s^2)), C the covariance of the means."""
    n, d = loc.shape
    rng = generator(seed, 18)
    c, s = np.atleast_2d(np.cov(loc.T)), np.sqrt((scale**2).mean(axis=0)).clip(1e-6)
    means = rng.multivariate_normal(np.zeros(d), c, size=n, method="svd")
    z, scales = means + s * rng.normal(size=(n, d)), np.tile(s, (n, 1))
    rows, _ = _measure(z, means, scales, StandardNormal(d), seed)
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


def _audit_encoder(
    parts: EncoderParts, network, steps: int, calibrate: bool, seed: int, title: str
) -> Audit:
    result = audit_codes(*parts.table, parts.table_prior, calibrate, seed, title)
    result = replace(result, rows={**parts.before, **result.rows, **parts.after})
    if not steps or parts.decoder is None:
        return result
    if _affine(parts.prior) is None:
        note = f"I_p is left out: it needs a normal prior, not {type(parts.prior).__name__}."
        return replace(result, note=" ".join(filter(None, (result.note, note))))
    return _with_decoder(result, parts.decoder, parts.prior, network, steps, seed)


def _affine(prior) -> tuple[tf.Tensor, tf.Tensor] | None:
    """loc (d,) and L (d, d) for which loc + L z' has this prior, z' ~ N(0, I); None if it has no
    such form."""
    p = distributions.prior_distribution(prior)
    if isinstance(p, tfd.MultivariateNormalLinearOperator):
        root = p.scale.to_dense()
    elif isinstance(p, tfd.Independent) and isinstance(p.distribution, tfd.Normal):
        root = tf.linalg.diag(p.stddev())
    else:
        return None
    return tf.cast(p.mean(), tf.float32), tf.cast(root, tf.float32)


def _with_decoder(result: Audit, decoder, prior, network, steps: int, seed: int) -> Audit:
    """With I_p(x;z) = I_p(x;z'), z = loc + L z': Q infers z', whose dimensions are N(0, 1)."""
    loc, root = _affine(prior)
    dimension = len(loc)
    latents = Latents(0, [Code(f"z{j}", Normal(), min_stddev=1e-3) for j in range(dimension)])
    shape = tuple(decoder(tf.zeros((2, dimension))).shape[1:])
    if network is None and len(shape) == 1:
        network = _vector_network(shape[0], latents, seed)

    def generator(z):
        return decoder(loc + tf.matmul(z, root, transpose_b=True))

    parts = fit_posterior(generator, latents, network, steps, seed=seed, verbose=0).values()
    ignored = all(e.nats <= 0.1 for e in parts)
    rising = next((e.note for e in parts if e.note), "")
    information = Estimate(
        sum(e.nats for e in parts),
        sum(e.standard_error for e in parts),  # at most: the parts share their draws
        "lower bound",
        note="the decoder ignores z, or Q is too weak" if ignored else rising,
    )
    return replace(result, rows=dict(result.rows) | {"I_p": information})


def _vector_network(width: int, latents: Latents, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    x = keras.Input((width,))
    h = keras.layers.Concatenate()([x, keras.layers.Dense(128, "gelu")(x)])
    outputs = {name: keras.layers.Dense(code.parameters)(h) for name, code in latents.codes.items()}
    return keras.Model(x, outputs)


def _audit_generator(parts: GeneratorParts, network, steps: int, seed: int, title: str) -> Audit:
    if not steps:
        raise ValueError("A generator is audited by training a fresh Q: steps is above 0.")
    found = fit_posterior(parts.generator, parts.latents, network, steps, seed=seed, verbose=0)
    rows = {f"I_p(x;{name})": _noted_code(estimate) for name, estimate in found.items()}
    return Audit(title, 10_000, rows)


def _noted_code(estimate: Estimate) -> Estimate:
    near = estimate.near_ceiling(0.02)
    return replace(estimate, note="at its ceiling") if near else estimate
