"""Audit of the information in a model's latent variables: bounds and their calibration."""

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
from keras_infomodels.models.base import InfoModel
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
    """Measures the information in the latent variables of a model.

    For an encoder q(z|x), the audit estimates I_q(x;z), the mutual information of images x and
    their latents z, from below and above. It also estimates the divergence of the latents from the
    prior. For a generator or decoder, it bounds I_p(x;c) or I_p(x;z), the information about its
    input in generated images. This needs a new network Q, which is trained to infer the input from
    the image.

    An `InfoVAE` transforms the data as in training. A SavedModel or a function gets them unchanged.
    So with the likelihood "bernoulli_stochastic", an `InfoVAE` is measured on binarized pixels, and
    its SavedModel on gray ones.

    Args:
        model: `InfoVAE`, `InfoGAN`, path, function or Keras model. A path is the folder of a
            SavedModel with a signature "encode" that returns "loc" and "scale". A function or Keras
            model maps a batch of data to q(z|x): a dict {"loc", "scale"}, each (batch, d), a dict
            {"loc"} for a deterministic encoder, or a TFP distribution of independent normal
            variables.
        data: array (n, ...), `tf.data.Dataset` or `PyDataset`. Data to encode. Not needed for an
            `InfoGAN`.
        decoder: function. *Draws* data from p(x|z), given z (n, d). It is needed for I_p(x;z) if
            `model` is a function; a model of this library uses its own decoder. I_p(x;z) also
            requires that the prior is a multivariate normal; otherwise it is left out.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Prior p(z), if
            `model` is a function. `None` is N(0, I).
        network: Keras model. The new network Q, as in `fit_posterior`. `None` creates one that fits
            images or vectors.
        steps: int. Number of training steps of Q. 0 leaves out I_p(x;z).
        limit: int, at least 4. Largest number N of examples. The time grows with N^2, and the lower
            bound of I_q(x;z) cannot exceed ln N.
        batch_size: int. Batch size for arrays.
        calibrate: bool. `True` also runs the estimators on simulated data with a known answer, to
            measure their error. `False` does not.
        seed: int. Seed of all draws.
        title: str. Title of the result. `None` is the name of the model's class, folder or
            function.
        trust: bool. `True` loads a SavedModel even if it has operators that may read or write files
            or run code. `False` raises an error.

    Returns:
        `Audit` with bounds and estimates, their errors, kinds, ceilings and calibration.

    Raises:
        ValueError: If the model has no latent variables (a `Classifier`, or a `GAN` without codes)
            or is of another type; if an encoder has no data or fewer than 4 examples; if a decoder
            or prior is given for a model of this library; if q(z|x) is not a product of normals; if
            the prior does not fit; or if a SavedModel has unsafe operators and `trust` is `False`.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        print(ki.evaluation.audit(model, test, steps=0, limit=500))
    """
    steps = check_int("steps", steps, 0)
    limit = check_int("limit", limit, LEAST)
    batch_size = check_int("batch_size", batch_size, 1)
    if isinstance(model, InfoModel):
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
    """Returns loc (d,) and L (d, d) with loc + L z' ~ prior for z' ~ N(0, I), or None."""
    p = distributions.prior_distribution(prior)
    if isinstance(p, tfd.MultivariateNormalLinearOperator):
        root = p.scale.to_dense()
    elif isinstance(p, tfd.Independent) and isinstance(p.distribution, tfd.Normal):
        root = tf.linalg.diag(p.stddev())
    else:
        return None
    return tf.cast(p.mean(), tf.float32), tf.cast(root, tf.float32)


def _with_decoder(result: Audit, decoder, prior, network, steps: int, seed: int) -> Audit:
    """Adds I_p(x;z) = I_p(x;z') for z = loc + L z', whose dimensions are N(0, 1)."""
    loc, root = _affine(prior)
    dimension = len(loc)
    latents = Latents(0, [Code(f"z{j}", Normal(), min_stddev=1e-3) for j in range(dimension)])
    shape = tuple(decoder(tf.zeros((2, dimension))).shape[1:])
    if network is None and len(shape) == 1:
        network = _vector_network(shape[0], latents, seed)

    def generator(z):
        return decoder(loc + tf.matmul(z, root, transpose_b=True))

    parts = fit_posterior(generator, latents, network, steps, seed=seed, verbose="bar").values()
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
    found = fit_posterior(parts.generator, parts.latents, network, steps, seed=seed, verbose="bar")
    rows = {f"I_p(x;{name})": _noted_code(estimate) for name, estimate in found.items()}
    return Audit(title, EXAMPLES, rows)


def _noted_code(estimate: Estimate) -> Estimate:
    near = estimate.near_ceiling(0.02)
    return replace(estimate, note="at its ceiling") if near else estimate
