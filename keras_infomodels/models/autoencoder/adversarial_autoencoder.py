"""The adversarial autoencoder: InfoVAE at alpha = 1, lambda = 1 with an adversary."""

from collections.abc import Mapping
from typing import Literal

import keras

from keras_infomodels import distributions
from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.divergences import Adversarial
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.autoencoder.tables import add_discriminator, scale_weight
from keras_infomodels.models.autoencoder.weights import scaled_weight
from keras_infomodels.models.old_arguments import renew_and_warn
from keras_infomodels.models.tables import add_terms
from keras_infomodels.networks import MLPDiscriminator
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_nonnegative
from keras_infomodels.training.classification import Classification, classification_terms
from keras_infomodels.training.consistency import Consistency

__all__ = ["AdversarialAutoencoder"]


@built_in
class AdversarialAutoencoder(InfoVAE):
    """Adversarial autoencoder (AAE): loss = reconstruction + lambda * the encoder's GAN loss.

    The reconstruction is -E log p(x|z) in nats per image x. A discriminator learns to tell the
    latent variables z of images from draws of the prior p(z). The encoder's GAN loss rewards
    latents that the discriminator takes for draws of the prior. The prior needs no density, so any
    prior of `keras_infomodels.distributions` can be used. Training is bit-identical to that of
    `InfoVAE(alpha=1, lambda_, divergence=Adversarial(...))`.

    An encoder that returns {"loc", "scale"} is stochastic: z is drawn from q(z|x) = N(loc,
    scale^2). An encoder that returns {"loc"} alone is deterministic, and z is loc. Then the
    metric `rate`, KL(q(z|x) || p(z)), is undefined and absent; `model.deterministic` is True. The
    metric `discriminator_loss` of an optimal discriminator is 2 ln 2 - 2 JSD(q(z), p(z)). JSD is
    the Jensen-Shannon divergence, and q(z) is the distribution of z over all images. The value is
    1.386 nats if q(z) equals the prior.

    Source: Makhzani et al., "Adversarial autoencoders", 2015.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"} or
            {"loc"}, each (batch, latent_dim). With the prior `CategoricalNormal` it also returns
            "logits" of the K categories; see `InfoVAE`.
        decoder: Keras model. Maps latent variables z (batch, latent_dim) to a dict of the
            parameters that `likelihood` needs, such as {"logits"} for Bernoulli pixels.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z) of
            the latent variables. `None` is the standard normal N(0, I).
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        discriminator: Keras model. Maps z (batch, latent_dim) to logits (batch, 1). With the prior
            `CategoricalNormal` it is a dict of two models, "category" and "z". `None` is
            `MLPDiscriminator`.
        loss: str. GAN loss of the encoder: "non_saturating", "saturating" or "log_ratio"; see
            `divergences.Adversarial`.
        category_noise: float, at least 0. Standard deviation of the Gaussian noise added to the
            inputs of the category's discriminator. Used only with the prior `CategoricalNormal`;
            see `divergences.Adversarial`.
        lambda_: float or "auto". Weight of the encoder's GAN loss. "auto" is 1 for 28x28x1 images
            and grows with the number of pixels.
        classification: `Classification`. Loss term that ties the category to labels, for
            semi-supervised training. It requires the prior `CategoricalNormal`. `None` means no
            term.
        consistency: `Consistency`. Loss term that keeps the category the same under small changes
            of the images. It requires the prior `CategoricalNormal`. Without this term or labels
            the categories do not match classes. `None` means no term.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If settings or shapes do not fit together.

    Example:
        model = ki.from_preset("aae_clusters_mnist")
        model.encode(model.generate(8, seed=0))["category"].probs_parameter()  # shape (8, 30)

        # Or a new model to train:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10, min_stddev=None)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.AdversarialAutoencoder(encoder, decoder)
        model.compile("adam", keras.optimizers.Adam(1e-3, 0.5))
    """

    title = "Adversarial autoencoder"
    citation = (
        "A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow and B. Frey, Adversarial "
        "autoencoders, 2015, https://arxiv.org/abs/1511.05644"
    )

    short_settings = (*InfoVAE.short_settings, "discriminator_widths")
    training_defaults: Mapping = {"discriminator_optimizer": {"learning_rate": 1e-3}}

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """Returns the `[model]` table of a recipe, with default networks where it names none.

        Args:
            table: dict. Table `[model]` of a recipe.
            image_shape: (height, width, channels). Shape of an image.
        """
        table = add_discriminator(super().complete(table, image_shape))
        return add_terms(scale_weight(table, image_shape), cls.default_augmentations)

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        discriminator=None,
        loss: str = "non_saturating",
        category_noise: float = 0.3,
        lambda_: float | Literal["auto"] = 1.0,
        classification: Classification | None = None,
        consistency: Consistency | None = None,
        seed: int = 0,
        **kwargs,
    ):
        kwargs = renew_and_warn(
            type(self), classification=classification, consistency=consistency, **kwargs
        )
        check_nonnegative("category_noise", category_noise)
        self_supervised = {name: kwargs.pop(name) for name in ("classification", "consistency")}
        for name, term in self_supervised.items():
            if term is not None and not isinstance(prior, CategoricalNormal):
                raise ValueError(f"{name} needs a category: take a CategoricalNormal as the prior.")
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
        likelihood = distributions.likelihood(likelihood)
        lambda_ = scaled_weight(lambda_, 1.0, encoder, likelihood)
        super().__init__(
            encoder, decoder, prior, likelihood, 1.0, lambda_, divergence, seed, **kwargs
        )
        self.category_noise = float(category_noise)
        self.classification = self_supervised["classification"]
        self.consistency = self_supervised["consistency"]
        if self.consistency is not None and self.consistency.uses_affine:
            if len(self.data_shape) != 3:
                raise ValueError(
                    f"{self.consistency!r} transforms images, and the data have shape "
                    f'{self.data_shape}; take augmentations="adversarial".'
                )
            self.supports_jit = False  # XLA has no affine transform of images

    @property
    def label_classes(self):
        return self.prior.num_categories if self.classification else None

    def term_names(self) -> list[str]:
        names = super().term_names()
        names += ["consistency"] if self.consistency else []
        return names + (["classification", "accuracy"] if self.classification else [])

    def encoder_terms(self, parameters, x, labels, seed, training):
        loss, terms = 0.0, {}
        if self.consistency:

            def classify(images):
                return self.encoder(images, training=training)["logits"]

            consistency = self.consistency(x, parameters["logits"], classify, seed)
            weight = self.consistency.weight * self.consistency.warmup(self, training)
            loss, terms = weight * consistency, {"consistency": consistency}
        if self.classification:
            more = classification_terms(parameters["logits"], labels)
            loss += self.classification.weight * more["classification"]
            terms |= more
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
            "classification": serialize(self.classification),
            "consistency": serialize(self.consistency),
        }


def _default_discriminator(prior, decoder) -> keras.Model | dict[str, keras.Model]:
    if isinstance(prior, CategoricalNormal):
        return {
            "category": MLPDiscriminator(latent_dim=prior.num_categories),
            "z": MLPDiscriminator(latent_dim=prior.continuous_dim),
        }
    (latent_dim,) = decoder.input_shape[1:]
    return MLPDiscriminator(latent_dim=latent_dim)
