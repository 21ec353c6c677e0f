"""InfoVAE, the family of which VAE, beta-VAE and MMD-VAE are special cases."""

import math
from collections.abc import Mapping
from functools import partial

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import distributions
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import (
    StandardNormal,
    code_distribution,
    prior_distribution,
)
from keras_infomodels.divergences import divergence as divergence_named
from keras_infomodels.models.autoencoder.audits import encoder_parts
from keras_infomodels.models.autoencoder.cards import autoencoder_protocol, autoencoder_words
from keras_infomodels.models.autoencoder.checks import (
    autoencoder_pixels,
    check_networks,
    check_objective,
    check_saves,
    check_scale,
    check_weights,
    divergence_weight,
)
from keras_infomodels.models.autoencoder.costs import autoencoder_costs
from keras_infomodels.models.autoencoder.encodings import (
    begin_validation,
    encode_batch,
    encoding_table,
    evaluate_information,
    latent_inputs,
    mutual_information,
    validation_information,
)
from keras_infomodels.models.autoencoder.fitted_prior import fit_prior
from keras_infomodels.models.autoencoder.inference import (
    decode,
    encode,
    generate,
    interpolate,
    reconstruct,
)
from keras_infomodels.models.autoencoder.pictures import PICTURES, autoencoder_pictures
from keras_infomodels.models.autoencoder.shared_scale import SharedScale
from keras_infomodels.models.autoencoder.signatures import vae_signatures
from keras_infomodels.models.autoencoder.tables import SHORT, complete, shorten
from keras_infomodels.models.autoencoder.terms import terms
from keras_infomodels.models.base import InfoModel
from keras_infomodels.models.checks import float_images
from keras_infomodels.registry import built_in
from keras_infomodels.training.groups import OptimizerGroup
from keras_infomodels.training.information_reader import Table

tfd = tfp.distributions

__all__ = ["InfoVAE"]


