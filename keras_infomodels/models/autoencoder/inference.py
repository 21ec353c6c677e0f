"""Inference of an autoencoder: encoding, decoding and drawing images.

The functions are methods of `InfoVAE`.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions import posterior
from keras_infomodels.models.checks import float_images
from keras_infomodels.spec import check_int

tfd = tfp.distributions

__all__ = ["decode", "encode", "generate", "interpolate", "reconstruct"]


def encode(model, x: tf.Tensor) -> tfd.Distribution | dict[str, tfd.Distribution]:
    """Computes q(z|x), the distribution of the latent variables z of each image x.

    Args:
        model: `InfoVAE`.
        x: tensor (batch, *data_shape). Images.

    Returns:
        TFP distribution with batch shape (batch,) and event shape (latent_dim,); `.mean()` and
        `.sample()` give tensors (batch, latent_dim). With the prior `CategoricalNormal`, a dict of
        two distributions: "category", one-hot of event shape (K,), and "z".

    Raises:
        ValueError: If the images have another shape or pixels that the likelihood does not allow.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        images = model.generate(8, seed=0)
        model.encode(images).mean()  # shape (8, 2)
    """
    parameters = model.traced(model._parameters, float_images(model, x))
    if not model.categorical:
        return posterior(parameters)
    category = tfd.OneHotCategorical(parameters["logits"], dtype=tf.float32)
    return {"category": category, "z": posterior(parameters)}


def decode(model, z: tf.Tensor) -> tfd.Distribution:
    """Computes p(x|z), the distribution of images x for given latent variables z.

    Args:
        model: `InfoVAE`.
        z: tensor (batch, latent_dim). Latent variables. With a category, its one-hot vector comes
            first.

    Returns:
        TFP distribution with batch shape (batch,) and event shape data_shape; `.mean()` gives
        images.

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        model.decode([[0.0, 0.0]]).mean()  # an image, shape (1, 28, 28, 1)
    """
    return model.pixel_distribution(model.traced(model._decoded, tf.convert_to_tensor(z)))


def reconstruct(model, x: tf.Tensor, sample: bool = False, seed: int | None = None) -> tf.Tensor:
    """Encodes images and decodes them again.

    The result is E[x|z], the mean of the decoder's distribution.

    Args:
        model: `InfoVAE`.
        x: tensor (batch, *data_shape). Images.
        sample: bool. `True` draws z from q(z|x). `False` decodes the mean of q(z|x).
        seed: int. Seed of the draw. `None` draws a new one.

    Returns:
        float32 tensor (batch, *data_shape). Mean pixel values.
    """
    if not sample:
        return model.traced(model._reconstruction, float_images(model, x))
    return model.traced(model._drawn, float_images(model, x), model.drawing_seed(seed))


def generate(model, n: int, seed: int | None = None) -> tf.Tensor:
    """Generates images: draws z from the prior and decodes it.

    The result is E[x|z], the mean of the decoder's distribution, so no pixel noise is added.

    Args:
        model: `InfoVAE`.
        n: int, at least 1. Number of images.
        seed: int. Seed of the draws. `None` draws a new one.

    Returns:
        float32 tensor (n, *data_shape).

    Example:
        model = ki.from_preset("mmd_vae_2d_mnist")
        images = model.generate(8, seed=0)  # shape (8, 28, 28, 1), in [0, 1]
    """
    n = check_int("n", n, 1)
    return model.traced(model._generated, tf.constant(n), model.drawing_seed(seed))


def interpolate(model, a: tf.Tensor, b: tf.Tensor, steps: int) -> tf.Tensor:
    """Decodes points on the straight line between the posterior means of two images.

    Args:
        model: `InfoVAE`.
        a: tensor of shape data_shape. First image.
        b: tensor of shape data_shape. Last image.
        steps: int, at least 2. Number of images, the reconstructions of a and b included.

    Returns:
        float32 tensor (steps, *data_shape).

    Raises:
        ValueError: If `steps` is below 2.
    """
    if steps < 2:
        raise ValueError(f"steps counts both ends, so it is at least 2; got {steps}.")
    start, end = model._posterior(float_images(model, tf.stack([a, b]))).mean()
    return model.mean_image(tf.linspace(start, end, steps))
