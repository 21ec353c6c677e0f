"""Tables of the codes that a model infers from images."""

from collections.abc import Mapping

import numpy as np
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["code_table"]

_BATCH = 256


def code_table(model, images: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Point estimates of the codes of images: posterior means, and a category's likeliest value.

    Args:
        model: an autoencoder or an InfoGAN: what has `encode` or `infer_codes`.
        images: float32 (n, ...), as `fit` takes them.

    Returns:
        float64 (n, d), and the names of the d codes. A category is one code, its number.

    Raises:
        ValueError: a model that infers no codes.
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
    """A distribution's mean, (n, d), or a category's number, (n, 1)."""
    if isinstance(q, tfd.OneHotCategorical):
        return q.logits_parameter().numpy().argmax(axis=1)[:, None]
    mean = q.mean().numpy()
    return mean.reshape(len(mean), -1)
