"""Importance-weighted log-likelihood."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Number
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.distributions import posterior, prior_distribution
from keras_infomodels.information import Estimate, mean_estimate
from keras_infomodels.seeds import fold_seed
from keras_infomodels.spec import whole

__all__ = ["log_likelihood"]


def log_likelihood(
    model,
    x,
    samples: int = 200,
    batch_size: int = 50,
    seed: int = 0,
    path: str | Path | None = None,
) -> Estimate:
    """E log p(x) by importance sampling from the encoder, in nats per example.

        log p(x) >= E log (1/S) sum_s p(x|z_s) p(z_s) / q(z_s|x),    z_s ~ q(z|x)

    The weights hold log q *at the sample*, never the closed-form KL: with the exact posterior the
    result is log p(x) with no variance at all. It rises with S. The observation model is the
    model's own: with `Bernoulli("stochastic")` each image is binarized once, from (seed, batch).
    Source: Burda et al., "Importance weighted autoencoders", 2016, equation 8.

    Args:
        model: an `InfoVAE` with a stochastic encoder and a prior that has a density.
        x: an array, a `tf.data.Dataset` or a `PyDataset` of images (batch, *data_shape), in an
            order that repeats; a dataset of `datasets` is read in the order of its epoch 0.
        samples: S, the draws of z for each image, at least 1.
        batch_size: images at a time, for arrays; S times as many are decoded at once.
        seed: of z and of random binarization.
        path: a `.npz` file that keeps the values of finished images, so that a call that was
            broken off goes on where it was; None keeps nothing. A digest of each image and one of
            weights, dtype policies, prior, likelihood and settings stand beside them, and values
            of others are refused. What the layers do with their weights is not in it: another
            architecture with the same weights takes another file.

    Returns:
        A lower bound with its standard error over images; S is in its `method`, the observation
        model and so the binarization in its `note`.

    Raises:
        ValueError: an encoder without a density; no images, or images that the model does not
            take; samples or batch_size below 1; a file of another model, other settings or other
            images; with a path, a TFP prior that holds a function, which no digest covers.
    """
    if not model.has_density:
        raise ValueError("This encoder has no density to weigh its samples with.")
    samples, batch_size = whole("samples", samples, 1), whole("batch_size", batch_size, 1)
    model.check_data(x)
    log_weights = _log_weights(model, samples, seed)
    key = None if path is None else _key(model, samples, batch_size, seed)
    kept = None if path is None else _Kept(Path(path), key)
    values = []
    with order_of_epoch_0(x):
        for index, images in enumerate(iterate_images(x, batch_size)):
            model.check_data(images)  # of a dataset only the first batch has been seen
            compute = partial(log_weights, images, tf.constant(index))
            values.append(compute() if kept is None else kept.values_of(images, compute))
    return replace(
        mean_estimate(np.concatenate(values).astype(np.float64), "lower bound"),
        method=f"importance sampling, {samples} samples",
        note=f"p(x|z) is {model.likelihood!r}",
    )


def _log_weights(model, samples: int, seed: int) -> Callable:
    """Makes the function from images and their batch's number to log p(x), shape (batch,)."""
    prior = prior_distribution(model.prior)

    @tf.function(reduce_retracing=True, autograph=False)
    def log_weights(images, index):
        seeds = tf.random.experimental.stateless_split(fold_seed(seed, index))
        images = model.likelihood.observe(images, seeds[0])
        q = posterior(model.encoder(images, training=False))
        z = q.sample(samples, seed=seeds[1])  # (S, batch, d)
        count = tf.shape(images)[0]
        flat = tf.reshape(z, (-1, model.latent_dim))
        tiled = tf.tile(images, [samples] + [1] * (len(images.shape) - 1))
        log_p = tf.reshape(
            model.observation(flat, tiled, training=False).log_prob(tiled), (samples, count)
        )
        log_w = log_p + prior.log_prob(z) - q.log_prob(z)
        return tf.reduce_logsumexp(log_w, axis=0) - tf.math.log(float(samples))

    return log_weights


def _key(model, *settings: int) -> str:
    """A digest of everything that the values depend on but the images."""
    policies = [part.dtype_policy.name for part in (model, model.encoder, model.decoder)]
    described = _described([settings, policies, model.likelihood, model.prior])
    digest = hashlib.sha256(repr(described).encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _described(value):
    """`value` in full, for its repr: that of an array is shortened, and that of a TFP distribution
    leaves its parameters out."""
    if hasattr(value, "get_config"):
        return type(value).__name__, _described(value.get_config())
    if isinstance(getattr(value, "parameters", None), Mapping):  # also bijectors and operators
        return type(value).__name__, _described(value.parameters)
    if isinstance(value, Mapping):
        return [(name, _described(value[name])) for name in sorted(value)]
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return str(array.dtype), array.shape, array.tobytes()
    if value is None or isinstance(value, str | Number | type | tf.DType):
        return value
    raise ValueError(
        "The prior or likelihood holds a function or object that cannot be recognized when values "
        f"are read again, {value!r}: take path=None, or a prior of keras_infomodels.distributions."
    )


class _Kept:
    """Values in a file, in the order of the images, each beside a digest of its image."""

    def __init__(self, path: Path, key: str):
        self.path, self.key, self.seen = path, key, 0
        self.values, self.digests = np.empty(0, np.float32), np.empty(0, "U64")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                kept, self.values, self.digests = (file[n] for n in ("key", "values", "digests"))
        except (TypeError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds no values of log_likelihood; remove it.") from error
        if str(kept) != key:
            raise ValueError(
                f"{path} holds values of another model, or of other samples, batch_size or seed; "
                "remove it or take another path."
            )

    def values_of(self, images: tf.Tensor, compute: Callable[[], tf.Tensor]) -> np.ndarray:
        """Those of the next images, shape (batch,): as they are kept, else computed and kept."""
        digests = np.array([hashlib.sha256(i.tobytes()).hexdigest() for i in images.numpy()])
        start, self.seen = self.seen, self.seen + len(images)
        known = self.digests[start : self.seen]
        if (known != digests[: len(known)]).any():
            raise ValueError(
                f"{self.path} holds values of other images, or of these in another order; remove "
                "it or take another path."
            )
        if len(known) < len(images):
            self.values = np.append(self.values[:start], compute())
            self.digests = np.append(self.digests[:start], digests)
            self._write()
        return self.values[start : self.seen]

    def _write(self):
        temporary = self.path.with_suffix(".tmp.npz")
        np.savez(temporary, values=self.values, digests=self.digests, key=self.key)
        os.replace(temporary, self.path)
