"""Pictures of an autoencoder, as arrays; `plots` has a function of each name."""

from collections.abc import Sequence

import numpy as np

from keras_infomodels.distributions import MultivariateNormal, prior_distribution
from keras_infomodels.models.pictures import samples
from keras_infomodels.pictures import Grid, Scatter

__all__ = ["PICTURES", "autoencoder_pictures"]

_ROWS = 16
"""Number of latent variables that are drawn of a model with more: those that vary most."""


def reconstructions(model, images: np.ndarray) -> Grid:
    """Draws up to 32 images, each with its reconstruction below it."""
    images = np.asarray(images[:32], np.float32)
    columns = min(16, len(images))
    images = images[: len(images) // columns * columns]
    # (2, n, ...) -> rows of images, each followed by a row of reconstructions.
    pairs = np.stack([images, model.reconstruct(images).numpy()])
    pairs = pairs.reshape(2, -1, columns, *images.shape[1:]).swapaxes(0, 1)
    title = "Images, and below them reconstructions"
    return Grid(pairs.reshape(-1, *images.shape[1:]), columns, title)


def traversals(
    model, image: np.ndarray, steps: int = 11, latents: Sequence[int] | None = None
) -> Grid:
    """Draws a row for each latent variable, from -2.5 to 2.5; the others are an image's mean.

    With a fitted prior the range is its mean plus and minus 2.5 standard deviations.
    """
    mean = model.encode(np.asarray(image, np.float32)[None]).mean().numpy()[0]
    latents = np.arange(len(mean)) if latents is None else np.asarray(latents)
    known = np.isin(latents, np.arange(len(mean))).all()
    if latents.ndim != 1 or not latents.size or not known:
        raise ValueError(
            f"latents has one or more indices from 0 to {len(mean) - 1}, got {latents.tolist()}."
        )
    z = np.tile(mean, (len(latents), steps, 1))  # (rows, steps, latent_dim)
    z[np.arange(len(latents)), :, latents] = np.linspace(-2.5, 2.5, steps)
    extent = "from -2.5 to 2.5"
    if isinstance(model.prior, MultivariateNormal):
        loc, stddev = model.prior.loc, np.linalg.norm(model.prior.scale_tril, axis=1)
        z[np.arange(len(latents)), :, latents] *= stddev[latents, None]
        z[np.arange(len(latents)), :, latents] += loc[latents, None]
        extent = "within 2.5 standard deviations of the prior"
    images = model.mean_image(z.reshape(-1, len(mean))).numpy()
    title = f"One row for each of the {len(mean)} latent variables, {extent}"
    if len(latents) < len(mean):
        names = ", ".join(str(each) for each in latents + 1)
        title = f"Latent variables {names} of {len(mean)}, {extent}"
    return Grid(images, steps, title)


def categories(model, columns: int = 10, seed: int = 0) -> Grid:
    """Draws a row for each category of a `CategoricalNormal`, with the same draws of z in each."""
    count = model.prior.num_categories
    z = prior_distribution(model.prior).sample(columns, seed=[seed, 0]).numpy()[:, count:]
    latents = np.hstack([np.repeat(np.eye(count), columns, axis=0), np.tile(z, (count, 1))])
    images = model.mean_image(latents.astype(np.float32)).numpy()
    return Grid(images, columns, f"One row for each of the {count} categories")


def latent_map(model, images: np.ndarray, labels: np.ndarray | None) -> Scatter:
    """Draws posterior means in the plane of two latent variables, a panel for each category."""
    q = model.encode(np.asarray(images, np.float32))
    if model.categorical:
        found = q["category"].logits.numpy().argmax(axis=1)
        panels = {f"category {k}": found == k for k in range(model.prior.num_categories)}
        q = q["z"]
    else:
        panels = {"Posterior means of test images": np.full(len(images), True)}
    return Scatter(q.mean().numpy()[:, :2], labels, panels)


def latent_plane(model, steps: int = 15) -> Grid:
    """Draws decoded images over the plane of two latent variables: z_1 right, z_2 up."""
    draws = prior_distribution(model.prior).sample(100_000, seed=[0, 0]).numpy()
    low, high = np.percentile(draws, (1, 99), axis=0)
    right, up = np.linspace(low, high, steps).T
    z = np.stack(np.meshgrid(right, up[::-1]), axis=-1).reshape(-1, 2)
    images = model.mean_image(z.astype(np.float32)).numpy()
    across = f"z_1 from {low[0]:.1f} to {high[0]:.1f}, left to right"
    title = f"{across}; z_2 from {low[1]:.1f} to {high[1]:.1f}, bottom to top"
    return Grid(images, steps, title)


PICTURES = {
    "samples": samples,
    "reconstructions": reconstructions,
    "traversals": traversals,
    "categories": categories,
    "latent_map": latent_map,
    "latent_plane": latent_plane,
}
"""Functions of the model and of arguments of their own, by kind of picture."""


def autoencoder_pictures(
    model, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Grid | Scatter]:
    """Draws all pictures of an autoencoder, by name."""
    pictures = {"samples": samples(model), "reconstructions": reconstructions(model, images)}
    if model.categorical:
        pictures["categories"] = categories(model)
        if model.prior.continuous_dim == 2:
            pictures["latent_map"] = latent_map(model, images, labels)
    elif model.latent_dim == 2:
        pictures["latent_map"] = latent_map(model, images, labels)
        pictures["latent_plane"] = latent_plane(model)
    else:
        most = None
        if model.latent_dim > _ROWS:
            means = model.encode(np.asarray(images[:1000], np.float32)).mean().numpy()
            most = means.var(axis=0).argsort()[::-1][:_ROWS]
        pictures["traversals"] = traversals(model, images[0], latents=most)
    return pictures
