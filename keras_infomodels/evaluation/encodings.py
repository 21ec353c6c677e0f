"""Tables of latents from any encoder: a function, a Keras model, a SavedModel."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import chi2

from keras_infomodels import seeds
from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.distributions import posterior
from keras_infomodels.information import AggregatedPosterior
from keras_infomodels.operators import check_operators

__all__ = ["Encoder", "check_drawn", "check_table", "encode", "saved_encoder"]

tfd = tfp.distributions

Encoder = Callable[[tf.Tensor], tfd.Distribution | Mapping[str, tf.Tensor]]


def encode(
    encoder: Encoder, data, limit: int, batch_size: int = 128, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns a sample, the mean and the standard deviation of q(z|x) for up to `limit` examples.

    Raises:
        ValueError: If there are no data, or the encoder does not return a product of normals.
    """
    parts = []
    with order_of_epoch_0(data):
        for index, batch in enumerate(iterate_images(data, batch_size, limit=limit)):
            q_seed = seeds.fold_seed(seed, seeds.TABLE, index)
            parts.append(_sample(encoder(batch), q_seed))
    if not parts:
        raise ValueError("The data are empty: there are no examples to encode.")
    return tuple(np.concatenate(columns)[:limit] for columns in zip(*parts, strict=True))


def _sample(q, seed: tf.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample, mean and standard deviation of the output of an encoder."""
    if isinstance(q, Mapping):
        if set(q) not in ({"loc"}, {"loc", "scale"}):
            raise ValueError(
                'An encoder\'s mapping holds "loc" and "scale", or "loc" alone for a deterministic '
                f"one, got {sorted(q)}; wrap it in a function that returns these."
            )
        if "scale" in q and np.any(np.asarray(q["scale"]) < 0):
            raise ValueError("A scale is a standard deviation; the encoder's has negative values.")
        q = posterior(q)
        z = q.sample(seed=seed)
        return check_table(z, q.mean(), np.broadcast_to(q.stddev(), z.shape))
    if not isinstance(q, tfd.Distribution):
        raise ValueError(
            'An encoder returns a TFP distribution or {"loc", "scale"}, got '
            f"{type(q).__name__}; wrap it in a function that does. For a deterministic encoder, "
            'one that returns z, {"loc": z} is enough: lambda x: {"loc": encoder(x)}.'
        )
    z = q.sample(seed=seed)
    try:
        table = check_table(z, q.mean(), q.stddev())
    except NotImplementedError:
        table = None
    single = q.distribution if isinstance(q, tfd.Independent) else q
    if table and isinstance(single, tfd.Deterministic | tfd.VectorDeterministic):
        return table
    if table is None or not _is_normal(np.asarray(q.log_prob(z)), *table):
        raise ValueError(
            "An audit needs q(z|x) whose dimensions are independent normals; this "
            f"{type(q).__name__} is not the N(mean, diag(stddev^2)) of its own moments."
        )
    return table


def _is_normal(log_q: np.ndarray, z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> bool:
    """Returns whether log q(z|x) is that of N(loc, diag(scale^2)).

    A full covariance or heavy tails have moments too, but would give false bounds.
    """
    if not scale.all():
        return False
    q = AggregatedPosterior(z, loc, scale)
    rounding = np.finfo(log_q.dtype).eps * np.abs(z / scale) * (1 + np.abs((z - loc) / scale))
    allowed = 0.01 + 1e-3 * np.abs(q.own) + 4 * rounding.sum(axis=1)
    log_q = log_q.astype(np.float64).reshape(len(z), -1).sum(axis=1)
    return bool(np.all(np.abs(log_q - q.own) <= allowed))


def check_table(z, loc, scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Converts three arrays (N, d) to float64, and checks them.

    Raises:
        ValueError: If the shapes differ, or there are NaN, infinite values or negative standard
            deviations.
    """
    z, loc, scale = (np.asarray(a, np.float64) for a in (z, loc, scale))
    if not (z.shape == loc.shape == scale.shape and z.ndim == 2 and z.shape[1]):
        raise ValueError(
            "Samples, means and standard deviations of q(z|x) have one shape (N, d), got "
            f"{z.shape}, {loc.shape}, {scale.shape}."
        )
    if not all(np.isfinite(a).all() for a in (z, loc, scale)) or (scale < 0).any():
        raise ValueError("z, loc or scale holds NaN or infinite values, or scale is negative.")
    return z, loc, scale


def check_drawn(z: np.ndarray, loc: np.ndarray, scale: np.ndarray):
    """Raises ValueError if z, (N, d), can hardly have been drawn from N(loc, diag(scale^2)).

    The squared deviations of each dimension, and of all dimensions together, are tested by
    chi-square tests, with one false alarm in a million tables. Deviations below the rounding of
    float32 are ignored. The error states the observed mean square, which should be 1.
    """
    seen = scale > 1e-4 * np.maximum(np.abs(loc), 1e-6)
    squares = np.where(seen, (z - loc) / np.where(seen, scale, 1.0), 0.0) ** 2
    for total, count in (
        (squares.sum(), seen.sum()),
        *zip(squares.sum(axis=0), seen.sum(axis=0), strict=True),
    ):
        tail = min(chi2.cdf(total, count), chi2.sf(total, count)) if count else 1.0
        if tail < 1e-6 / (1 + z.shape[1]):
            raise ValueError(
                "z cannot have been drawn from N(loc, scale^2): the mean of ((z - loc) / scale)^2 "
                f"is {total / count:.3g}, not 1. Give a sample of each posterior, not its mean, or "
                "leave z out: it is drawn."
            )


def saved_encoder(folder: str | Path, trust: bool = False) -> Encoder:
    """Returns the signature "encode" of a SavedModel as an encoder.

    Raises:
        ValueError: If the SavedModel has operators that may read or write files and `trust` is
            False, or no such signature of one batch.
    """
    if not trust:
        check_operators(folder)
    loaded = tf.saved_model.load(str(folder))
    if "encode" not in loaded.signatures:
        raise ValueError(
            f"{folder} has the signatures {', '.join(loaded.signatures)}; an audit needs 'encode', "
            "from a batch to loc and scale."
        )
    signature = loaded.signatures["encode"]
    names = sorted(signature.structured_input_signature[1])
    if len(names) != 1:
        raise ValueError(
            f"{folder}: an audit needs 'encode' to take a batch alone, it takes {', '.join(names)}."
        )

    def encoder(x):
        outputs = signature(**{names[0]: x})
        return {key: value for key, value in outputs.items() if key != "probabilities"}

    return encoder
