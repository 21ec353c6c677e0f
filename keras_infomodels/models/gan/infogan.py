"""InfoGAN: a GAN whose codes can be read off its images."""

from collections.abc import Mapping, Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import replicas, seeds
from keras_infomodels.distributions import Categorical, Code
from keras_infomodels.log import LOGGER
from keras_infomodels.models.audits import GeneratorParts
from keras_infomodels.models.gan.cards import infogan_words
from keras_infomodels.models.gan.checks import check_infogan, check_recognition
from keras_infomodels.models.gan.costs import infogan_costs
from keras_infomodels.models.gan.gan import GAN
from keras_infomodels.models.gan.pictures import PICTURES, infogan_pictures
from keras_infomodels.models.gan.recognition import count_features, head_like, read_out, trunk_like
from keras_infomodels.models.gan.signatures import infogan_signatures
from keras_infomodels.models.gan.tables import CODES
from keras_infomodels.models.gan.traversals import traverse
from keras_infomodels.models.old_arguments import renew_and_warn
from keras_infomodels.models.tables import add_terms
from keras_infomodels.registry import built_in
from keras_infomodels.training.classification import Classification, classification_terms
from keras_infomodels.training.consistency import Consistency, random_affine
from keras_infomodels.training.warmup import Warmup, warmup_of

tfd = tfp.distributions
fold_in = tf.random.experimental.stateless_fold_in

__all__ = ["InfoGAN"]


