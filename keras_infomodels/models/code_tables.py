"""Point estimates of the latents or codes that a model infers from images."""

from collections.abc import Mapping

import numpy as np
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["code_table"]

_BATCH = 256


def code_table(model, images: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Returns the posterior means of latents or codes, and the most likely value of a category.

    Args:
        model: an autoencoder or an InfoGAN.
        images: float32 array (n, ...). Images as `fit` takes them.

    Returns:
        float64 array (n, d), and the names of its d columns. A category is one column, its index.

    Raises:
        ValueError: If the model infers neither latents nor codes.
    """
    infer = getattr(model, "encode", None) or getattr(model, "infer_codes", None)
    if infer is None:
        raise ValueError(
            f"This {type(model).__name__} infers no codes from images; take an autoencoder or an "
            "InfoGAN."
        )
    parts = []
    for start in range(0, len(images), _BATCH):
        q = infer(images[start : start + _BATCH])
        q = q if isinstance(q, Mapping) else {"z": q}
        parts.append({name: _point(each) for name, each in q.items()})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = []
    for name, column in columns.items():
        width = column.shape[1]
        names += [name] if width == 1 else [f"{name}{i}" for i in range(width)]
    return np.hstack(list(columns.values())).astype(np.float64), names


def _point(q: tfd.Distribution) -> np.ndarray:
    """Mean of a distribution, (n, d), or index of the most likely category, (n, 1)."""
    if isinstance(q, tfd.OneHotCategorical):
        return q.logits_parameter().numpy().argmax(axis=1)[:, None]
    mean = q.mean().numpy()
    return mean.reshape(len(mean), -1)
