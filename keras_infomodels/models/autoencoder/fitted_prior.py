"""A normal prior fitted to the latent variables of images, as a method of `InfoVAE`."""

import numpy as np

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.defaults import EXAMPLES, MOST_CORRELATED
from keras_infomodels.distributions import MultivariateNormal, StandardNormal, posterior
from keras_infomodels.spec import check_int

__all__ = ["fit_prior"]


def fit_prior(model, x, batch_size: int | None = None, limit: int = EXAMPLES) -> MultivariateNormal:
    """Replaces the prior by the normal distribution with the mean and covariance of q(z).

    q(z) is the distribution of the latent variables z of all images together, the mean of q(z|x).
    After training it often differs from N(0, I): latent variables are correlated, and most draws of
    N(0, I) are far from the latent variables of any image, so that they are decoded to noise.
    `generate` and exported files draw from the fitted prior. It is also that of the rate, which
    falls by

        E KL(q(z|x) || N(0, I)) - E KL(q(z|x) || p(z)) = KL(p(z) || N(0, I))

    on these images, for the fitted prior p(z). Of all normal distributions it has the smallest
    rate. The networks and I_q(x;z) stay as they are.

    Call it after training. The prior is saved with the model, but `save_weights` does not save it.

    Args:
        model: `InfoVAE`.
        x: array (n, *data_shape), `tf.data.Dataset` or Keras `PyDataset`. Training images.
        batch_size: int. Batch size for arrays. `None` is 32.
        limit: int. Largest number of images that are used.

    Returns:
        The new prior, which `model.prior` now is.

    Raises:
        ValueError: If the model needs its prior (a `DIPVAE` or `QLAE`), the prior is not normal,
            there are more than 256 latent variables, images do not fit, or the encoder returns NaN.

    Source: Ghosh et al., "From variational to deterministic autoencoders", 2020, section 4.

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "train")
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        model.fit_prior(images / 255)
        model.generate(8, seed=0)  # shape (8, 28, 28, 1)
    """
    _check(model)
    limit = check_int("limit", limit, 1)
    batch_size = check_int("batch_size", 32 if batch_size is None else batch_size, 1)
    model.check_data(x)
    mean, covariance = _moments(model, x, batch_size, limit)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError("The encoder returns NaN or infinite latent variables, which have no fit.")
    # Latent variables that a deterministic encoder does not use have no variance.
    covariance += 1e-6 * np.eye(len(mean)) * max(np.trace(covariance) / len(mean), 1e-6)
    model.prior = MultivariateNormal(mean, np.linalg.cholesky(covariance))
    # Keras would go on with graphs that contain the old prior.
    model.train_function = model.test_function = model.predict_function = None
    return model.prior


def _check(model):
    """Raises ValueError for a model whose prior cannot be fitted."""
    name = type(model).__name__
    if not model.takes_fitted_prior:
        raise ValueError(f"This {name} keeps its prior, for which its encoder is trained.")
    if not isinstance(model.prior, StandardNormal | MultivariateNormal):
        raise ValueError(
            f"This {name} with the prior {type(model.prior).__name__} keeps it: only a normal "
            "prior can be fitted."
        )
    if model.latent_dim > MOST_CORRELATED:
        raise ValueError(
            f"A prior can be fitted to at most {MOST_CORRELATED} latent variables, and this {name} "
            f"has {model.latent_dim}."
        )


def _moments(model, x, batch_size: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of q(z), in float64."""
    count, mean, square = 0, np.zeros(model.latent_dim), np.zeros((model.latent_dim,) * 2)
    with order_of_epoch_0(x):
        for images in iterate_images(x, batch_size, None, model.pixels.check, limit):
            q = posterior(model.traced(model._parameters, images[: limit - count]))
            loc, scale = (np.asarray(a, np.float64) for a in (q.mean(), q.stddev()))
            count += len(loc)
            mean += loc.sum(axis=0)
            square += loc.T @ loc + np.diag((scale**2).sum(axis=0))
    mean /= count
    return mean, square / count - np.outer(mean, mean)
