"""Inputs of a generator: noise and codes as one vector."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.distributions.codes import Categorical, Code, Uniform
from keras_infomodels.names import guess
from keras_infomodels.spec import check_int

fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["Latents"]


class Latents:
    """Distribution of a generator's input: noise from N(0, I), then each code, as one vector.

    Args:
        noise_dim: int. Number of noise variables; 0 for none.
        codes: sequence of `Code`. Codes, in their order in the vector.

    Raises:
        ValueError: If two codes have the same name, or there is no noise and no code.

    Example:
        from keras_infomodels.distributions import Categorical, Code, Latents

        latents = Latents(62, [Code("digit", Categorical(10))])
        generator = ki.networks.ConvGenerator(latent_dim=latents.dimension)  # 72
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
        """Length of the generator's input: `noise_dim` plus the lengths of all codes."""
        return self.noise_dim + sum(code.prior.dimension for code in self.codes.values())

    def sample(self, n: int, seed: tf.Tensor, stratified: bool = False) -> dict[str, tf.Tensor]:
        """Draws n inputs, as a dict of parts.

        The part "noise" has shape (n, noise_dim). The part of each code, by its name, has shape (n,
        dimension of the code). `join` concatenates the parts.

        Args:
            n: int. Number of draws.
            seed: int32 tensor (2,). Seed of the draws.
            stratified: bool. `True` draws every value of a categorical code equally often (up to
                one), in random order. `False` draws independently.
        """
        return replicas.own_rows(partial(self._draw, seed=seed, stratified=stratified), n)

    def _draw(self, n: int, seed: tf.Tensor, stratified: bool) -> dict[str, tf.Tensor]:
        noise = tf.random.stateless_normal((n, self.noise_dim), fold_in(seed, 0))
        parts = {"noise": noise}
        for i, (name, code) in enumerate(self.codes.items()):
            own = fold_in(seed, i + 1)
            if stratified and isinstance(code.prior, Categorical):
                parts[name] = _stratified(n, code.prior.num_categories, own)
            else:
                parts[name] = code.prior.distribution().sample(n, seed=own)
        return parts

    def join(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Concatenates the parts of `sample` to one generator input, tensor (n, dimension).

        Args:
            parts: dict from str to tensor. Result of `sample`.
        """
        names = (["noise"] if self.noise_dim else []) + list(self.codes)
        return tf.concat([parts[name] for name in names], axis=1)

    def code_values(self, name: str, value, n: int) -> np.ndarray:
        """Checks values of a code, and converts them to the rows that the generator takes.

        Args:
            name: str. Name of the code.
            value: number, or sequence of n numbers. For a categorical code, the index of the
                category. One number is used for all rows.
            n: int. Number of rows.

        Returns:
            float32 array: one-hot (n, K) for a categorical code, (n, 1) for a continuous one.

        Raises:
            ValueError: If there is no such code, a value is outside the prior's range, or the
                number of values is neither 1 nor n.
        """
        if name not in self.codes:
            raise ValueError(
                f"The codes are {', '.join(self.codes) or 'none'}; got {name!r}."
                f"{guess(name, self.codes)}"
            )
        prior = self.codes[name].prior
        values = np.asarray(value)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name} is a number or {n} of them, got {value!r}.")
        if values.shape not in ((), (n,)):
            raise ValueError(f"{name} is one value or {n} of them, got shape {values.shape}.")
        values = np.broadcast_to(values, (n,))
        if isinstance(prior, Categorical):
            if not np.isin(values, np.arange(prior.num_categories)).all():
                raise ValueError(
                    f"{name} is an integer from 0 to {prior.num_categories - 1}, got {value!r}."
                )
            return np.eye(prior.num_categories, dtype=np.float32)[values.astype(int)]
        limit = 1 if isinstance(prior, Uniform) else math.inf
        if not (np.isfinite(values).all() and (np.abs(values) <= limit).all()):
            raise ValueError(f"{name} is a number from {-limit} to {limit}, got {value!r}.")
        return values[:, None].astype(np.float32)


def _stratified(n: int, categories: int, seed: tf.Tensor) -> tf.Tensor:
    start = tf.random.stateless_uniform((), fold_in(seed, 0), 0, categories, tf.int32)
    order = tf.argsort(tf.random.stateless_uniform((n,), fold_in(seed, 1)))
    return tf.one_hot((order + start) % categories, categories)