@built_in
class InfoVAE(InfoModel):
    """Variational autoencoder with a weight on the mutual information of images and latents.

        loss = reconstruction + (1 - alpha) rate + (alpha + lambda - 1) divergence

        reconstruction = -E log p(x|z)           nats per example, summed over pixels
        rate           = E KL(q(z|x) || p(z))    nats per example; = I_q(x;z) + KL(q(z) || p(z))
        divergence     = D(q(z), p(z))           its own unit (MMD^2 by default)
        bits_per_dim   = (reconstruction + rate) / (pixels ln 2), for likelihoods of 8-bit values

    x is an image and z its latent variables. q(z|x) is the encoder's distribution, p(x|z) the
    decoder's, p(z) the prior, and q(z) the mean of q(z|x) over all images. I_q(x;z) is the mutual
    information of images and latents. Its weight in the loss is 1 - alpha. With alpha = 0 the model
    is the VAE. With alpha = 1 information is not penalized, and with alpha above 1 it is rewarded.

    Source: Zhao, Song and Ermon, "InfoVAE: information maximizing variational autoencoders", 2017,
    equation 6 with the divergence of equation 7.

    `fit` shows the terms as metrics. After each validation, the metric `val_mutual_information`
    estimates I_q(x;z) from up to 10,000 validation images. Before the last epoch it uses only 1,000
    samples of z, to save time.

    After training, `fit_prior` fits the prior to the latent variables of images, so that samples of
    the prior are like them.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels), or data of another
            shape, to {"loc", "scale"}, the mean and standard deviation of z, each (batch, d). An
            encoder that returns {"loc"} alone is deterministic: z is loc, and the rate is undefined
            and absent. With the prior `CategoricalNormal` the encoder also returns "logits" (batch,
            K), of the K categories.
        decoder: Keras model. Maps z (batch, latent_dim) to a dict of the parameters that
            `likelihood` needs, such as {"logits"} for Bernoulli pixels. `latent_dim` is d, or K + d
            with the prior `CategoricalNormal`.
        prior: prior of `keras_infomodels.distributions`, or TFP distribution. Distribution p(z). A
            model with a TFP distribution can be trained but not saved. `None` is the standard
            normal N(0, I).
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        alpha: float. 1 minus the weight of the rate.
        lambda_: float, above 0. Sets the weight of the divergence, alpha + lambda_ - 1, which must
            be at least 0.
        divergence: str or `Divergence`. D(q(z), p(z)): a key of `divergences.DIVERGENCES`, or an
            object. `None` is `MMD()` if the weight of the divergence is above 0, and no divergence
            otherwise. With the prior `CategoricalNormal` it is a dict {"category", "z"} of two
            `Adversarial`.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If settings or shapes do not fit together. Methods raise it for pixels that the
            likelihood does not allow.

    Example:
        model = ki.from_preset("infovae_mnist")
        z = model.encode(model.generate(8, seed=0)).mean()  # shape (8, 10)

        # Or a new model to train:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.InfoVAE(encoder, decoder, alpha=0.5, lambda_=100.0)
        model.compile("adam")
    """

    title = "InfoVAE"
    citation = (
        "S. Zhao, J. Song and S. Ermon, InfoVAE: information maximizing variational "
        "autoencoders, 2017, https://arxiv.org/abs/1706.02262"
    )

    picture_kinds = PICTURES
    pictures = autoencoder_pictures
    audit_parts = encoder_parts
    quantization_costs = autoencoder_costs
    encode, decode, reconstruct = encode, decode, reconstruct
    generate, interpolate, terms = generate, interpolate, terms
    fit_prior = fit_prior
    latent_inputs = latent_inputs
    mutual_information = mutual_information
    encoding_table = encoding_table
    evaluate_information = evaluate_information
    begin_validation = begin_validation
    validation_information = validation_information
    pixels = property(autoencoder_pixels)
    describe_metrics = autoencoder_protocol
    card_words = staticmethod(autoencoder_words)
    units: Mapping[str, str] = {"bits_per_dim": "bits"}
    local_divergence = False
    takes_fitted_prior = True
    short_settings, shorten, complete = SHORT, staticmethod(shorten), staticmethod(complete)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior=None,
        likelihood="bernoulli",
        alpha: float = 0.0,
        lambda_: float = 1.0,
        divergence=None,
        seed: int = 0,
        **kwargs,
    ):
        check_weights(alpha, lambda_)
        likelihood = distributions.likelihood(likelihood)
        data_shape, latent_dim, posterior_parameters = check_networks(encoder, decoder, likelihood)
        prior = StandardNormal(latent_dim) if prior is None else prior
        # With autocast, Keras would round images to bfloat16 before the likelihood binarizes them.
        super().__init__(**{"autocast": False} | kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.likelihood = likelihood
        shared = getattr(likelihood, "shared", False)
        self.shared_scale = SharedScale(name="shared_scale") if shared else None
        self.alpha = float(alpha)
        self.lambda_ = float(lambda_)
        self.seed = int(seed)
        self.data_shape = data_shape
        self.latent_dim = latent_dim
        if divergence is None and self.divergence_weight > 0:
            divergence = "mmd"
        self.divergence = divergence_named(divergence)
        self.deterministic = "scale" not in posterior_parameters
        self.categorical = "logits" in posterior_parameters
        check_objective(self)
        for name, network in self._discriminators().items():
            setattr(self, name, network)
        self._ceiling_shown = False
        self.information_estimate = None  # of the last `evaluate`, with its standard error
        self.validation_table = Table(EXAMPLES)
        self._keeping = False
        # A fixed signature, because batches of other sizes would trace the function again.
        self._encode_table = tf.function(
            partial(encode_batch, self),
            input_signature=[
                tf.TensorSpec((None, *data_shape), tf.float32),
                tf.TensorSpec((), tf.int32),
            ],
            autograph=False,
        )
        # The networks are built, and `call` must not be traced only to build the model.
        self.built = True

    @property
    def rate_weight(self) -> float:
        """Weight of the rate in the loss, 1 - alpha."""
        return 1 - self.alpha

    def current_rate_weight(self, training: bool):
        """Returns the weight of the rate in the current step.

        A subclass with a schedule overrides this method.

        Args:
            training: bool. `True` in training and `False` in evaluation.
        """
        return self.rate_weight

    @property
    def divergence_weight(self) -> float:
        """Weight of the divergence in the loss, alpha + lambda - 1.

        Rounding errors near 0 are set to 0.
        """
        return divergence_weight(self.alpha, self.lambda_)

    @property
    def has_density(self) -> bool:
        """True if the encoder's distribution q(z|x) has a density, so that the rate is defined.

        It is False for a deterministic encoder. It is also False with a category, because the
        decoder gets the probabilities of the category instead of a sample.
        """
        return not (self.deterministic or self.categorical)

    @property
    def counts_bits(self) -> bool:
        """True if the likelihood is that of 8-bit pixels, so that `bits_per_dim` is a metric.

        Reconstruction + rate then bounds the bits of lossless compression.
        """
        return self.has_density and getattr(self.likelihood, "support", None) == "bytes"

    @property
    def smallest_batch(self):
        weighted = self.divergence is not None and self.divergence_weight
        return self.divergence.smallest_batch if weighted else 1

    @property
    def information_name(self) -> str:
        """Name of the mutual information of images and latents in the results of `evaluate`."""
        return "information_category" if self.categorical else "mutual_information"

    # What the model computes

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Reconstructs images x: decodes the mean of their latents, tensor (batch, *data_shape).

        Args:
            x: tensor (batch, *data_shape). Images.
            training: bool. Training mode of the layers.
        """
        q = self._posterior(float_images(self, x), training)
        return self.likelihood.mean(self.decoder(q.mean(), training=training))

    def export_signatures(self) -> dict:
        """Returns the functions of an exported file: dict from name to `Signature`.

        Examples are "encode", "decode", "reconstruct" and "generate"; see
        `models.autoencoder.signatures.vae_signatures`.
        """
        return vae_signatures(self)

    def ceilings(self, examples):
        if self.categorical:
            return {self.information_name: math.log(self.prior.num_categories)}
        return {self.information_name: math.log(min(examples, EXAMPLES))}

    @property
    def category(self):
        return "category" if self.categorical else None

    def _category_posterior(self, x):
        return self.encode(x)["category"]

    @property
    def card_figures(self):
        return ("samples", "most_confident_error") if self.categorical else ("latents", "samples")

    # What Keras calls

    def compile(
        self,
        optimizer="adam",
        discriminator_optimizer=None,
        local_divergence: bool = False,
        **kwargs,
    ):
        """Configures training; see `InfoModel.compile`.

        Args:
            optimizer: str or Keras optimizer. Trains the encoder and the decoder.
            discriminator_optimizer: str or Keras optimizer. Trains the discriminator, if any.
            local_divergence: bool. Matters only on several replicas (devices) and for a divergence
                without a discriminator. `True` computes the divergence on each replica's part of
                the batch and averages the results. This is cheaper for large batches, but noisier,
                and it has the bias of smaller batches. `False` computes the divergence on the whole
                batch.
            **kwargs: arguments of `InfoModel.compile`.
        """
        self.local_divergence = bool(local_divergence)
        super().compile(optimizer, discriminator_optimizer, **kwargs)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config and self.local_divergence:
            config["local_divergence"] = True
        return config

    def optimizer_groups(self) -> list[OptimizerGroup]:
        groups = [OptimizerGroup("optimizer", "loss", (self.encoder, self.decoder))]
        if adversaries := tuple(self._discriminators().values()):
            groups.append(
                OptimizerGroup("discriminator_optimizer", "discriminator_loss", adversaries)
            )
        return groups

    def term_names(self) -> list[str]:
        names = ["loss", "reconstruction"]
        names += ["rate"] if self.has_density else []
        names += ["bits_per_dim"] if self.counts_bits else []
        names += [] if self.divergence is None else self.divergence.term_names()
        return names + (["discriminator_loss"] if self._discriminators() else [])

    def test_step(self, data):
        self._keeping = True  # while the step is traced
        try:
            return super().test_step(data)
        finally:
            self._keeping = False

    def get_config(self) -> dict:
        check_saves(self.prior)
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "prior": serialize(self.prior),
            "likelihood": serialize(self.likelihood),
            "alpha": self.alpha,
            "lambda_": self.lambda_,
            "divergence": None if self.divergence is None else serialize(self.divergence),
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
        }

    def observation(self, z: tf.Tensor, x: tf.Tensor, training: bool) -> tfd.Distribution:
        """Returns p(x|z) for training and `evaluation.log_likelihood`.

        The default ignores x. A subclass whose pixels depend on each other given z, such as one
        with an autoregressive decoder, overrides this method and uses x.

        Args:
            z: tensor (batch, latent_dim). Latent variables.
            x: tensor (batch, *data_shape). Data at which the density is evaluated.
            training: bool. Training mode of the decoder.
        """
        parameters = self.decoder(z, training=training)
        if training and self.shared_scale is not None:
            return self.pixel_distribution(parameters, self.shared_scale.fit(parameters["loc"], x))
        return self.pixel_distribution(parameters)

    def pixel_distribution(
        self, parameters: Mapping[str, tf.Tensor], scale: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """Returns p(x|z) for the decoder's outputs.

        Args:
            parameters: dict of tensors (batch, *data_shape). Outputs of the decoder or of an
                exported file.
            scale: scalar. Standard deviation of all pixels, for a likelihood with one shared
                standard deviation, such as `Gaussian("shared")`. `None` is the model's moving
                average.
        """
        if self.shared_scale is not None:
            parameters = {
                **parameters,
                "scale": self.shared_scale.value if scale is None else scale,
            }
        return self.likelihood.distribution(parameters)

    def encoder_terms(
        self,
        parameters: Mapping[str, tf.Tensor],
        x: tf.Tensor,
        labels: tf.Tensor | None,
        seed: tf.Tensor,
        training: bool,
    ) -> tuple[tf.Tensor | float, dict[str, tf.Tensor]]:
        """Computes additional loss terms from the encoder's outputs.

        The default has none. A subclass overrides this method.

        Args:
            parameters: dict. The encoder's outputs.
            x: tensor (batch, *data_shape). Images after `likelihood.observe`.
            labels: int tensor (batch,), or None.
            seed: int32 tensor (2,). Seed of the step.
            training: bool. `True` in training and `False` in evaluation.

        Returns:
            The weighted sum to add to the loss, and a dict of the terms.
        """
        return 0.0, {}

    def check_data(self, data):
        examples = super().check_data(data)
        if examples is None:
            return None
        check_scale(self.encoder(self.likelihood.observe(examples[:32], None), training=False))
        return examples

    def _discriminators(self) -> dict[str, keras.Model]:
        return {} if self.divergence is None else self.divergence.discriminators

    def inference_parts(self):
        return self.encoder, self.decoder, self.likelihood, self.prior

    def _parameters(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.encoder(self.likelihood.observe(x, None), training=False)

    def _decoded(self, z: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.decoder(z, training=False)

    def _reconstruction(self, x: tf.Tensor) -> tf.Tensor:
        return self.mean_image(self._posterior(x).mean())

    def _drawn(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mean_image(self._posterior(x).sample(seed=seed))

    def _generated(self, n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mean_image(prior_distribution(self.prior).sample(n, seed=seed))

    def _posterior(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return code_distribution(self.encoder(self.likelihood.observe(x, None), training=training))

    def mean_image(self, z: tf.Tensor) -> tf.Tensor:
        """Decodes latents z (batch, latent_dim) to mean images, tensor (batch, *data_shape).

        All operations exist in TFLite.

        Args:
            z: tensor (batch, latent_dim). Latent variables.
        """
        return self.likelihood.mean(self.decoder(z, training=False))


def _sample(parameters: Mapping[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """Draws z, (batch, d), from q(z|x) of an encoder's outputs."""
    return code_distribution(parameters).sample(seed=seed)
