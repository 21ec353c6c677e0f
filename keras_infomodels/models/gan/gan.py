"""The GAN, with its objectives by name."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import replicas, seeds
from keras_infomodels.datasets.batches import is_array
from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.distributions import Code, Latents
from keras_infomodels.models.base import InfoModel
from keras_infomodels.models.gan.cards import gan_words
from keras_infomodels.models.gan.checks import check_gan
from keras_infomodels.models.gan.costs import gan_costs
from keras_infomodels.models.gan.objectives import OBJECTIVES
from keras_infomodels.models.gan.signatures import gan_signatures
from keras_infomodels.models.gan.tables import SHORT, complete, shorten
from keras_infomodels.networks import Network
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_int
from keras_infomodels.training.augmentation import Augmentation
from keras_infomodels.training.gradients import gradient
from keras_infomodels.training.groups import OptimizerGroup
from keras_infomodels.training.guards import StopOnSaturation
from keras_infomodels.training.step import update_groups

fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["GAN"]


@built_in
class GAN(InfoModel):
    """Generative adversarial network: a generator and a discriminator with an optimizer each.

        discriminator's loss = E_p real(T(x)) + E_z fake(T(G(z))) + penalties
        generator's loss     = E_z generator(T(G(z)))

    G maps latents z to images, T maps an image x to the discriminator's logit, and E_p is the mean
    over real images. `objective` chooses the functions `real`, `fake` and `generator`;
    `models.gan.objectives.OBJECTIVES` lists them.

    The metrics are `loss` (the generator's loss with all its terms), `generator_loss` and
    `discriminator_loss` (without penalties). With a penalty there are also `gradient_penalty` and
    `gradient_norm`. With the objective "non_saturating", the discriminator's loss is 2 ln 2 = 1.386
    nats if it cannot tell real from generated images, and 0 if it always can.
    Source: Goodfellow et al., "Generative adversarial nets", 2014.

    Args:
        generator: Keras model. Maps latents (batch, latent_dim) to images, or data of another
            shape. `latent_dim` is the sum of `noise_dim` and the lengths of the codes.
        discriminator: Keras model. Maps images to logits (batch, 1), or to a dict with "logits".
        noise_dim: int. Number of noise variables.
        codes: sequence of `distributions.Code`. Named latent variables, inputs of the generator
            beside the noise. Only an `InfoGAN` trains the generator to use them.
        objective: str. Name of the losses: a key of `OBJECTIVES`, such as "hinge" or "wasserstein".
        gradient_penalty: float. Weight of E (|grad T| - 1)^2, where grad is the gradient by the
            image, at random points between real and generated images. `None` is 10 for
            "wasserstein" and 0 otherwise. Source: Gulrajani et al., 2017.
        r1: float. Weight of the R1 penalty, E |grad T|^2 / 2 on real images. Source: Mescheder et
            al., 2018.
        label_smoothing: float in [0, 0.5). The discriminator's target for real images is 1 minus
            this value. Only allowed with "non_saturating". Source: Salimans et al., 2016.
        update: str. "simultaneous" computes the gradients of both losses from one forward pass of
            the generated images. "alternating" first updates the discriminator, then updates the
            generator with the new discriminator.
        discriminator_steps: int. Updates of the discriminator for each update of the generator, all
            on the same real batch with new noise. More than 1 requires "alternating".
        augmentation: `Augmentation`. Random changes of all images that the discriminator sees in
            training. `None` means no augmentation.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If settings or shapes do not fit together.

    Example:
        model = ki.from_preset("gan_mnist")
        images = model.generate(8, seed=0)  # shape (8, 28, 28, 1), in [0, 1]

        # Or a new model to train:
        generator = ki.networks.ConvGenerator((28, 28, 1), latent_dim=64)
        discriminator = ki.networks.ConvDiscriminator((28, 28, 1))
        model = ki.GAN(generator, discriminator, noise_dim=64)
        model.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    """

    title = "GAN"
    citation = (
        "I. Goodfellow et al., Generative adversarial nets, 2014, https://arxiv.org/abs/1406.2661"
    )

    quantization_costs = gan_costs
    card_words = staticmethod(gan_words)
    short_settings, shorten, complete = SHORT, staticmethod(shorten), staticmethod(complete)
    training_defaults: Mapping = {
        "schedule": "late_cosine",
        "optimizer": {"beta_1": 0.5},
        "discriminator_optimizer": {"learning_rate": 2e-4, "beta_1": 0.5},
    }

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        noise_dim: int,
        codes: Sequence[Code] = (),
        objective: str = "non_saturating",
        gradient_penalty: float | None = None,
        r1: float = 0.0,
        label_smoothing: float = 0.0,
        update: str = "simultaneous",
        discriminator_steps: int = 1,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        **kwargs,
    ):
        # Keras would round images to bfloat16 before the discriminator's first layer.
        super().__init__(**{"autocast": False} | kwargs)
        if gradient_penalty is None:
            gradient_penalty = 10.0 if objective == "wasserstein" else 0.0
        self.generator = generator
        self.discriminator = discriminator
        self.latents = Latents(noise_dim, codes)
        self.objective = objective
        self.gradient_penalty = float(gradient_penalty)
        self.r1 = float(r1)
        self.label_smoothing = float(label_smoothing)
        self.update = update
        self.discriminator_steps = check_int("discriminator_steps", discriminator_steps, 1)
        self.augmentation = augmentation
        self.seed = int(seed)
        check_gan(self)
        self.data_shape = tuple(discriminator.input_shape[1:])
        self.built = True

    # What the model computes

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Generates the images (batch, *data_shape) of latents (batch, latent_dim).

        Args:
            latents: tensor (batch, latent_dim). Noise, then the codes.
            training: bool. Training mode of the layers.
        """
        return self.generator(latents, training=training)

    def generate(
        self, n: int, codes: Mapping[str, object] | None = None, seed: int | None = None
    ) -> tf.Tensor:
        """Generates n images from random latents, with chosen values of codes.

        Args:
            n: int. Number of images.
            codes: dict from code name to value. One value for all images, or a sequence of n
                values. A value is the index of a category, or a number in the range of the code's
                prior. Codes that are not named are drawn from their priors.
            seed: int. Seed of the draws. `None` draws a new one.

        Returns:
            float32 tensor (n, *data_shape).

        Example:
            model = ki.from_preset("infogan_mnist")
            images = model.generate(8, codes={"digit": 0, "c1": 0.9}, seed=0)
        """
        n = check_int("n", n, 1)
        fixed = {
            name: tf.constant(self.latents.code_values(name, value, n))
            for name, value in (codes or {}).items()
        }
        return self.traced(self._generated, tf.constant(n), self.drawing_seed(seed), fixed)

    def _generated(self, n: tf.Tensor, seed: tf.Tensor, fixed: dict) -> tf.Tensor:
        return self(self.latents.join(self.latents.sample(n, seed) | fixed))

    def export_signatures(self) -> dict:
        """Returns the functions of an exported file: dict from name to `Signature`.

        The names are "generate", "discriminate" and "generate_seeded"; see
        `models.gan.signatures.gan_signatures`.
        """
        return gan_signatures(self)

    @property
    def pixels(self):
        if isinstance(self.generator, Network):
            return Pixels("unit", "a generator that ends in a sigmoid, as this library's")
        return Pixels()

    @property
    def codes(self):
        return self.latents.codes

    def ceilings(self, examples):
        return {
            f"{kind}_{name}": code.ceiling
            for kind in ("information", "information_real")
            for name, code in self.codes.items()
        }

    def audit_parts(self, data, limit, batch_size, seed):
        raise ValueError(
            f"This {type(self).__name__} has neither an encoder nor codes that a network reads, so "
            "there is no information to audit; take an InfoGAN with codes, or compare images by "
            "evaluation.frechet_distance."
        )

    def calibration_images(self, images):
        """Returns real and generated images to calibrate an int8 export.

        Generated images are added, because the discriminator gets both kinds.

        Args:
            images: float32 array (n, height, width, channels). Training images.
        """
        return np.concatenate([images, self.generate(len(images), seed=0)])

    # What Keras calls

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        """Returns a sentence for a preset's card: how the metrics of `evaluate` are measured.

        Args:
            metrics: dict from str to float. Results of `evaluate`.
        """
        return "The losses depend on this discriminator and do not measure the samples."

    def optimizer_groups(self) -> list[OptimizerGroup]:
        return [
            OptimizerGroup("optimizer", "loss", (self.generator,)),
            OptimizerGroup(
                "discriminator_optimizer", "discriminator_objective", self.discriminator_networks()
            ),
        ]

    def discriminator_networks(self) -> tuple[keras.Model, ...]:
        """Returns the networks that `discriminator_optimizer` trains."""
        return (self.discriminator,)

    @property
    def saturated_loss(self) -> float | None:
        """Smallest possible loss of the discriminator; None if the loss has no minimum."""
        s = self.label_smoothing
        if s:  # With smoothing s, a perfect discriminator's loss is the entropy of Bernoulli(s).
            return -s * math.log(s) - (1 - s) * math.log1p(-s)
        return OBJECTIVES[self.objective].saturation

    def term_names(self) -> list[str]:
        names = ["loss", "generator_loss", "discriminator_loss"]
        return names + (["gradient_penalty", "gradient_norm"] if self.gradient_penalty else [])

    def fit(self, x=None, *args, callbacks=None, **kwargs):
        """Trains the model like `InfoModel.fit`; stops if the discriminator's loss saturates.

        A saturated discriminator recognizes every generated image, so the generator no longer
        learns. The check uses the mean loss of an epoch. The objectives "wasserstein", "kl",
        "reverse_kl" and "pearson" are not checked, because their discriminator's loss has no
        minimum. The arguments are those of `InfoModel.fit`.

        Raises:
            FloatingPointError: If the discriminator's loss is saturated, or a term is not finite.
        """
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = [StopOnSaturation(), *keras.tree.flatten(callbacks or [])]
        return super().fit(x, *args, callbacks=callbacks, **kwargs)

    def train_step(self, data):
        if self.update == "simultaneous":
            return super().train_step(data)
        x, labels = self.unpack(data)
        seed = seeds.fold_seed(self.seed, seeds.TRAIN, self.optimizer.iterations)
        with self.global_batch(x):
            return self._alternate(x, labels, seed)

    def _alternate(self, x, labels, seed) -> dict[str, tf.Tensor]:
        """A step in which the discriminator is updated first."""
        generator, discriminator = self.optimizer_groups()
        earlier = (self.extremes.see(x, labels),)
        # Every update has noise of its own; the generator's uses the seed of the step itself.
        for step in range(self.discriminator_steps):
            own = fold_in(seed, seeds.DISCRIMINATOR_STEP + step)
            first = update_groups(
                self, [discriminator], self._discriminator_terms, x, labels, own, earlier
            )
            earlier += (first["loss"],)
        second = update_groups(self, [generator], self._generator_terms, x, labels, seed, earlier)
        terms = first | second | {"loss": first["loss"] + second["loss"]}
        return self.log(terms, x, labels)

    def predict_step(self, data):
        latents, _ = self.unpack(data)
        return self(latents, training=False)

    def terms(self, x, labels, seed, training):
        fake = self.generate_batch(tf.shape(x)[0], seed, training)
        real = self.discriminate_real(x, seed, training)
        terms = self.discriminator_terms(real, fake, labels, seed, training)
        return terms | self.generator_terms(fake, training)

    def _discriminator_terms(self, x, labels, seed, training):
        fake = self.generate_batch(tf.shape(x)[0], seed, training)
        real = self.discriminate_real(x, seed, training)
        return self.discriminator_terms(real, fake, labels, seed, training)

    def _generator_terms(self, x, labels, seed, training):
        return self.generator_terms(self.generate_batch(tf.shape(x)[0], seed, training), training)

    def generate_batch(self, n: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """Generates a batch of images and runs the discriminator on it.

        Args:
            n: int32 scalar. Number of images.
            seed: int32 tensor (2,). Seed of the step.
            training: bool. Training mode of the networks.

        Returns:
            dict with "parts" (the latents by name), "images" (n, *data_shape) and "outputs" (the
            discriminator's).
        """
        parts = self.sample_latents(n, fold_in(seed, seeds.LATENTS), training)
        # In bfloat16 or float16 the discriminator still gets float32 images.
        images = tf.cast(self(self.latents.join(parts), training=training), tf.float32)
        images = self._augmented(images, seed, seeds.AUGMENT_FAKE, training)
        return {"parts": parts, "images": images, "outputs": self.discriminate(images, training)}

    def discriminate_real(self, x: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """Runs the discriminator on a batch of real images.

        Args:
            x: tensor (batch, *data_shape). Real images.
            seed: int32 tensor (2,). Seed of the step.
            training: bool. Training mode of the networks.

        Returns:
            dict with "images", "outputs" (the discriminator's) and, for R1, "gradient_norm"
            (batch,).
        """
        x = self._augmented(x, seed, seeds.AUGMENT_REAL, training)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            if self.r1:
                tape.watch(x)
            outputs = self.discriminate(x, training)
        norm = {"gradient_norm": _norm(gradient(tape, outputs["logits"], x))} if self.r1 else {}
        return {"images": x, "outputs": outputs, **norm}

    def sample_latents(self, n: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """Draws the generator's noise and codes for a training step, as a dict.

        See `Latents.sample` for the dict.

        Args:
            n: int32 scalar. Number of draws.
            seed: int32 tensor (2,). Seed of the draws.
            training: bool. `True` may stratify the categories.

        Returns:
            dict from "noise" and each code's name to a tensor (n, length).
        """
        return self.latents.sample(n, seed)

    def discriminate(self, images: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """Runs the discriminator on images; returns a dict with float32 "logits" (batch, 1).

        Args:
            images: tensor (batch, *data_shape). Real or generated images.
            training: bool. Training mode of the layers.
        """
        outputs = self.discriminator(images, training=training)
        outputs = outputs if isinstance(outputs, Mapping) else {"logits": outputs}
        return {**outputs, "logits": tf.cast(outputs["logits"], tf.float32)}

    def generator_terms(self, fake: dict, training: bool) -> dict[str, tf.Tensor]:
        """Computes the generator's loss terms for a batch.

        Args:
            fake: dict. Result of `generate_batch`.
            training: bool. Training mode of the networks.

        Returns:
            dict of scalars with "generator_loss" and "loss". The generator minimizes "loss".
        """
        logits = fake["outputs"]["logits"]
        own = replicas.mean(OBJECTIVES[self.objective].generator(logits))
        penalties = _penalties(self.generator)
        return {"loss": tf.add_n([own, *penalties]), "generator_loss": own}

    def discriminator_terms(
        self, real: dict, fake: dict, labels, seed: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """Computes the terms of the discriminator.

        Args:
            real: dict. Result of `discriminate_real`.
            fake: dict. Result of `generate_batch`.
            labels: tensor (batch,), or None.
            seed: int32 tensor (2,). Seed of the step.
            training: bool. Training mode of the networks.

        Returns:
            dict with "discriminator_loss" and, with penalties, "discriminator_objective", which the
            discriminator minimizes.
        """
        objective, smoothing = OBJECTIVES[self.objective], self.label_smoothing
        logits = real["outputs"]["logits"]
        losses = objective.real(logits)  # (batch, 1)
        if smoothing:
            # One-sided smoothing: only real images have the target 1 - s.
            losses = (1 - smoothing) * losses + smoothing * objective.fake(logits)
        own = replicas.mean(losses) + replicas.mean(objective.fake(fake["outputs"]["logits"]))
        terms = {"discriminator_loss": own}
        penalties = _penalties(*self.discriminator_networks())
        if self.r1:
            # R1 of Mescheder et al. has the factor 1/2.
            penalties.append(self.r1 / 2 * replicas.mean(real["gradient_norm"] ** 2))
        if self.gradient_penalty:
            norm = self._gradient_norm_between(real["images"], fake["images"], seed, training)
            terms["gradient_norm"] = replicas.mean(norm)
            terms["gradient_penalty"] = replicas.mean((norm - 1) ** 2)
            penalties.append(self.gradient_penalty * terms["gradient_penalty"])
        return terms | {"discriminator_objective": tf.add_n([own, *penalties])}

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "noise_dim": self.latents.noise_dim,
            "codes": [serialize(code) for code in self.latents.codes.values()],
            "objective": self.objective,
            "gradient_penalty": self.gradient_penalty,
            "r1": self.r1,
            "label_smoothing": self.label_smoothing,
            "update": self.update,
            "discriminator_steps": self.discriminator_steps,
            "augmentation": None if self.augmentation is None else serialize(self.augmentation),
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
        }

    # Helpers

    def _augmented(self, images, seed: tf.Tensor, stream: int, training: bool) -> tf.Tensor:
        if self.augmentation is None or not training:
            return images
        return self.augmentation(images, fold_in(seed, stream))

    @property
    def call_shape(self) -> tuple[int, ...]:
        """Shape of the latents of one image."""
        return (self.latents.dimension,)

    def check_inputs(self, x):
        """Raises ValueError for latents of a wrong shape, or with values that are not finite.

        Args:
            x: array or tensor (n, latent_dim). Latents.
        """
        if not is_array(x):
            return
        if tuple(x.shape[1:]) != self.call_shape:
            raise ValueError(
                f"The generator takes latents of shape (batch, {self.latents.dimension}), got "
                f"{tuple(x.shape)}; latents.sample and latents.join make them."
            )
        if not np.isfinite(x).all():
            raise ValueError("The latents hold NaN or infinite values; draw them anew.")

    def _gradient_norm_between(self, real, fake, seed, training) -> tf.Tensor:
        """|grad T| at one random point between each real and generated image, (batch,)."""

        def draw(n):
            shape = [n] + [1] * len(self.data_shape)  # one draw for each pair
            return tf.random.stateless_uniform(shape, fold_in(seed, seeds.PENALTY))

        where = replicas.own_rows(draw, tf.shape(real)[0])
        points = real + where * (fake - real)
        # The penalty must not train the generator through the generated images.
        points = tf.stop_gradient(points)
        with tf.GradientTape() as tape:
            tape.watch(points)
            logits = self.discriminate(points, training)["logits"]
        return _norm(gradient(tape, logits, points))


def _penalties(*networks: keras.Model) -> list[tf.Tensor]:
    losses = [loss for network in networks for loss in network.losses]
    return [replicas.shared(tf.cast(loss, tf.float32)) for loss in losses]


def _norm(gradients: tf.Tensor) -> tf.Tensor:
    """Euclidean norm of each example, (batch,)."""
    squares = tf.square(tf.cast(gradients, tf.float32))
    # The gradient of sqrt is infinite at 0; the small constant keeps it finite.
    return tf.sqrt(tf.reduce_sum(squares, range(1, len(squares.shape))) + 1e-12)
