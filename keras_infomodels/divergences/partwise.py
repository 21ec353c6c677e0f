"""One divergence for each part of a code whose parts are independent under the prior."""

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
    """The sum of an adversary's losses for the category and for z, under `CategoricalNormal`.

    Each part has a discriminator of its own, that of the category telling one-hot draws from the
    encoder's probabilities. Source: Makhzani et al., "Adversarial autoencoders", 2015, figure 8.

    Args:
        category, z: an `Adversarial` each.
    """

    def __init__(self, category: Adversarial, z: Adversarial):
        self.parts = {"category": category, "z": z}
        for name, part in self.parts.items():
            if type(part) is not Adversarial:
                raise ValueError(f"The divergence of the {name} is an Adversarial, got {part!r}.")

    @classmethod
    def from_mapping(cls, parts: Mapping[str, Adversarial]) -> "Partwise":
        """From {"category": ..., "z": ...}."""
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
        """The sum of the discriminators' losses, a scalar in nats; z is taken as data."""
        losses = [
            part.discriminator_loss(columns, block, seed, training)
            for _, part, columns, block in self._blocks(z, prior)
        ]
        return tf.add_n(losses)

    def estimates(
        self, z: tf.Tensor, prior: tfd.Distribution, seed: tf.Tensor
    ) -> dict[str, Estimate]:
        """What each part's discriminator says as it stands, in nats, see `Adversarial.estimates`.

        Args:
            z: codes (n, d) that the discriminators were not trained on, the category first.
            prior: p(category, z), of batch shape () and event shape (d,).
            seed: integers (2,), of the draws from the prior.

        Returns:
            "jensen_shannon_category", "log_ratio_category", "jensen_shannon_z", "log_ratio_z".
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
