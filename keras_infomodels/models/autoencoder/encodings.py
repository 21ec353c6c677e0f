"""Encodings of a data set: their mutual information, and inputs of the decoder."""

from dataclasses import replace

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from keras_infomodels import replicas, seeds
from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import code_distribution, posterior, prior_distribution
from keras_infomodels.information import (
    AggregatedPosterior,
    Estimate,
    category_information,
    discrete_entropy,
)
from keras_infomodels.log import LOGGER
from keras_infomodels.spec import check_int

tfd = tfp.distributions

__all__ = [
    "begin_validation",
    "encode_batch",
    "encoding_table",
    "evaluate_information",
    "keep_encodings",
    "latent_inputs",
    "mutual_information",
    "table_information",
    "validation_information",
]


PAIRS = 10_000_000
"""Pairs of a sample and a posterior in an estimate during training: 1,000 of 10,000 samples."""


def mutual_information(
    model,
    x,
    batch_size: int | None = None,
    limit: int = EXAMPLES,
    samples: int | None = None,
) -> Estimate:
    """Estimates I_q(x;z), the mutual information of images x and their latent variables z.

    Each of N images is encoded as a distribution q(z|x). The mixture of the N distributions stands
    for q(z), and the estimate is the mean of log q(z|x) - log q(z) over draws from them.

    Args:
        model: `InfoVAE`.
        x: array (n, *data_shape), `tf.data.Dataset` or Keras `PyDataset` of images.
        batch_size: int. Batch size for arrays. `None` is 32.
        limit: int. Largest number N of images that are used. They take about 100 bytes of memory
            for each latent variable, and the time grows with N times `samples`.
        samples: int. Number of draws from q(z|x) that are averaged, evenly from the N images. Fewer
            draws have a larger standard error; the ceiling stays. `None` is one for each image.

    Returns:
        `Estimate` in nats: a lower bound on I_q(x;z), at most ln N, its `ceiling`. There are two
        exceptions. For a deterministic encoder, I_q(x;z) of continuous images is infinite; the
        result is the information about which of the N images was encoded, ln N if all latents
        differ. With a category of K values, the result is I_q(x;category) = H(mean q) - mean H(q),
        with q = q(category|x) and the entropy H, computed exactly for the N images; it is at most
        ln K. With `Bernoulli("stochastic")` pixels, x is one random binarization of each image.

    Source: Hoffman and Johnson, "ELBO surgery", 2016; `information.aggregate`.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.mutual_information(model.generate(64, seed=0).numpy())
    """
    table = encoding_table(model, x, batch_size, limit)
    if samples is None:
        return table_information(model, *table)
    samples = check_int("samples", samples, 1)
    return table_information(model, *table, pairs=samples * len(table[0]))


