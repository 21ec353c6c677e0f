"""The adversarial autoencoder: InfoVAE at alpha = 1, lambda = 1 with an adversary."""

import math
from collections.abc import Mapping

import keras
import tensorflow as tf

from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.divergences import Adversarial
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.tables import add_discriminator
from keras_infomodels.models.classification import classification_terms
from keras_infomodels.models.consistency import MOVES, category_consistency, moved
from keras_infomodels.networks import MLPDiscriminator
from keras_infomodels.spec import check_not_negative, whole

__all__ = ["AdversarialAutoencoder"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class AdversarialAutoencoder(InfoVAE):
    """The AAE: loss = reconstruction + lambda times the encoder's adversarial loss.

    `InfoVAE(alpha=1, lambda_, divergence=Adversarial(...))`, to the bit. A discriminator tells z
    from draws of the prior, which therefore needs no density: any spec of
    `keras_infomodels.distributions` serves. The encoder is what it returns: {"loc", "scale"} makes
    it stochastic, {"loc"} alone deterministic (`model.deterministic` says which), and then the
    rate is absent. `discriminator_loss` is 2 ln 2 - 2 JSD(q(z), p(z)) at the discriminator's
    optimum: 1.386 nats where they match.
    Source: Makhzani et al., "Adversarial autoencoders", 2015.

    Args:
        encoder, decoder, prior, likelihood, seed: see `InfoVAE`.
        discriminator: Keras model from z to a logit (batch, 1); None is `MLPDiscriminator`. With
            the prior `CategoricalNormal` a dict of two, {"category", "z"}.
        loss: the encoder's loss by name, see `divergences.Adversarial`.
        category_noise: the `noise` of the category's `Adversarial`.
        lambda_: weight of that loss beside the reconstruction, which is summed over pixels.
        classification_weight: of the cross-entropy between the category and the labels, for
            semi-supervised training: above 0 `fit` takes pairs (x, y) with y = -1 for unlabeled
            examples, and the ledger has `classification` (nats) and `accuracy`, means over the
            labeled examples. At 0 labels are ignored.
        consistency_weight: of `consistency.category_consistency` between an image and a moved
            one; needs images and a `CategoricalNormal`. Not in the paper: 0 is off.
        consistency: how it is moved: "adversarial" (`consistency.adversarial_shift`, which knows
            nothing of images), "affine" (`consistency.random_affine`, an augmentation) or "both".
        consistency_radius: of the adversarial shift, a distance between images.
        evenness_slack: of `consistency.category_consistency`, in nats; for a number of categories
            that is no multiple of the number of kinds.
        consistency_warmup_steps: training steps over which its weight rises from 0 in a line. At
            full weight from the start the category may stay undecided: a category that is as
            likely as any other for every image withstands all.
    """

    short_settings = (*InfoVAE.short_settings, "discriminator_widths")
    training_defaults: Mapping = {"discriminator_optimizer": {"learning_rate": 1e-3}}

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """The `[model]` table of a recipe with the networks that it leaves out."""
        return add_discriminator(super().complete(table, image_shape))

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        discriminator=None,
        loss: str = "non_saturating",
        category_noise: float = 0.3,
        lambda_: float = 1.0,
        classification_weight: float = 0.0,
        consistency_weight: float = 0.0,
        consistency: str = "adversarial",
        consistency_radius: float = 1.0,
        evenness_slack: float = 0.0,
        consistency_warmup_steps: int = 0,
        seed: int = 0,
        **kwargs,
    ):
        consistency_warmup_steps = whole("consistency_warmup_steps", consistency_warmup_steps, 0)
        check_not_negative("evenness_slack", evenness_slack)
        check_not_negative("category_noise", category_noise)
        if not 0 < consistency_radius < math.inf:
            raise ValueError(f"consistency_radius is above 0, got {consistency_radius!r}.")
        if consistency not in MOVES:
            raise ValueError(f"consistency is one of {MOVES}, got {consistency!r}.")
        weights = {
            "classification_weight": float(classification_weight),
            "consistency_weight": float(consistency_weight),
        }
        for name, weight in weights.items():
            check_not_negative(name, weight)
            if weight and not isinstance(prior, CategoricalNormal):
                raise ValueError(f"{name} is of a category: take a CategoricalNormal as the prior.")
        if discriminator is None:
            discriminator = _default_discriminator(prior, decoder)
        if isinstance(discriminator, Mapping):
            noise = {"category": category_noise}
            divergence = {
                part: Adversarial(each, loss, noise.get(part, 0.0))
                for part, each in discriminator.items()
            }
        else:
            divergence = Adversarial(discriminator, loss)
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )
        self.category_noise = float(category_noise)
        self.classification_weight = weights["classification_weight"]
        self.consistency_weight = weights["consistency_weight"]
        self.consistency = consistency
        self.consistency_radius = float(consistency_radius)
        moves_images = bool(self.consistency_weight) and consistency != "adversarial"
        if moves_images and len(self.data_shape) != 3:
            raise ValueError(
                f"consistency={consistency!r} moves images, and the data have shape "
                f'{self.data_shape}; take "adversarial".'
            )
        self.evenness_slack = float(evenness_slack)
        if moves_images:
            self.supports_jit = False  # XLA has no affine transform of images
        self.consistency_warmup_steps = int(consistency_warmup_steps)

    @property
    def label_classes(self):
        return self.prior.categories if self.classification_weight else None

    def ledger_names(self) -> list[str]:
        names = super().ledger_names()
        names += ["consistency"] if self.consistency_weight else []
        return names + (["classification", "accuracy"] if self.classification_weight else [])

    def encoder_terms(self, parameters, x, labels, seed, training):
        loss, terms = 0.0, {}
        if self.consistency_weight:
            logits = parameters["logits"]

            def classify(images):
                return self.encoder(images, training=training)["logits"]

            radius = self.consistency_radius
            moved_logits = classify(moved(x, logits, classify, seed, self.consistency, radius))
            consistency = category_consistency(logits, moved_logits, self.evenness_slack)
            weight = self.consistency_weight
            if training and self.consistency_warmup_steps:
                steps = tf.cast(self.optimizer.iterations, tf.float32)
                weight *= tf.minimum(steps / self.consistency_warmup_steps, 1.0)
            loss, terms = weight * consistency, {"consistency": consistency}
        if self.classification_weight:
            more = classification_terms(parameters["logits"], labels)
            loss, terms = loss + self.classification_weight * more["classification"], terms | more
        return loss, terms

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "divergence")}
        serialize = keras.saving.serialize_keras_object
        if self.categorical:
            parts = self.divergence.parts
            discriminator = {name: serialize(part.discriminator) for name, part in parts.items()}
            loss = parts["z"].loss
        else:
            discriminator, loss = serialize(self.discriminator), self.divergence.loss
        return config | {
            "discriminator": discriminator,
            "loss": loss,
            "category_noise": self.category_noise,
            "classification_weight": self.classification_weight,
            "consistency_weight": self.consistency_weight,
            "consistency": self.consistency,
            "consistency_radius": self.consistency_radius,
            "evenness_slack": self.evenness_slack,
            "consistency_warmup_steps": self.consistency_warmup_steps,
        }


def _default_discriminator(prior, decoder) -> keras.Model | dict[str, keras.Model]:
    if isinstance(prior, CategoricalNormal):
        return {
            "category": MLPDiscriminator(latent_dim=prior.categories),
            "z": MLPDiscriminator(latent_dim=prior.dimension),
        }
    (latent_dim,) = decoder.input_shape[1:]
    return MLPDiscriminator(latent_dim=latent_dim)