@built_in
class InfoGAN(GAN):
    """The GAN with a lower bound on the mutual information of its codes and images.

        L_I = H(c) + E log Q(c|x)  <=  I(c; x),        c ~ p(c), x = G(noise, c)
        generator      lowers  its GAN loss - information_weight * sum_k weight_k E log Q(c_k|x)
        discriminator  lowers  its GAN loss; Q lowers the second term

    with H(c) of the code's own prior and the *same* c that the generator was given. Metrics: those
    of the `GAN`, `information_<code>` (nats, each at most its `Code.ceiling`) and their sum
    `information`, and `fake_consistency`, `real_consistency`, `classification`, `accuracy` where
    their weights are above 0. Without codes it is the `GAN`, to the bit. After each validation pass
    `val_information_real_<code>` is H(mean Q) - mean H(Q) of a category over real images: the
    information that Q's category carries about them, at most ln K, known without labels.
    Source: Chen et al., "InfoGAN", 2016, equations 5 and 6; the bound is Barber and Agakov's, 2003.

    Who moves what: `optimizer` the generator, `discriminator_optimizer` everything else.

    | posterior       | Q reads                      | moved by L_I, beside the generator        |
    |-----------------|------------------------------|-------------------------------------------|
    | "shared"        | the discriminator's features | Q's head and the discriminator's trunk    |
    | "stop_gradient" | the discriminator's features | Q's head; the trunk by the GAN loss alone |
    | "separate"      | features of its own trunk    | Q's head and its own trunk                |

    With "stop_gradient" the terms of real images too reach Q's head alone. The discriminator's
    last layer is moved by the GAN loss alone in all three. A trunk of Q's own
    is a second network of the discriminator's kind. "shared" is the paper's. With strong continuous
    codes and without the additions below its game can tip: the discriminator wins and images decay,
    which `discriminator_loss` shows; in bfloat16 with `FusedAdam` it did in each run that was made
    (docs/notebook.md, "Speed of InfoGAN's step"). "stop_gradient" did not.

    The options from `stratified` on are not in the paper and off by default; the recipe
    `infogan_mnist` turns some on, and docs/notebook.md says what each is worth.

    Args:
        generator, discriminator: see `GAN`; with codes the discriminator returns "features"
            (batch, f) too.
        noise_dim: number of noise variables; 0 where the codes are everything.
        codes: one `distributions.Code` each.
        posterior: who owns the trunk of Q, see above.
        information_weight: lambda, of L_I in the objective.
        recognition: Q's head; None is a `RecognitionHead` of width 128.
        recognition_trunk: for "separate": from images to {"features"}; None is made with the
            config of a `ConvDiscriminator`.
        stratified: each training batch holds every category equally often. Its codes then depend
            on each other, which a generator with batch normalization can use: the bound on I(c; x)
            is the ledger's `val_information_<code>`, of free draws.
        fake_consistency_weight: of -E log Q(c|T(x)) for the categories, T being
            `consistency.random_affine`, in the objectives of both: L_I of images that were moved a
            little, which bounds I(c; T(x)) <= I(c; x), so that a category is nothing that a small
            move changes. The trunk of Q takes part also with "stop_gradient".
        consistency: Consistency. The term between Q of real images and of moved ones, for each
            category; with "stop_gradient" they move affinely. None is without.
        continuous_warmup: Warmup or int. Steps over which the weights of continuous codes rise
            from 0. None is no warm-up.
        classification: Classification. The cross-entropy between the labels of real images and
            the first categorical code, for semi-supervised training. None is without.
        seed, **kwargs: see `GAN`.
    """

    title = "InfoGAN"
    citation = (
        "X. Chen, Y. Duan, R. Houthooft, J. Schulman, I. Sutskever and P. Abbeel, InfoGAN: "
        "interpretable representation learning by information maximizing generative "
        "adversarial nets, 2016, https://arxiv.org/abs/1606.03657"
    )

    picture_kinds = PICTURES
    pictures = infogan_pictures
    quantization_costs = infogan_costs
    card_words = staticmethod(infogan_words)
    traverse = traverse
    read_out = read_out
    passes_arguments_to = (GAN,)
    usual_moves = "affine"
    short_settings = (*GAN.short_settings, "codes", "categories")

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """The `[model]` table of a recipe with the networks and codes that it leaves out."""
        return add_terms(super().complete({"codes": CODES, **table}, image_shape), cls.usual_moves)

    def ledger_protocol(self, metrics: Mapping[str, float]) -> str:
        """What the metrics of `evaluate` are, in words for a card."""
        return (
            "`information` of a code is a lower bound in nats, read with the model's own Q on "
            "generated images; `information real` is H(mean Q) - mean H(Q) on the images."
        )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        noise_dim: int,
        codes: Sequence[Code] = (),
        posterior: str = "shared",
        information_weight: float = 1.0,
        recognition: keras.Model | None = None,
        recognition_trunk: keras.Model | None = None,
        stratified: bool = False,
        fake_consistency_weight: float = 0.0,
        consistency: Consistency | None = None,
        continuous_warmup: Warmup | int | None = None,
        classification: Classification | None = None,
        seed: int = 0,
        **kwargs,
    ):
        own = {"consistency": consistency, "classification": classification}
        own["continuous_warmup"] = continuous_warmup
        kwargs = renew_and_warn(type(self), **own, **kwargs)
        own = {name: kwargs.pop(name) for name in own}
        super().__init__(generator, discriminator, noise_dim, codes, seed=seed, **kwargs)
        self.posterior = posterior
        self.information_weight = float(information_weight)
        self.stratified = bool(stratified)
        self.fake_consistency_weight = float(fake_consistency_weight)
        self.consistency, self.classification = own["consistency"], own["classification"]
        self.continuous_warmup = warmup_of(own["continuous_warmup"])
        check_infogan(self)
        if self.moves_affinely:
            self.supports_jit = False  # XLA has no affine transform of images
        self.recognition = self.recognition_trunk = None
        if self.latents.codes:
            if posterior == "separate":
                self.recognition_trunk = recognition_trunk or trunk_like(discriminator)
            features = count_features(self.recognition_trunk or discriminator, self.data_shape)
            self.recognition = recognition or head_like(discriminator, features, codes)
            check_recognition(self.recognition, (features,), codes)
        self._ceilings_shown = False

    @property
    def categories(self) -> list[Code]:
        """The categorical codes."""
        codes = self.latents.codes.values()
        return [code for code in codes if isinstance(code.prior, Categorical)]

    @property
    def moves_affinely(self) -> bool:
        """Whether a step moves images by affine maps, which XLA cannot compile."""
        affine = self.consistency is not None and self.consistency.moves_affinely
        return bool(affine or self.fake_consistency_weight)

    # What the model computes

    def infer_codes(self, x: tf.Tensor) -> dict[str, tfd.Distribution]:
        """Q(c|x) of each code by name, of batch shape (batch,), for images x.

        A category's distribution is one-hot; its `.probs_parameter()` has shape (batch, K).
        """
        if not self.latents.codes:
            raise ValueError("There is no code to infer: the model has noise alone.")
        if tf.executing_eagerly():
            self.check_data(np.asarray(x))
        numbers = self.traced(self._inferred, tf.cast(x, tf.float32))
        return {name: code.infer(numbers[name]) for name, code in self.latents.codes.items()}

    def export_signatures(self) -> dict:
        """What an exported file offers; see `models.gan.signatures.infogan_signatures`."""
        return infogan_signatures(self)

    @property
    def label_classes(self):
        return self.categories[0].prior.categories if self.classification else None

    @property
    def category(self):
        return self.categories[0].name if self.categories else None

    def _category_posterior(self, x):
        return self.infer_codes(x)[self.category]

    def audit_parts(self, data, limit, batch_size, seed):
        if not self.latents.codes:
            return super().audit_parts(data, limit, batch_size, seed)
        generator = partial(self.generator, training=False)
        return GeneratorParts(generator, self.latents)

    # What Keras calls

    def judges(self):
        networks = (self.discriminator, self.recognition, self.recognition_trunk)
        return tuple(network for network in networks if network is not None)

    def ledger_names(self) -> list[str]:
        names = super().ledger_names()
        if self.latents.codes:
            names += ["information", *(f"information_{name}" for name in self.latents.codes)]
        if self.fake_consistency_weight:
            names.append("fake_consistency")
        if self.consistency:
            names.append("real_consistency")
        return names + (["classification", "accuracy"] if self.classification else [])

    def fit(self, x=None, *args, verbose="auto", **kwargs):
        """As `GAN.fit`; says once what each code's information is at most."""
        if verbose and self.latents.codes and not self._ceilings_shown:
            self._ceilings_shown = True
            ceilings = (
                f"information_{name} is at most {code.ceiling:.3f}"
                for name, code in self.latents.codes.items()
            )
            LOGGER.info("In nats, %s.", ", ".join(ceilings))
        return super().fit(x, *args, verbose=verbose, **kwargs)

    def numbers(self, images, outputs, training: bool, stop: bool = False) -> dict:
        """What Q's head gives, by code.

        Args:
            images: (batch, *data_shape).
            outputs: the discriminator's for these images.
            training: of its layers.
            stop: whether no gradient passes the head's input.
        """
        if self.recognition_trunk is not None:
            features = self.recognition_trunk(images, training=training)["features"]
        else:
            features = outputs["features"]
        features = tf.stop_gradient(features) if stop else features
        numbers = self.recognition(features, training=training)
        return {name: tf.cast(value, tf.float32) for name, value in numbers.items()}

    def sample_latents(self, n, seed, training):
        return self.latents.sample(n, seed, self.stratified and training)

    def draw(self, n, seed, training):
        fake = super().draw(n, seed, training)
        if self.latents.codes:
            numbers = self.numbers(fake["images"], fake["outputs"], training)
            fake["log_q"] = self._log_q(numbers, fake["parts"])
        if self.fake_consistency_weight:
            moves = random_affine(fake["images"], fold_in(seed, seeds.MOVES_FAKE))
            numbers = self._numbers_of(moves, training)
            log_q = self._log_q(numbers, fake["parts"], self.categories)
            fake["consistency"] = -tf.add_n(list(log_q.values()))
        return fake

    def generators_terms(self, fake, training):
        terms = super().generators_terms(fake, training)
        if not self.latents.codes:
            return terms
        information = {
            f"information_{name}": code.entropy + fake["log_q"][name]
            for name, code in self.latents.codes.items()
        }
        loss = terms["loss"] - self._weighted(fake["log_q"], training)
        if self.fake_consistency_weight:
            loss += self.fake_consistency_weight * fake["consistency"]
            terms["fake_consistency"] = fake["consistency"]
        total = tf.add_n(list(information.values()))
        return terms | {"loss": loss, "information": total} | information

    def judges_terms(self, real, fake, labels, seed, training):
        terms = super().judges_terms(real, fake, labels, seed, training)
        if not self.latents.codes:
            return terms
        log_q, stop = fake["log_q"], self.posterior == "stop_gradient"
        if stop:
            numbers = self.numbers(fake["images"], fake["outputs"], training, stop)
            log_q = self._log_q(numbers, fake["parts"])
        objective = terms["discriminator_objective"] - self._weighted(log_q, training)
        if self.fake_consistency_weight:
            objective += self.fake_consistency_weight * fake["consistency"]
        if self.consistency or self.classification:
            numbers = self.numbers(real["images"], real["outputs"], training, stop)
        if self.consistency:
            own = fold_in(seed, seeds.MOVES_REAL)
            terms["real_consistency"] = tf.add_n(
                [
                    self._consistency(code.name, real["images"], numbers, own, training, stop)
                    for code in self.categories
                ]
            )
            weight = self.consistency.weight * self.consistency.warmup(self, training)
            objective += weight * terms["real_consistency"]
        if self.classification:
            terms |= classification_terms(numbers[self.categories[0].name], labels)
            objective += self.classification.weight * terms["classification"]
        return terms | {"discriminator_objective": objective}

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        config = super().get_config() | {
            name: None if network is None else serialize(network)
            for name, network in (
                ("recognition", self.recognition),
                ("recognition_trunk", self.recognition_trunk),
            )
        }
        return config | {
            "posterior": self.posterior,
            "information_weight": self.information_weight,
            "stratified": self.stratified,
            "fake_consistency_weight": self.fake_consistency_weight,
            "consistency": serialize(self.consistency),
            "continuous_warmup": self.continuous_warmup.steps,
            "classification": serialize(self.classification),
        }

    # Helpers

    def _log_q(self, numbers: dict, parts: dict, codes=None) -> dict[str, tf.Tensor]:
        """E log Q(c|x) of each code (all if None), a mean over the batch, in nats."""
        codes = self.latents.codes.values() if codes is None else codes
        return {
            code.name: replicas.mean(code.log_prob(numbers[code.name], parts[code.name]))
            for code in codes
        }

    def _weighted(self, log_q: dict, training: bool) -> tf.Tensor:
        """What of the objective is L_I, but for the constant entropies."""
        ramp = self.continuous_warmup(self, training)
        weights = {
            name: code.weight if code in self.categories else ramp * code.weight
            for name, code in self.latents.codes.items()
        }
        total = tf.add_n([weights[name] * value for name, value in log_q.items()])
        return self.information_weight * total

    def _consistency(self, name, images, numbers, seed, training, stop) -> tf.Tensor:
        def classify(images):
            return self._numbers_of(images, training, stop)[name]

        return self.consistency(images, numbers[name], classify, seed)

    def _numbers_of(self, images: tf.Tensor, training: bool, stop: bool = False) -> dict:
        separate = self.recognition_trunk is not None
        outputs = None if separate else self.judge(images, training)
        return self.numbers(images, outputs, training, stop)

    def _inferred(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._numbers_of(x, training=False)
