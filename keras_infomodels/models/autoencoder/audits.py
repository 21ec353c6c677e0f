"""Parts of an autoencoder that `evaluation.audit` measures."""

import numpy as np
import tensorflow as tf

from keras_infomodels import distributions, seeds
from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.divergences import Adversarial, TotalCorrelation
from keras_infomodels.information import Estimate, category_information, mean_estimate
from keras_infomodels.models.audits import EncoderParts

__all__ = ["encoder_parts"]


def encoder_parts(model, data, limit: int, batch_size: int, seed: int) -> EncoderParts:
    """Returns the encodings, the decoder and the model's own estimates.

    With a category the encodings contain the continuous z only, and I_q(x;category) is among the
    own estimates.

    Args:
        model: `InfoVAE`.
        data: images as `evaluation.audit` takes them.
        limit: int. Largest number of images.
        batch_size: int. Batch size for arrays.
        seed: int. Seed of the samples.

    Raises:
        ValueError: `data` is missing.
    """
    if data is None:
        raise ValueError("An encoder is audited on data; give an array or a dataset.")
    table = model.encoding_table(data, batch_size, limit)
    before = {"reconstruction": _reconstruction(model, data, limit, batch_size, seed)}

    def decoder(z):
        # The batch's own bits are the seed: different for every batch, and repeatable.
        noise = tf.bitcast(tf.reduce_sum(z), tf.int32)
        p = model.pixel_distribution(model.decoder(z, training=False))
        return p.sample(seed=tf.stack([noise, seed]))

    if not model.categorical:
        after = _by_adversary(model, table[0], seed)
        return EncoderParts(table, model.prior, decoder, model.prior, before, after)
    k = model.prior.num_categories
    before["I_q(x;category)"] = category_information(table[1][:, :k])
    continuous = tuple(column[:, k:] for column in table)
    return EncoderParts(continuous, None, decoder, model.prior, before)


def _reconstruction(model, data, limit: int, batch_size: int, seed: int) -> Estimate:
    @tf.function(reduce_retracing=True, autograph=False)
    def terms(x, index):
        data_seed, z_seed = tf.unstack(
            tf.random.experimental.stateless_split(seeds.fold_seed(seed, seeds.TEST, index))
        )
        x = model.likelihood.observe(x, data_seed)
        z = distributions.code_distribution(model.encoder(x, training=False)).sample(seed=z_seed)
        return -model.observation(z, x, training=False).log_prob(x)

    values = []
    with order_of_epoch_0(data):
        batches = iterate_images(data, batch_size, check=model.pixels.check, limit=limit)
        for index, x in enumerate(batches):
            values.append(terms(x, tf.constant(index)).numpy())
    return mean_estimate(np.concatenate(values)[:limit].astype(np.float64))


def _by_adversary(model, z: np.ndarray, seed: int) -> dict[str, Estimate]:
    """Estimates of the divergence of q(z) from the prior by the model's own discriminator."""
    adversary = model.divergence
    if not isinstance(adversary, Adversarial) or isinstance(adversary, TotalCorrelation):
        return {}
    prior = distributions.prior_distribution(model.prior)
    read = adversary.estimates(tf.constant(z), prior, seeds.fold_seed(seed, seeds.TABLE, 0))
    return {"JSD, adversary": read["jensen_shannon"], "marginal KL, adversary": read["log_ratio"]}
