"""Importance-weighted log-likelihood."""

import hashlib
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import iterate_images
from keras_infomodels.distributions import posterior, prior_distribution
from keras_infomodels.information import Estimate
from keras_infomodels.seeds import fold_seed

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
        x: an array, a `tf.data.Dataset` or a `PyDataset` of images, in an order that repeats.
        samples: S, the draws of z for each image.
        batch_size: images at a time, for arrays; S times as many are decoded at once.
        seed: of z and of random binarization.
        path: a `.npz` file that keeps the values of finished images, so that a call that was
            broken off goes on where it was; None keeps nothing.

    Returns:
        A lower bound with its standard error over images.

    Raises:
        ValueError: an encoder without a density, or a file of another model or other settings.
    """
    if not model.has_density:
        raise ValueError("This encoder has no density to weigh its samples with.")
    prior = prior_distribution(model.prior)

    @tf.function(reduce_retracing=True)
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

    key = _key(model, samples, batch_size, seed)
    values = np.empty(0, np.float32) if path is None else _read(Path(path), key)
    seen = 0
    for index, images in enumerate(iterate_images(x, batch_size)):
        seen += len(images)
        if seen > len(values):
            values = np.append(
                values[: seen - len(images)], log_weights(images, tf.constant(index))
            )
            if path is not None:
                _write(Path(path), values, key)
    values = values[:seen]
    error = float(values.std(ddof=1) / np.sqrt(seen)) if seen > 1 else float("nan")
    return Estimate(float(values.mean(dtype=np.float64)), error, "lower bound")


def _key(model, *settings: int) -> str:
    """A digest of everything that the values depend on but the images."""
    specs = [
        type(spec).__name__ + str(getattr(spec, "get_config", dict)())
        for spec in (model.likelihood, model.prior)
    ]
    digest = hashlib.sha256(repr((settings, specs)).encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _read(path: Path, key: str) -> np.ndarray:
    if not path.exists():
        return np.empty(0, np.float32)
    with np.load(path, allow_pickle=False) as file:
        if str(file["key"]) != key:
            raise ValueError(
                f"{path} holds values of another model, or of other samples, batch_size or seed; "
                "remove it or take another path."
            )
        return file["values"]


def _write(path: Path, values: np.ndarray, key: str):
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, values=values, key=key)
    os.replace(temporary, path)
