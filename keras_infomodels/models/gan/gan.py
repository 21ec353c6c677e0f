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
from keras_infomodels.models.base import LedgerModel
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
from keras_infomodels.training.guards import StopOnSaturation
from keras_infomodels.training.players import Player
from keras_infomodels.training.step import take_turn

fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["GAN"]


@built_in
class GAN(LedgerModel):
    """A generator and a discriminator, each with an optimizer of its own.

        discriminator's loss = E_p real(T(x)) + E_z fake(T(G(z))) + penalties
        generator's loss     = E_z generator(T(G(z)))

    with T the discriminator's logit and the three functions of `models.gan.objectives.OBJECTIVES`.
    Metrics: `loss` (the generator's, with all that it has), `generator_loss`,
    `discriminator_loss` (without penalties), and `gradient_penalty`, `gradient_norm` where there
    is a penalty. With "non_saturating" the discriminator's loss is 2 ln 2 = 1.386 nats where it
    cannot tell the images apart, and 0 where it always can.
    Source: Goodfellow et al., "Generative adversarial nets", 2014.

    Args:
        generator: Keras model from latents (batch, d) to images, or to data of any shape.
        discriminator: Keras model from images to {"logits" (batch, 1), ...} or to logits alone.
        noise_dim: number of noise variables.
        codes: named latents beside the noise; `InfoGAN` makes them be used.
        objective: a key of `OBJECTIVES`.
        gradient_penalty: weight of E (|grad T| - 1)^2 on lines between real and generated images;
            None is 10 for "wasserstein" and 0 otherwise. Source: Gulrajani et al., 2017.
        r1: weight of E |grad T|^2 / 2 on real images. Source: Mescheder et al., 2018.
        label_smoothing: in [0, 0.5): the discriminator's target for real images is 1 minus it;
            "non_saturating" alone has targets. Source: Salimans et al., 2016.
        update: "simultaneous" (both players move by the gradients of one forward pass of the
            generated images) or "alternating" (the discriminator first, the generator against the
            new one).
        discriminator_steps: moves of the discriminator for each of the generator, all on the same
            real batch with new noise; above 1 only with "alternating".
        seed: of all the randomness in training and evaluation.

    Raises:
        ValueError: settings or shapes that make no sense, at construction.
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
        """Images of latents (batch, d)."""
        return self.generator(latents, training=training)

    def generate(
        self, n: int, codes: Mapping[str, object] | None = None, seed: int | None = None
    ) -> tf.Tensor:
        """Draws n images.

        Args:
            n: how many.
            codes: values of some codes by name, one for all images or n of them: a category's
                number, or a number in the range of its prior. The others are drawn.
            seed: of the draws; None draws anew, an integer repeats.

        Returns:
            Shape (n, *data_shape).
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
        """What an exported file offers; see `models.gan.signatures.gan_signatures`."""
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
        """Real and generated images: the discriminator sees both."""
        return np.concatenate([images, self.generate(len(images), seed=0)])

    # What Keras calls

    def ledger_protocol(self, metrics: Mapping[str, float]) -> str:
        """What the metrics of `evaluate` are, in words for a card."""
        return "Losses are those of this discriminator and no measure of the samples."

    def players(self) -> list[Player]:
        return [
            Player("optimizer", "loss", (self.generator,)),
            Player("discriminator_optimizer", "discriminator_objective", self.judges()),
        ]

    def judges(self) -> tuple[keras.Model, ...]:
        """The networks that `discriminator_optimizer` moves."""
        return (self.discriminator,)

    @property
    def saturated_loss(self) -> float | None:
        """The loss of a discriminator that is always right; None where no loss is the least."""
        s = self.label_smoothing
        if s:  # a perfect discriminator's loss is then the entropy of Bernoulli(s)
            return -s * math.log(s) - (1 - s) * math.log1p(-s)
        return OBJECTIVES[self.objective].saturation

    def ledger_names(self) -> list[str]:
        names = ["loss", "generator_loss", "discriminator_loss"]
        return names + (["gradient_penalty", "gradient_norm"] if self.gradient_penalty else [])

    def fit(self, x=None, *args, callbacks=None, **kwargs):
        """As `LedgerModel.fit`; stops too where the discriminator leaves nothing to learn from.

        That is seen by its loss over an epoch, for the objectives whose loss has a least value: not
        for "wasserstein", "kl", "reverse_kl" and "pearson", whose loss then falls without end.
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
        """A step in which the discriminator moves first."""
        generating, judging = self.players()
        earlier = (self.extremes.see(x, labels),)
        for step in range(self.discriminator_steps):
            own = fold_in(seed, seeds.TURN + step)
            first = take_turn(self, [judging], self._judges_terms, x, labels, own, earlier)
            earlier += (first["loss"],)
        second = take_turn(self, [generating], self._generators_terms, x, labels, seed, earlier)
        terms = first | second | {"loss": first["loss"] + second["loss"]}
        return self.log(terms, x, labels)

    def predict_step(self, data):
        latents, _ = self.unpack(data)
        return self(latents, training=False)

    def terms(self, x, labels, seed, training):
        fake = self.draw(tf.shape(x)[0], seed, training)
        judged = self.judges_terms(self.look(x, seed, training), fake, labels, seed, training)
        return judged | self.generators_terms(fake, training)

    def _judges_terms(self, x, labels, seed, training):
        fake = self.draw(tf.shape(x)[0], seed, training)
        return self.judges_terms(self.look(x, seed, training), fake, labels, seed, training)

    def _generators_terms(self, x, labels, seed, training):
        return self.generators_terms(self.draw(tf.shape(x)[0], seed, training), training)

    def draw(self, n: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """Generated images and what the discriminator says.

        Returns:
            {"parts": the latents by name, "images", "outputs": the discriminator's}.
        """
        parts = self.sample_latents(n, fold_in(seed, seeds.LATENTS), training)
        images = tf.cast(self(self.latents.join(parts), training=training), tf.float32)
        images = self._augmented(images, seed, seeds.AUGMENT_FAKE, training)
        return {"parts": parts, "images": images, "outputs": self.judge(images, training)}

    def look(self, x: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """Real images and what the discriminator says: {"images", "outputs"}, "slope" for R1."""
        x = self._augmented(x, seed, seeds.AUGMENT_REAL, training)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            if self.r1:
                tape.watch(x)
            outputs = self.judge(x, training)
        slope = {"slope": _norm(gradient(tape, outputs["logits"], x))} if self.r1 else {}
        return {"images": x, "outputs": outputs, **slope}

    def sample_latents(self, n: tf.Tensor, seed: tf.Tensor, training: bool) -> dict:
        """The latents of a step, by name."""
        return self.latents.sample(n, seed)

    def judge(self, images: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """The discriminator's outputs as a dict, "logits" in float32."""
        outputs = self.discriminator(images, training=training)
        outputs = outputs if isinstance(outputs, Mapping) else {"logits": outputs}
        return {**outputs, "logits": tf.cast(outputs["logits"], tf.float32)}

    def generators_terms(self, fake: dict, training: bool) -> dict[str, tf.Tensor]:
        """`generator_loss` and `loss`, which the generator lowers."""
        logits = fake["outputs"]["logits"]
        own = replicas.mean(OBJECTIVES[self.objective].generator(logits))
        penalties = _penalties(self.generator)
        return {"loss": tf.add_n([own, *penalties]), "generator_loss": own}

    def judges_terms(
        self, real: dict, fake: dict, labels, seed: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """`discriminator_loss`, and `discriminator_objective` with its penalties."""
        objective, smoothing = OBJECTIVES[self.objective], self.label_smoothing
        logits = real["outputs"]["logits"]
        losses = objective.real(logits)
        if smoothing:
            losses = (1 - smoothing) * losses + smoothing * objective.fake(logits)
        own = replicas.mean(losses) + replicas.mean(objective.fake(fake["outputs"]["logits"]))
        terms = {"discriminator_loss": own}
        penalties = _penalties(*self.judges())
        if self.r1:
            penalties.append(self.r1 / 2 * replicas.mean(real["slope"] ** 2))
        if self.gradient_penalty:
            slope = self._slope_between(real["images"], fake["images"], seed, training)
            terms["gradient_norm"] = replicas.mean(slope)
            terms["gradient_penalty"] = replicas.mean((slope - 1) ** 2)
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
        """Of the latents of one image."""
        return (self.latents.dimension,)

    def check_inputs(self, x):
        """Raises ValueError for latents of another shape, or of no finite numbers."""
        if not is_array(x):
            return
        if tuple(x.shape[1:]) != self.call_shape:
            raise ValueError(
                f"The generator takes latents of shape (batch, {self.latents.dimension}), got "
                f"{tuple(x.shape)}; latents.sample and latents.join make them."
            )
        if not np.isfinite(x).all():
            raise ValueError("The latents hold NaN or infinite values; draw them anew.")

    def _slope_between(self, real, fake, seed, training) -> tf.Tensor:
        """|grad T| at one random point between each real and generated image, (batch,)."""

        def draw(n):
            shape = [n] + [1] * len(self.data_shape)
            return tf.random.stateless_uniform(shape, fold_in(seed, seeds.PENALTY))

        where = replicas.own_rows(draw, tf.shape(real)[0])
        points = real + where * (fake - real)
        points = tf.stop_gradient(points)
        with tf.GradientTape() as tape:
            tape.watch(points)
            logits = self.judge(points, training)["logits"]
        return _norm(gradient(tape, logits, points))


def _penalties(*networks: keras.Model) -> list[tf.Tensor]:
    losses = [loss for network in networks for loss in network.losses]
    return [replicas.shared(tf.cast(loss, tf.float32)) for loss in losses]


def _norm(slope: tf.Tensor) -> tf.Tensor:
    """Euclidean norm of each example, (batch,); its own gradient is finite at 0."""
    squares = tf.reduce_sum(tf.cast(slope, tf.float32) ** 2, range(1, len(slope.shape)))
    return tf.sqrt(squares + 1e-12)
