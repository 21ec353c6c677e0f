"""InfoGAN-CR: an InfoGAN whose codes change images in ways that can be told apart."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_infomodels import replicas, seeds
from keras_infomodels.distributions import Code
from keras_infomodels.models.checks import input_shape, output_shapes
from keras_infomodels.models.gan.gan import GAN
from keras_infomodels.models.gan.infogan import InfoGAN
from keras_infomodels.networks import ConvDiscriminator, PairClassifier
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_nonnegative
from keras_infomodels.training.warmup import Warmup, warmup_of

fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["InfoGANCR"]

_WIDTH = 64
"""Largest width of the dense layer of H, which would else hold most of the model's parameters."""


@built_in
class InfoGANCR(InfoGAN):
    """InfoGAN-CR: an InfoGAN with a contrastive regularizer.

    One of the K codes is drawn uniformly; its number is the index. Two images, a pair, are
    generated from the same noise. They have the same value of the drawn code and independent values
    of the other codes. A network H predicts from the pair which code is shared:

        contrastive_information = ln K + E log H(index | pair)  <=  I(index; pair)  <=  ln K

    The metric `contrastive_information` is a lower bound in nats, and 0 if H guesses. The generator
    and H both maximize it: -contrastive_weight * contrastive_information is added to their losses.
    `discriminator_optimizer` trains H. The first image of each pair is one that the training step
    has already generated for the discriminator. With `contrastive_weight` 0 training is
    bit-identical to that of `InfoGAN`.

    The authors first train without the regularizer; use `contrastive_warmup` for a similar effect.

    Source: Lin et al., "InfoGAN-CR and ModelCentrality: self-supervised model training and
    selection for disentangling GANs", 2020, section 4, with their code's shared noise.

    Args:
        generator: Keras model. Maps latents (batch, latent_dim), noise and codes, to images.
        discriminator: Keras model. Maps images to {"logits", "features"} of shapes (batch, 1) and
            (batch, f).
        noise_dim: int. Number of noise variables.
        codes: sequence of `distributions.Code`. At least two codes; K is their number.
        contrastive_weight: float, at least 0. Weight of the regularizer.
        contrastive_warmup: `Warmup` or int. Number of training steps in which the weight of the
            regularizer rises from 0. `None` means no warm-up.
        contrastive_network: Keras model. H, from pairs of images (batch, height, width, 2
            channels), stacked along the last axis, to logits (batch, K). `None` is a
            `PairClassifier` with the filters of the discriminator, which must then be a
            `ConvDiscriminator`.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: arguments of `InfoGAN`.

    Raises:
        ValueError: If there are fewer than two codes, the weight is negative, or settings or shapes
            do not fit together.

    Example:
        codes = [ki.distributions.Code(name, ki.distributions.Uniform()) for name in ("a", "b")]
        generator = ki.networks.ConvGenerator((28, 28, 1), latent_dim=18)
        discriminator = ki.networks.ConvDiscriminator((28, 28, 1))
        model = ki.InfoGANCR(generator, discriminator, 16, codes, contrastive_warmup=1000)
        model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    """

    title = "InfoGAN-CR"
    citation = (
        "Z. Lin, K. Thekumparampil, G. Fanti and S. Oh, InfoGAN-CR and ModelCentrality: "
        "self-supervised model training and selection for disentangling GANs, 2020, "
        "https://arxiv.org/abs/1906.06034"
    )

    passes_arguments_to = (InfoGAN, GAN)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        noise_dim: int,
        codes: Sequence[Code] = (),
        contrastive_weight: float = 1.0,
        contrastive_warmup: Warmup | int | None = None,
        contrastive_network: keras.Model | None = None,
        seed: int = 0,
        **kwargs,
    ):
        check_nonnegative("contrastive_weight", contrastive_weight)
        super().__init__(generator, discriminator, noise_dim, codes, seed=seed, **kwargs)
        self.contrastive_weight = float(contrastive_weight)
        self.contrastive_warmup = warmup_of(contrastive_warmup)
        self.contrastive_network = None
        if contrastive_weight:
            _check_codes(self.codes)
            self.contrastive_network = contrastive_network or _network_like(self)
            _check_network(self)

    def discriminator_networks(self):
        networks, own = super().discriminator_networks(), self.contrastive_network
        return networks if own is None else (*networks, own)

    def ceilings(self, examples):
        own = {}
        if self.contrastive_network is not None:
            own = {"contrastive_information": math.log(len(self.codes))}
        return super().ceilings(examples) | own

    def term_names(self) -> list[str]:
        own = [] if self.contrastive_network is None else ["contrastive_information"]
        return [*super().term_names(), *own]

    def generate_batch(self, n, seed, training):
        fake = super().generate_batch(n, seed, training)
        if self.contrastive_network is not None:
            own = fold_in(seed, seeds.CONTRAST)
            fake["contrastive_information"] = self._contrast(fake, n, own, training)
        return fake

    def _contrast(self, fake: dict, n: tf.Tensor, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """The bound on I(index; pair), a scalar in nats, with `fake` the pairs' first images."""
        names, parts = list(self.codes), fake["parts"]
        index = replicas.own_rows(
            lambda n: tf.random.stateless_uniform((n,), fold_in(seed, 0), 0, len(names), tf.int32),
            n,
        )
        drawn = self.sample_latents(n, fold_in(seed, 1), training) | {"noise": parts["noise"]}
        for number, name in enumerate(names):
            drawn[name] = tf.where(index[:, None] == number, parts[name], drawn[name])
        second = tf.cast(self(self.latents.join(drawn), training=training), tf.float32)
        second = self._augmented(second, seed, seeds.AUGMENT_FAKE, training)
        pairs = tf.concat([fake["images"], second], axis=-1)
        logits = tf.cast(self.contrastive_network(pairs, training=training), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(index, logits)
        return math.log(len(names)) - replicas.mean(losses)

    def generator_terms(self, fake, training):
        terms = super().generator_terms(fake, training)
        if self.contrastive_network is None:
            return terms
        information = fake["contrastive_information"]
        loss = terms["loss"] - self._current_weight(training) * information
        return terms | {"loss": loss, "contrastive_information": information}

    def discriminator_terms(self, real, fake, labels, seed, training):
        terms = super().discriminator_terms(real, fake, labels, seed, training)
        if self.contrastive_network is None:
            return terms
        # H learns from the first step on; the warm-up is of the generator alone.
        lost = self.contrastive_weight * fake["contrastive_information"]
        return terms | {"discriminator_objective": terms["discriminator_objective"] - lost}

    def _current_weight(self, training: bool):
        return self.contrastive_weight * self.contrastive_warmup(self, training)

    def get_config(self) -> dict:
        network = self.contrastive_network
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "contrastive_weight": self.contrastive_weight,
            "contrastive_warmup": self.contrastive_warmup.steps,
            "contrastive_network": None if network is None else serialize(network),
        }


def _check_codes(codes):
    if len(codes) < 2:
        raise ValueError(f"InfoGANCR needs at least two codes, got {len(codes)}.")


def _network_like(model: InfoGANCR) -> keras.Model:
    """H for a model's pairs."""
    if not isinstance(model.discriminator, ConvDiscriminator):
        raise ValueError(
            "There is a default network H only for a ConvDiscriminator; pass contrastive_network, "
            "a "
            f"Keras model from {_pair_shape(model)} to {len(model.codes)} logits."
        )
    config = model.discriminator.get_config()
    own = {name: config[name] for name in ("image_shape", "filters", "dtype")}
    own["width"] = min(_WIDTH, config["width"])
    return PairClassifier(classes=len(model.codes), name="contrastive_network", **own)


def _check_network(model: InfoGANCR):
    count, pair = len(model.codes), _pair_shape(model)
    if (shape := input_shape(model.contrastive_network, "contrastive_network")) != pair:
        raise ValueError(f"contrastive_network takes pairs of shape {pair}, got {shape}.")
    if (shape := output_shapes(model.contrastive_network, (2, *pair))) != (2, count):
        raise ValueError(f"contrastive_network returns {count} logits a pair, got {shape}.")


def _pair_shape(model: InfoGANCR) -> tuple[int, ...]:
    return (*model.data_shape[:-1], 2 * model.data_shape[-1])
