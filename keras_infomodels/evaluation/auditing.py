"""What a model's latent variables carry: bounds, and a calibration beside each estimate."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import distributions
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import Code, Latents, Normal
from keras_infomodels.evaluation.audit_result import Audit
from keras_infomodels.evaluation.encodings import encode, saved_encoder
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.evaluation.soundness import model_checks
from keras_infomodels.evaluation.table_audit import LEAST, as_prior, audit_codes
from keras_infomodels.information import Estimate
from keras_infomodels.models.audits import EncoderParts, GeneratorParts
from keras_infomodels.models.base import LedgerModel
from keras_infomodels.spec import check_int

tfd = tfp.distributions

__all__ = ["audit"]


def audit(
    model,
    data=None,
    *,
    decoder: Callable[[tf.Tensor], tf.Tensor] | None = None,
    prior=None,
    network: keras.Model | None = None,
    steps: int = 2000,
    limit: int = EXAMPLES,
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
    steps = check_int("steps", steps, 0)
    limit = check_int("limit", limit, LEAST)
    batch_size = check_int("batch_size", batch_size, 1)
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
    prior = as_prior(prior, table[0].shape[1])
    if decoder is not None and steps and _affine(prior) is None:
        raise ValueError(
            "I_p(x;z) needs a prior that is a multivariate normal, got "
            f"{type(prior).__name__}; leave the decoder out."
        )
    parts = EncoderParts(table, prior, decoder, prior)
    return _audit_encoder(parts, network, steps, calibrate, seed, title or "encoder")


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
    return Audit(title, EXAMPLES, rows)


def _noted_code(estimate: Estimate) -> Estimate:
    near = estimate.near_ceiling(0.02)
    return replace(estimate, note="at its ceiling") if near else estimate
