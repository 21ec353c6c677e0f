"""Separate divergences for the parts of a latent vector that are independent under the prior."""

from collections.abc import Mapping

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.divergences.adversarial import Adversarial
from keras_infomodels.divergences.divergence import Divergence
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.registry import built_in

__all__ = ["Partwise"]

tfd = tfp.distributions
PARTS = ("category", "z")


@built_in
class Partwise(Divergence):
    """Sum of two adversarial divergences, for models with the prior `CategoricalNormal`.

    One discriminator compares the category's probabilities with one-hot draws of the prior. The
    other compares the continuous latents z with draws of N(0, I). Source: Makhzani et al.,
    "Adversarial autoencoders", 2015, figure 8.

    Args:
        category: `Adversarial`. Divergence of the category.
        z: `Adversarial`. Divergence of z.

    Raises:
        ValueError: If a part is not an `Adversarial`.

    Example:
        parts = {
            "category": ki.divergences.Adversarial(ki.networks.MLPDiscriminator(10), noise=0.3),
            "z": ki.divergences.Adversarial(ki.networks.MLPDiscriminator(8)),
        }
        divergence = ki.divergences.divergence(parts)
    """

    def __init__(self, category: Adversarial, z: Adversarial):
        self.parts = {"category": category, "z": z}
        for name, part in self.parts.items():
            if type(part) is not Adversarial:
                raise ValueError(f"The divergence of the {name} is an Adversarial, got {part!r}.")

    @classmethod
    def from_mapping(cls, parts: Mapping[str, Adversarial]) -> "Partwise":
        """Creates the divergence from a dict {"category", "z"} of two `Adversarial`.

        Args:
            parts: dict. "category" and "z", each an `Adversarial`.
        """
        if set(parts) != set(PARTS):
            raise ValueError(f"A dict of divergences has the keys {PARTS}, got {sorted(parts)}.")
        return cls(**parts)

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        return {f"{name}_discriminator": part.discriminator for name, part in self.parts.items()}

    def check(self, prior: tfd.Distribution, latent_dim: int):
        if not isinstance(prior, tfd.Blockwise):
            raise ValueError("Divergences by part need the prior CategoricalNormal.")
        for part, block in zip(self.parts.values(), prior.distributions, strict=True):
            part.check(block, block.event_shape[0])

    def terms(self, z, posterior, prior, seed, training=True):
        terms = {
            f"divergence_{name}": part.terms(columns, posterior, block, seed, training)[
                "divergence"
            ]
            for name, part, columns, block in self._blocks(z, prior)
        }
        return {"divergence": tf.add_n(list(terms.values())), **terms}

    def term_names(self) -> list[str]:
        return ["divergence", *(f"divergence_{name}" for name in self.parts)]

    def __call__(self, z, posterior, prior, seed):
        return self.terms(z, posterior, prior, seed)["divergence"]

    def discriminator_loss(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor, training: bool = True
    ) -> tf.Tensor:
        """Computes the sum of the discriminators' losses, a scalar in nats; no gradient flows to z.

        Args:
            z: tensor (n, K + d). Latents: K probabilities of the category, then d continuous
                latents.
            prior: TFP distribution. p(category, z).
            seed: int32 tensor (2,). Seed of the draws and of the noise.
            training: bool. Training mode of the discriminators' layers.
        """
        losses = [
            part.discriminator_loss(columns, block, seed, training)
            for _, part, columns, block in self._blocks(z, prior)
        ]
        return tf.add_n(losses)

    def estimates(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor
    ) -> dict[str, Estimate]:
        """Estimates the divergence of each part; see `Adversarial.estimates`.

        Args:
            z: tensor (n, K + d). Latents that the discriminators were not trained on, the category
                first.
            prior: TFP distribution of batch shape () and event shape (K + d,). p(category, z).
            seed: int32 tensor (2,). Seed of the draws from the prior.

        Returns:
            dict of `Estimate` in nats, with the keys "jensen_shannon_category",
            "log_ratio_category", "jensen_shannon_z" and "log_ratio_z".
        """
        return {
            f"{quantity}_{name}": estimate
            for name, part, columns, block in self._blocks(z, prior)
            for quantity, estimate in part.estimates(columns, block, seed).items()
        }

    def _blocks(self, z: tf.Tensor, prior: tfd.Distribution):
        blocks = prior.distributions
        columns = tf.split(z, [block.event_shape[0] for block in blocks], axis=1)
        return zip(self.parts, self.parts.values(), columns, blocks, strict=True)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {name: serialize(part) for name, part in self.parts.items()}

    @classmethod
    def from_config(cls, config: dict) -> "Partwise":
        revive = keras.saving.deserialize_keras_object
        return cls(**{name: revive(part) for name, part in config.items()})