def encoding_table(
    model, x, batch_size: int | None = None, limit: int = EXAMPLES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encodes up to `limit` images: a sample, the mean and the standard deviation of q(z|x).

    The samples depend only on the model's seed and the index of the batch, so repeated calls give
    the same arrays.

    Args:
        model: `InfoVAE`.
        x: array (n, *data_shape), `tf.data.Dataset` or Keras `PyDataset` of images.
        batch_size: int. Batch size for arrays. `None` is 32.
        limit: int. Largest number N of images.

    Returns:
        Three arrays (N, d), with d the number of latent variables.
    """
    model.check_data(x)
    return _encodings(model, x, batch_size, limit)


def evaluate_information(
    model, x, batch_size: int | None, steps: int | None, show: bool
) -> dict[str, float]:
    """Measures I_q(x;z) of data in nats, as a dict with one metric.

    Args:
        model: `InfoVAE`.
        x: array, dataset or `PyDataset` of images.
        batch_size: int. Batch size for arrays. `None` is 32.
        steps: int. Largest number of batches. `None` reads all.
        show: bool. `True` allows a log message on the ceiling.
    """
    information = table_information(model, *_encodings(model, x, batch_size, EXAMPLES, steps))
    model.information_estimate = information
    if show:
        _show_ceiling(model, information)
    return {model.information_name: information.nats}


def encode_batch(model, x: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Encodes a batch: a sample, the mean and the standard deviation of q(z|x), each (batch, d).

    Args:
        model: `InfoVAE`.
        x: tensor (batch, *data_shape). Images.
        index: int32 scalar. Index of the batch, from which the seed of the sample is derived.
    """
    seed = seeds.fold_seed(model.seed, seeds.TABLE, index)
    data_seed, posterior_seed = tf.unstack(tf.random.experimental.stateless_split(seed))
    parameters = model.encoder(model.likelihood.observe(x, data_seed), training=False)
    q = code_distribution(parameters)
    return _columns(model, parameters, q, q.sample(seed=posterior_seed))


def _columns(model, parameters, q: tfd.Distribution, z: tf.Tensor) -> tuple[tf.Tensor, ...]:
    scale = posterior(parameters).stddev()  # (batch, d)
    if model.categorical:
        # The category's columns come first in z and have no standard deviation.
        scale = tf.pad(scale, [[0, 0], [model.prior.num_categories, 0]])
    return z, q.mean(), scale


def keep_encodings(model, parameters, q: tfd.Distribution, z: tf.Tensor):
    """Writes the encodings of an evaluation step to the model's table."""
    columns = [tf.cast(c, tf.float32) for c in _columns(model, parameters, q, z)]
    rows = replicas.gather({"row": tf.concat(columns, axis=1)})
    model.validation_table.add(rows["row"])


def begin_validation(model):
    """Empties the model's table of encodings."""
    model.validation_table.reset()


def validation_information(model, show: bool) -> dict[str, float] | None:
    """Measures I_q(x;z) from the encodings that validation stored, with a subset of the samples.

    Args:
        model: `InfoVAE`.
        show: bool. `True` allows a log message on the ceiling.

    Returns:
        The information in nats by its name; None if the table is empty.
    """
    rows = model.validation_table.rows()
    if not len(rows):
        return None
    information = table_information(model, *np.split(rows, 3, axis=1), pairs=PAIRS)
    if show:
        _show_ceiling(model, information)
    return {model.information_name: information.nats}


def table_information(
    model, z: np.ndarray, loc: np.ndarray, scale: np.ndarray, pairs: int | None = None
) -> Estimate:
    """Estimates I_q(x;z) from arrays of encodings; see `InfoVAE.mutual_information`.

    Args:
        model: `InfoVAE`.
        z: array (n, d). Sample of q(z|x) of each x.
        loc: array (n, d). Mean of q(z|x).
        scale: array (n, d). Standard deviation of q(z|x).
        pairs: int. Largest number of pairs of a sample and a posterior, of which there are n^2.
            With more, only every k-th sample is used. `None` uses all.
    """
    if model.categorical:
        return category_information(loc[:, : model.prior.num_categories])
    if not model.deterministic:
        # Fewer samples z, but all posteriors: q(z) stays the full mixture.
        samples = len(z) if pairs is None else min(len(z), -(-pairs // len(z)))
        index = np.arange(samples) * len(z) // samples
        return AggregatedPosterior(z[index], loc, scale, index).lower_bound()
    note = "a deterministic encoder: infinite for a continuous x, this is of N examples"
    if getattr(model.likelihood, "binarization", None) != "stochastic":
        return replace(discrete_entropy(_distinct(loc)), note=note)
    note += " after random binarization, which makes copies of one image differ"
    return replace(discrete_entropy(_distinct(loc)), kind="lower bound", note=note)


def latent_inputs(model, images: np.ndarray, seed: int) -> np.ndarray:
    """Returns latents for the decoder (n, d), alternately drawn from the prior and from q(z|x)."""
    z = prior_distribution(model.prior).sample(len(images), seed=[seed, 2]).numpy()
    x = model.likelihood.observe(np.asarray(images, np.float32), None)
    q = code_distribution(model.encoder(x, training=False))
    z[1::2] = q.sample(seed=[seed, 3]).numpy()[1::2]
    return z


def _encodings(model, x, batch_size: int | None, limit: int, steps: int | None = None):
    tables = []
    with order_of_epoch_0(x):
        batches = iterate_images(x, batch_size or 32, steps, model.pixels.check, limit)
        for index, batch in enumerate(batches):
            columns = model._encode_table(batch, tf.constant(index))
            tables.append([column.numpy() for column in columns])
    return tuple(np.concatenate(column)[:limit] for column in zip(*tables, strict=True))


def _show_ceiling(model, information: Estimate):
    name, ceiling = model.information_name, f"{information.ceiling:.3f}"
    near = information.near_ceiling() and not model.categorical
    if near and model._ceiling_shown != "near":
        truth = "is infinite for a continuous x" if model.deterministic else "may lie above"
        LOGGER.warning(
            f"{name} = {information.nats:.3f} nats is at its ceiling ln N = {ceiling}: the "
            f"encodings distinguish all examples, and the true value {truth}."
        )
    elif not model._ceiling_shown:
        symbol = "ln K" if model.categorical else "ln N"
        LOGGER.info(f"{name} is at most {symbol} = {ceiling} nats here.")
    model._ceiling_shown = "near" if near else model._ceiling_shown or "said"


def _distinct(points: np.ndarray) -> np.ndarray:
    """Labels the rows by distinct point, (n,); rows that differ only by rounding are one point.

    A network gives the same image slightly different bits in batches of different sizes.
    """
    rows, index = np.unique(points, axis=0, return_inverse=True)
    tolerance = 1e-6 * (1 + np.abs(rows).max())
    # Equal rows are next to each other, or nearly so, after sorting by a random projection.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    order, pairs = np.argsort(rows @ direction), []
    for step in range(1, min(4, len(rows))):
        a, b = order[:-step], order[step:]
        near = np.abs(rows[a] - rows[b]).max(axis=1) <= tolerance
        pairs += [(a[near], b[near])]
    a, b = np.concatenate([np.empty((2, 0), int), *pairs], axis=1)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(rows), len(rows)))
    return connected_components(graph, directed=False)[1][index.ravel()]
