"""Inputs to call signatures with: real images, and draws from priors."""

import numpy as np

from keras_infomodels.export.contents import Contents

__all__ = ["as_bytes", "draw_inputs", "noise_images"]


def draw_inputs(
    contents: Contents, name: str, images: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """Creates inputs to call a signature with, one example for each image.

    Image inputs are the given images. Latents are drawn alternately from the prior and from the
    encoder's q(z|x). A generator's codes and noise are drawn from their priors.

    Args:
        contents: `Contents`. The export.
        name: str. Name of the signature.
        images: float32 array. Images as `model.fit` takes them.
        seed: int. Seed of the draws.
    """
    draws, arrays = np.random.default_rng(seed), {}
    for each in contents.signatures[name].inputs:
        shape = (len(images), *each.shape)
        if each.kind == "image":
            array = as_bytes(images) if contents.uint8 else np.asarray(images, np.float32)
        elif each.kind == "latent":
            array = contents.model.latent_inputs(images, seed)
        elif each.kind == "category":
            (count,) = each.shape
            array = np.eye(count)[draws.integers(count, size=len(images))]
        elif each.kind == "uniform":
            array = draws.uniform(-1, 1, shape)
        elif each.kind == "normal":
            array = draws.standard_normal(shape)
        else:
            array = np.int32(16) if each.kind == "count" else np.int32([seed, 1])
        is_float = np.issubdtype(array.dtype, np.floating)
        arrays[each.name] = array.astype(np.float32) if is_float else array
    return arrays


def noise_images(model, count: int) -> np.ndarray:
    """Creates images of random pixels that the model accepts, to compare exports without data."""
    random = np.random.default_rng(0)
    shape = (count, *model.data_shape)
    draws = {"real": random.normal, "unit": random.uniform}
    draws["binary"] = lambda size: random.integers(2, size=size)
    draws["bytes"] = lambda size: random.integers(256, size=size) / 255
    return draws[model.pixels.support](size=shape).astype(np.float32)


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Converts images in [0, 1] to bytes."""
    return np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
