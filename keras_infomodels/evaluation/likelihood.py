"""Log-likelihood of a VAE, by importance sampling."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.distributions import posterior, prior_distribution
from keras_infomodels.information import Estimate, mean_estimate
from keras_infomodels.seeds import fold_seed
from keras_infomodels.spec import check_int

__all__ = ["log_likelihood"]


def log_likelihood(
    model,
    x,
    samples: int = 200,
    batch_size: int = 50,
    seed: int = 0,
) -> Estimate:
    """Estimates the mean log-likelihood log p(x) of images by importance sampling, in nats.

        log p(x) >= E log (1/S) sum_s p(x|z_s) p(z_s) / q(z_s|x),    z_s ~ q(z|x)

    z_s are S samples of the encoder's q(z|x), p(x|z) is the decoder's distribution, and p(z) the
    prior. The bound increases with S, and it is tight if q(z|x) equals the true posterior. With the
    likelihood `Bernoulli("stochastic")` each image is binarized once, by a seed derived from `seed`
    and the index of the batch.
    Source: Burda et al., "Importance weighted autoencoders", 2016, equation 8.

    Args:
        model: `InfoVAE`. It has a stochastic encoder, and a prior with a density.
        x: array, `tf.data.Dataset` or `PyDataset` of images (batch, *data_shape). The order must be
            the same in every reading. A dataset of `keras_infomodels.datasets` is read in the order
            of epoch 0.
        samples: int, at least 1. Number S of samples of z for each image.
        batch_size: int. Batch size for arrays. S times as many images are decoded at once.
        seed: int. Seed of z and of random binarization.

    Returns:
        `Estimate` of the kind "lower bound", in nats per image, with its standard error over
        images. `method` states S, and `note` states the likelihood and its binarization.

    Raises:
        ValueError: If the encoder has no density, there are no images, the images do not fit the
            model, or `samples` or `batch_size` is below 1.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        print(ki.evaluation.log_likelihood(model, images[:100] / 255, samples=20))
    """
    if not model.has_density:
        raise ValueError(
            "This encoder is deterministic: q(z|x) has no density, which importance sampling needs."
        )
    samples, batch_size = check_int("samples", samples, 1), check_int("batch_size", batch_size, 1)
    model.check_data(x)
    log_weights = _log_weights(model, samples, seed)
    values = []
    with order_of_epoch_0(x):
        for index, images in enumerate(iterate_images(x, batch_size)):
            model.check_data(images)  # of a dataset only the first batch has been seen
            values.append(log_weights(images, tf.constant(index)))
    return replace(
        mean_estimate(np.concatenate(values).astype(np.float64), "lower bound"),
        method=f"importance sampling, {samples} samples",
        note=f"p(x|z) is {model.likelihood!r}",
    )


def _log_weights(model, samples: int, seed: int) -> Callable:
    """Creates the function from images and their batch number to log p(x), shape (batch,)."""
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
