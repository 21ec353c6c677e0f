"""The input of a generator: noise and codes as one vector."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_infomodels.distributions.codes import Categorical, Code, Uniform
from keras_infomodels.spec import check_int

fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["Latents"]


class Latents:
    """What a generator is given: noise from N(0, I), then each code, as one vector.

    Args:
        noise_dim: number of noise variables, 0 for none.
        codes: the codes, in their order.
    """

    def __init__(self, noise_dim: int, codes: Sequence[Code] = ()):
        names = [code.name for code in codes]
        if len(set(names)) < len(names):
            raise ValueError(f"Each code has a name of its own, got {names}.")
        self.noise_dim = check_int("noise_dim", noise_dim, 0)
        if not (noise_dim or codes):
            raise ValueError(f"A generator needs noise or codes; noise_dim is {noise_dim!r}.")
        self.codes = {code.name: code for code in codes}

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.noise_dim + sum(code.prior.dimension for code in self.codes.values())

    def sample(self, n: int, seed: tf.Tensor, stratified: bool = False) -> dict[str, tf.Tensor]:
        """n draws: {"noise": (n, noise_dim), name: (n, dimension of the code)}.

        Args:
            n: how many.
            seed: int32 of shape (2,).
            stratified: whether each category comes equally often (to one), in random order.
        """
        noise = tf.random.stateless_normal((n, self.noise_dim), fold_in(seed, 0))
        parts = {"noise": noise}
        for i, (name, code) in enumerate(self.codes.items()):
            own = fold_in(seed, i + 1)
            if stratified and isinstance(code.prior, Categorical):
                parts[name] = _stratified(n, code.prior.categories, own)
            else:
                parts[name] = code.prior.distribution().sample(n, seed=own)
        return parts

    def join(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The generator's input (n, dimension)."""
        names = (["noise"] if self.noise_dim else []) + list(self.codes)
        return tf.concat([parts[name] for name in names], axis=1)

    def code_values(self, name: str, value, n: int) -> np.ndarray:
        """What a person gives for a code, one value or n, as (n, dimension of the code).

        Raises:
            ValueError: no such code, a value that its prior never has, or another number of them.
        """
        if name not in self.codes:
            raise ValueError(f"The codes are {', '.join(self.codes) or 'none'}; got {name!r}.")
        prior = self.codes[name].prior
        values = np.asarray(value)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name} is a number or {n} of them, got {value!r}.")
        if values.shape not in ((), (n,)):
            raise ValueError(f"{name} is one value or {n} of them, got shape {values.shape}.")
        values = np.broadcast_to(values, (n,))
        if isinstance(prior, Categorical):
            if not np.isin(values, np.arange(prior.categories)).all():
                raise ValueError(
                    f"{name} is an integer from 0 to {prior.categories - 1}, got {value!r}."
                )
            return np.eye(prior.categories, dtype=np.float32)[values.astype(int)]
        limit = 1 if isinstance(prior, Uniform) else math.inf
        if not (np.isfinite(values).all() and (np.abs(values) <= limit).all()):
            raise ValueError(f"{name} is a number from {-limit} to {limit}, got {value!r}.")
        return values[:, None].astype(np.float32)


def _stratified(n: int, categories: int, seed: tf.Tensor) -> tf.Tensor:
    start = tf.random.stateless_uniform((), fold_in(seed, 0), 0, categories, tf.int32)
    order = tf.argsort(tf.random.stateless_uniform((n,), fold_in(seed, 1)))
    return tf.one_hot((order + start) % categories, categories)
