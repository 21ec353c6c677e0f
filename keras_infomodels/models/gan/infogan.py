"""InfoGAN: a GAN whose codes can be inferred from its images."""

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
from keras_infomodels.models.gan.recognition import (
    count_features,
    evaluate_information,
    head_like,
    trunk_like,
)
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
    """GAN that also maximizes a lower bound on the mutual information of its codes and images.

        L_I = H(c) + E log Q(c|x)  <=  I(c; x),        c ~ p(c), x = G(noise, c)
        generator      minimizes  GAN loss - information_weight * sum_k weight_k E log Q(c_k|x)
        discriminator  minimizes  GAN loss; Q minimizes the second term

    c are the codes, named latent variables of the generator G beside the noise. Q is the
    recognition network, which infers the codes from an image x. L_I is a lower bound in nats. H(c)
    is the entropy of the prior p(c), and c is the *same* code that the generator was given. Without
    codes, training is bit-identical to that of the `GAN`. Metrics beside those of the `GAN`:

    - `information_<code>`: L_I of each code in nats, at most `Code.ceiling`; `information` is their
      sum.
    - `fake_consistency`, `real_consistency`, `classification` and `accuracy`, if their weights are
      above 0.
    - `val_information_real_<code>`, after each validation: H(mean Q) - mean H(Q) of a category over
      real images. It measures in nats how much the inferred category says about real images,
      without labels. It is at most ln K, for K categories.

    Source: Chen et al., "InfoGAN", 2016, equations 5 and 6; the bound is Barber and Agakov's, 2003.

    `optimizer` trains the generator, `discriminator_optimizer` everything else:

    | posterior       | input of Q                   | trained by L_I, beside the generator        |
    |-----------------|------------------------------|---------------------------------------------|
    | "shared"        | the discriminator's features | Q's head and the discriminator's trunk      |
    | "stop_gradient" | the discriminator's features | Q's head (only the GAN loss trains a trunk) |
    | "separate"      | features of its own trunk    | Q's head and its own trunk                  |

    The trunk is the part of the discriminator that computes the features. With "stop_gradient", the
    terms on real images also train Q's head only. In all three cases only the GAN loss trains the
    discriminator's last layer.

    "shared" is the paper's choice. With large weights of continuous codes and without the options
    below, training with "shared" can become unstable: the discriminator wins, `discriminator_loss`
    falls and the images get worse. Some seeds do, in float32 and in bfloat16 (docs/notebook.md,
    "Speed of InfoGAN's step"). With "stop_gradient" no run did.

    The arguments from `stratified` on are not in the paper and are off by default. The recipe
    `infogan_mnist` uses some of them. docs/notebook.md measures the effect of each.

    Args:
        generator: Keras model. Maps latents (batch, latent_dim), noise and codes, to images; see
            `GAN`.
        discriminator: Keras model. Maps images to {"logits", "features"} of shapes (batch, 1) and
            (batch, f).
        noise_dim: int. Number of noise variables. 0 if the codes are the only input.
        codes: sequence of `distributions.Code`. Latent variables with a name, a prior and a
            posterior.
        posterior: str. Input of Q and gradients of L_I: "shared", "stop_gradient" or "separate";
            see the table.
        information_weight: float, at least 0. Weight lambda of L_I in the objective.
        recognition: Keras model. Q's head, from features (batch, f) to a dict with the outputs of
            each code, by name. `None` is a `RecognitionHead` of width 128.
        recognition_trunk: Keras model. Q's own trunk for "separate", from images to {"features"}.
            `None` creates one with the config of the discriminator, which must then be a
            `ConvDiscriminator`.
        stratified: bool. `True` draws every category equally often in a training batch. The codes
            of a batch are then dependent, and a generator with batch normalization can exploit
            this. So the training metric is no strict bound on I(c; x); `val_information_<code>`,
            from independent draws, is. `False` draws independently.
        fake_consistency_weight: float, at least 0. Weight of -E log Q(c|T(x)) for categorical
            codes, where T is a small random affine map of the generated image. The term makes the
            category independent of small shifts. It is added to the losses of the generator and of
            Q, and trains Q's trunk even with "stop_gradient". It still bounds I(c; x), because I(c;
            T(x)) <= I(c; x).
        consistency: `Consistency`. Loss term that keeps Q's category the same when a real image is
            augmented. With "stop_gradient" the augmentations must be "affine". `None` means no
            term.
        continuous_warmup: `Warmup` or int. Training steps over which the weights of continuous
            codes rise from 0. `None` means no warm-up.
        classification: `Classification`. Cross-entropy between the labels of real images and the
            first categorical code, for semi-supervised training. `None` means no term.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: further arguments of `GAN`.

    Raises:
        ValueError: If settings or shapes do not fit together.

    Example:
        model = ki.from_preset("infogan_mnist")
        images = model.generate(8, codes={"digit": 0, "c1": 0.9}, seed=0)
        model.infer_codes(images)["digit"].probs_parameter()  # q(digit|x), shape (8, 10)

        # Or a new model to train:
        from keras_infomodels.distributions import Categorical, Code, Uniform

        codes = [Code("digit", Categorical(10)), Code("slant", Uniform(), weight=0.1)]
        generator = ki.networks.ConvGenerator((28, 28, 1), latent_dim=62 + 10 + 1)
        discriminator = ki.networks.ConvDiscriminator((28, 28, 1))
        model = ki.InfoGAN(generator, discriminator, noise_dim=62, codes=codes)
        model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(2e-4, 0.5))
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
    evaluate_information = evaluate_information
    passes_arguments_to = (GAN,)
    default_augmentations = "affine"
    short_settings = (*GAN.short_settings, "codes", "num_categories")

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """Returns a recipe's `[model]` table, with default networks and codes where it has none.

        Args:
            table: dict. Table `[model]` of a recipe.
            image_shape: (height, width, channels). Shape of an image.
        """
        table = super().complete({"codes": CODES, **table}, image_shape)
        return add_terms(table, cls.default_augmentations)

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        """Returns a sentence for a preset's card: how the metrics of `evaluate` are measured.

        Args:
            metrics: dict from str to float. Results of `evaluate`.
        """
        return (
            "`information` of a code is a lower bound in nats, computed with the model's own Q on "
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
        if self.uses_affine:
            self.supports_jit = False  # XLA has no affine transform of images
        # Attributes with Keras models are tracked, and their names are part of weights files.
        self.recognition = self.recognition_trunk = None
        if self.latents.codes:
            if posterior == "separate":
                self.recognition_trunk = recognition_trunk or trunk_like(discriminator)
            features = count_features(self.recognition_trunk or discriminator, self.data_shape)
            self.recognition = recognition or head_like(discriminator, features, codes)
            check_recognition(self.recognition, (features,), codes)
        self._ceilings_shown = False

    @property
    def categorical_codes(self) -> list[Code]:
        """List of the model's categorical codes."""
        codes = self.latents.codes.values()
        return [code for code in codes if isinstance(code.prior, Categorical)]

    @property
    def uses_affine(self) -> bool:
        """True if a step transforms images by affine maps, which XLA cannot compile."""
        affine = self.consistency is not None and self.consistency.uses_affine
        return bool(affine or self.fake_consistency_weight)

    # What the model computes

    def infer_codes(self, x: tf.Tensor) -> dict[str, tfd.Distribution]:
        """Infers the codes of images: the posterior Q(c|x) of each code, by name.

        Args:
            x: tensor (batch, *data_shape). Images.

        Returns:
            dict from code name to TFP distribution with batch shape (batch,). For a category it is
            one-hot, and its `probs_parameter()` has shape (batch, K). The mean of a continuous code
            has shape (batch, 1).

        Raises:
            ValueError: If the model has no codes, or the images have another shape or invalid
                pixels.

        Example:
            model = ki.from_preset("infogan_mnist")
            model.infer_codes(model.generate(8, seed=0))["digit"].probs_parameter()
        """
        if not self.latents.codes:
            raise ValueError("There is no code to infer: the model has only noise.")
        if tf.executing_eagerly():
            self.check_data(np.asarray(x))
        params = self.traced(self._posteriors, tf.cast(x, tf.float32))
        return {name: code.posterior_of(params[name]) for name, code in self.latents.codes.items()}

    def export_signatures(self) -> dict:
        """Returns the functions of an exported file: dict from name to `Signature`.

        The names are those of a `GAN`, and "infer_codes"; see
        `models.gan.signatures.infogan_signatures`.
        """
        return infogan_signatures(self)

    @property
    def label_classes(self):
        return self.categorical_codes[0].prior.num_categories if self.classification else None

    @property
    def category(self):
        return self.categorical_codes[0].name if self.categorical_codes else None

    def _category_posterior(self, x):
        return self.infer_codes(x)[self.category]

    def audit_parts(self, data, limit, batch_size, seed):
        if not self.latents.codes:
            return super().audit_parts(data, limit, batch_size, seed)
        generator = partial(self.generator, training=False)
        return GeneratorParts(generator, self.latents)

    # What Keras calls

    def discriminator_networks(self):
        networks = (self.discriminator, self.recognition, self.recognition_trunk)
        return tuple(network for network in networks if network is not None)

    def term_names(self) -> list[str]:
        names = super().term_names()
        if self.latents.codes:
            names += ["information", *(f"information_{name}" for name in self.latents.codes)]
        if self.fake_consistency_weight:
            names.append("fake_consistency")
        if self.consistency:
            names.append("real_consistency")
        return names + (["classification", "accuracy"] if self.classification else [])

    def fit(self, x=None, *args, verbose="auto", **kwargs):
        """Trains the model like `GAN.fit`.

        The largest possible information of each code is logged once.

        Args:
            x: dataset, array or generator of images, as in `InfoModel.fit`.
            *args: further positional arguments of `InfoModel.fit`.
            verbose: int or str. 0 shows no progress bar and no message.
            **kwargs: keyword arguments of `InfoModel.fit`.
        """
        if verbose and self.latents.codes and not self._ceilings_shown:
            self._ceilings_shown = True
            ceilings = (
                f"information_{name} is at most {code.ceiling:.3f}"
                for name, code in self.latents.codes.items()
            )
            LOGGER.info("In nats, %s.", ", ".join(ceilings))
        return super().fit(x, *args, verbose=verbose, **kwargs)

    def posterior_params(self, images, outputs, training: bool, stop: bool = False) -> dict:
        """Computes the outputs of the recognition network Q for images x, by code.

        The outputs are the parameters of Q(c|x), the distribution of a code c given the image.

        Args:
            images: tensor (batch, *data_shape).
            outputs: dict. The discriminator's outputs for these images.
            training: bool. Training mode of the layers.
            stop: bool. `True` stops the gradient at the head's input.

        Returns:
            dict of float32 tensors (batch, Code.parameters).
        """
        if self.recognition_trunk is not None:
            features = self.recognition_trunk(images, training=training)["features"]
        else:
            features = outputs["features"]
        features = tf.stop_gradient(features) if stop else features
        params = self.recognition(features, training=training)
        return {name: tf.cast(value, tf.float32) for name, value in params.items()}

    def sample_latents(self, n, seed, training):
        return self.latents.sample(n, seed, self.stratified and training)

    def generate_batch(self, n, seed, training):
        fake = super().generate_batch(n, seed, training)
        if self.latents.codes:
            params = self.posterior_params(fake["images"], fake["outputs"], training)
            # The codes in "parts" are those that the generator was given.
            fake["log_q"] = self._log_q(params, fake["parts"])
        if self.fake_consistency_weight:
            augmented = random_affine(fake["images"], fold_in(seed, seeds.CONSISTENCY_FAKE))
            params = self.recognize(augmented, training)
            log_q = self._log_q(params, fake["parts"], self.categorical_codes)
            fake["consistency"] = -tf.add_n(list(log_q.values()))
        return fake

    def generator_terms(self, fake, training):
        terms = super().generator_terms(fake, training)
        if not self.latents.codes:
            return terms
        # L_I of each code: H(c) + E log Q(c|x) <= I(c; x).
        information = {
            f"information_{name}": code.entropy + fake["log_q"][name]
            for name, code in self.latents.codes.items()
        }
        # H(c) is constant, so that only E log Q(c|x) enters the loss.
        loss = terms["loss"] - self._weighted(fake["log_q"], training)
        if self.fake_consistency_weight:
            loss += self.fake_consistency_weight * fake["consistency"]
            terms["fake_consistency"] = fake["consistency"]
        total = tf.add_n(list(information.values()))
        return terms | {"loss": loss, "information": total} | information

    def discriminator_terms(self, real, fake, labels, seed, training):
        terms = super().discriminator_terms(real, fake, labels, seed, training)
        if not self.latents.codes:
            return terms
        log_q, stop = fake["log_q"], self.posterior == "stop_gradient"
        if stop:
            # The generator's gradient passes through the features; Q's own must stop there, so the
            # head is applied a second time.
            params = self.posterior_params(fake["images"], fake["outputs"], training, stop)
            log_q = self._log_q(params, fake["parts"])
        objective = terms["discriminator_objective"] - self._weighted(log_q, training)
        if self.fake_consistency_weight:
            objective += self.fake_consistency_weight * fake["consistency"]
        if self.consistency or self.classification:
            params = self.posterior_params(real["images"], real["outputs"], training, stop)
        if self.consistency:
            # Deviation from the paper: real images take part, without their labels.
            own = fold_in(seed, seeds.CONSISTENCY_REAL)
            terms["real_consistency"] = tf.add_n(
                [
                    self._consistency(code.name, real["images"], params, own, training, stop)
                    for code in self.categorical_codes
                ]
            )
            weight = self.consistency.weight * self.consistency.warmup(self, training)
            objective += weight * terms["real_consistency"]
        if self.classification:
            terms |= classification_terms(params[self.categorical_codes[0].name], labels)
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

    def _log_q(self, params: dict, parts: dict, codes=None) -> dict[str, tf.Tensor]:
        """E log Q(c|x) of each code (all if None), a mean over the batch, in nats."""
        codes = self.latents.codes.values() if codes is None else codes
        return {
            code.name: replicas.mean(code.log_prob(params[code.name], parts[code.name]))
            for code in codes
        }

    def _weighted(self, log_q: dict, training: bool) -> tf.Tensor:
        """Part of the objective that is L_I, without the constant entropies."""
        ramp = self.continuous_warmup(self, training)
        weights = {
            name: code.weight if code in self.categorical_codes else ramp * code.weight
            for name, code in self.latents.codes.items()
        }
        total = tf.add_n([weights[name] * value for name, value in log_q.items()])
        return self.information_weight * total

    def _consistency(self, name, images, params, seed, training, stop) -> tf.Tensor:
        def classify(images):
            return self.recognize(images, training, stop)[name]

        return self.consistency(images, params[name], classify, seed)

    def recognize(self, images: tf.Tensor, training: bool, stop: bool = False) -> dict:
        """Computes the parameters of Q(c|x) for images x, by code; see `posterior_params`.

        If Q uses the discriminator's features, the discriminator is called first.

        Args:
            images: tensor (batch, *data_shape). Real or generated images.
            training: bool. Training mode of the layers.
            stop: bool. `True` stops the gradient at the input of Q's head.

        Returns:
            dict from code name to float32 tensor (batch, Code.parameters).
        """
        separate = self.recognition_trunk is not None
        outputs = None if separate else self.discriminate(images, training)
        return self.posterior_params(images, outputs, training, stop)

    def _inferred(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.recognize(x, training=False)

    def _posteriors(self, x: tf.Tensor) -> dict[str, dict[str, tf.Tensor]]:
        raw = self.recognize(x, training=False)
        codes = self.latents.codes.items()
        return {name: code.posterior_parameters(raw[name]) for name, code in codes}
