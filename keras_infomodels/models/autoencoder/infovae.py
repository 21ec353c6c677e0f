"""InfoVAE, the family that VAE, beta-VAE and MMD-VAE are points of."""

import math
from collections.abc import Mapping
from functools import partial

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import distributions, replicas
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import (
    StandardNormal,
    code_distribution,
    posterior,
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
    keep_encodings,
    latent_inputs,
    mutual_information,
    read_out,
    read_validation,
)
from keras_infomodels.models.autoencoder.pictures import PICTURES, autoencoder_pictures
from keras_infomodels.models.autoencoder.shared_scale import SharedScale
from keras_infomodels.models.autoencoder.signatures import vae_signatures
from keras_infomodels.models.autoencoder.tables import SHORT, complete, shorten
from keras_infomodels.models.base import LedgerModel
from keras_infomodels.models.checks import float_images
from keras_infomodels.registry import built_in
from keras_infomodels.training.players import Player
from keras_infomodels.training.read_out import Table

tfd = tfp.distributions

__all__ = ["InfoVAE"]


@built_in
class InfoVAE(LedgerModel):
    """A variational autoencoder whose use of its latent variables is a choice.

        loss = reconstruction + (1 - alpha) rate + (alpha + lambda - 1) divergence

        reconstruction = -E log p(x|z)           nats per example, summed over pixels
        rate           = E KL(q(z|x) || p(z))    nats per example; I_q(x;z) + KL(q(z) || p(z))
        divergence     = D(q(z), p(z))           its own unit (MMD^2 by default)
        bits_per_dim   = (reconstruction + rate) / (pixels ln 2), for likelihoods of 8-bit values

    The mutual information I_q(x;z) is penalized with weight 1 - alpha: alpha = 0 as in the VAE,
    1 not at all; above 1 it is rewarded. Source: Zhao, Song and Ermon, "InfoVAE: information
    maximizing variational autoencoders", 2017, equation 6 with the divergence of equation 7.

    The terms are metrics that `fit` shows; after each validation pass `val_mutual_information` is
    I_q(x;z) from a table of up to 10,000 encodings of the validation data, before the last epoch at
    1,000 of them.

    Args:
        encoder: Keras model from images (batch, height, width, channels), or any data shape, to
            {"loc", "scale"}, each (batch, d); or to {"loc"} alone for a deterministic encoder,
            whose rate is undefined and absent. Beside the prior `CategoricalNormal` also to
            "logits" (batch, K), and then the decoder takes (batch, K + d).
        decoder: Keras model from z (batch, d) to the dict of parameters that the likelihood names.
        prior: a spec of `keras_infomodels.distributions`, or a TFP distribution (which trains but
            cannot be saved); None is the standard normal.
        likelihood: a name of `distributions.LIKELIHOODS` or a spec.
        alpha: 1 minus the weight of the rate.
        lambda_: above 0; alpha + lambda_ - 1, the weight of the divergence, is at least 0.
        divergence: a name of `divergences.DIVERGENCES` or an object; None is `MMD()` where its
            weight is above 0, and no divergence otherwise. With `CategoricalNormal` a dict
            {"category", "z"} of an `Adversarial` each.
        seed: of all the randomness in training and evaluation.

    Raises:
        ValueError: settings or shapes that make no sense, at construction; pixels outside the
            likelihood's support, in arrays and tensors or in the first batch of a dataset that
            `fit` and `evaluate` take.
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
    latent_inputs = latent_inputs
    mutual_information = mutual_information
    encoding_table = encoding_table
    read_out = read_out
    begin_validation = begin_validation
    read_validation = read_validation
    pixels = property(autoencoder_pixels)
    ledger_protocol = autoencoder_protocol
    card_words = staticmethod(autoencoder_words)
    units: Mapping[str, str] = {"bits_per_dim": "bits"}
    local_divergence = False
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
        # Keras would round images to bfloat16 before a threshold is applied to them.
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
        self.validation_table = Table(EXAMPLES)
        self._keeping = False
        self._encode_table = tf.function(
            partial(encode_batch, self),
            input_signature=[
                tf.TensorSpec((None, *data_shape), tf.float32),
                tf.TensorSpec((), tf.int32),
            ],
            autograph=False,
        )
        self.built = True

    @property
    def rate_weight(self) -> float:
        """1 - alpha."""
        return 1 - self.alpha

    def current_rate_weight(self, training: bool):
        """The rate's weight in this step; a schedule may override it."""
        return self.rate_weight

    @property
    def divergence_weight(self) -> float:
        """Weight alpha + lambda - 1 of the divergence, up to rounding."""
        return divergence_weight(self.alpha, self.lambda_)

    @property
    def has_density(self) -> bool:
        """Whether q(z|x) has a density, and the model a rate.

        A deterministic encoder has none; nor has one with a category, whose decoder is given its
        probabilities and not a draw.
        """
        return not (self.deterministic or self.categorical)

    @property
    def counts_bits(self) -> bool:
        """Whether reconstruction + rate bounds the bits of a lossless code of 8-bit images."""
        return self.has_density and getattr(self.likelihood, "support", None) == "bytes"

    @property
    def smallest_batch(self):
        weighted = self.divergence is not None and self.divergence_weight
        return self.divergence.smallest_batch if weighted else 1

    @property
    def information_name(self) -> str:
        """The key of `mutual_information` among the results of `evaluate`."""
        return "information_category" if self.categorical else "mutual_information"

    # What the model computes

    def encode(self, x: tf.Tensor) -> tfd.Distribution | dict[str, tfd.Distribution]:
        """q(z|x), of batch shape (batch,) and event shape (d,), for x (batch, *data_shape).

        With the prior `CategoricalNormal` {"category": q(category|x), one-hot, "z": q(z|x)}.
        """
        parameters = self.traced(self._parameters, float_images(self, x))
        if not self.categorical:
            return posterior(parameters)
        category = tfd.OneHotCategorical(parameters["logits"], dtype=tf.float32)
        return {"category": category, "z": posterior(parameters)}

    def decode(self, z: tf.Tensor) -> tfd.Distribution:
        """p(x|z), of batch shape (batch,) and event shape data_shape, for z (batch, d)."""
        return self.pixel_distribution(self.traced(self._decoded, tf.convert_to_tensor(z)))

    def reconstruct(self, x: tf.Tensor, sample: bool = False, seed: int | None = None) -> tf.Tensor:
        """E[x|z] at the mean of q(z|x), or at a sample of it; shape (batch, *data_shape).

        Args:
            x: (batch, *data_shape).
            sample: whether z is drawn from q(z|x) instead of being its mean.
            seed: of the draw; None draws anew, an integer repeats.
        """
        if not sample:
            return self.traced(self._reconstruction, float_images(self, x))
        return self.traced(self._drawn, float_images(self, x), self.drawing_seed(seed))

    def generate(self, n: int, seed: int | None = None) -> tf.Tensor:
        """E[x|z] for n draws of the prior, shape (n, *data_shape); see `reconstruct` for `seed`."""
        return self.traced(self._generated, tf.constant(n), self.drawing_seed(seed))

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, steps: int) -> tf.Tensor:
        """Images on the straight line between the posterior means of two images.

        Args:
            a: tensor of shape data_shape. First image.
            b: tensor of shape data_shape. Last image.
            steps: number of images, the reconstructions of a and b included; at least 2.

        Returns:
            (steps, *data_shape).
        """
        if steps < 2:
            raise ValueError(f"steps counts both ends, so it is at least 2; got {steps}.")
        start, end = self._code(float_images(self, tf.stack([a, b]))).mean()
        return self.mean_image(tf.linspace(start, end, steps))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The mean of the reconstruction at the mean of q(z|x)."""
        q = self._code(float_images(self, x), training)
        return self.likelihood.mean(self.decoder(q.mean(), training=training))

    def export_signatures(self) -> dict:
        """What an exported file offers; see `models.autoencoder.signatures.vae_signatures`."""
        return vae_signatures(self)

    def ceilings(self, examples):
        if self.categorical:
            return {self.information_name: math.log(self.prior.categories)}
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
        """As `LedgerModel.compile`.

        Args:
            optimizer: as there.
            discriminator_optimizer: as there.
            local_divergence: bool. On several replicas, whether a divergence without a
                discriminator compares the examples of each replica by itself and is averaged. It
                costs less for large batches, and is another objective, with more noise and the bias
                of smaller batches. False compares the examples of all.
            **kwargs: as there.
        """
        self.local_divergence = bool(local_divergence)
        super().compile(optimizer, discriminator_optimizer, **kwargs)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config and self.local_divergence:
            config["local_divergence"] = True
        return config

    def players(self) -> list[Player]:
        players = [Player("optimizer", "loss", (self.encoder, self.decoder))]
        if adversaries := tuple(self._discriminators().values()):
            players.append(Player("discriminator_optimizer", "discriminator_loss", adversaries))
        return players

    def ledger_names(self) -> list[str]:
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

    # Helpers

    def terms(
        self, x: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        split = tf.random.experimental.stateless_split(seed, num=3)
        data_seed, posterior_seed, prior_seed = tf.unstack(split)
        x = self.likelihood.observe(x, data_seed)
        prior = prior_distribution(self.prior)

        # q(z|x), z ~ q(z|x), p(x|z)
        parameters = self.encoder(x, training=training)
        q = code_distribution(parameters)
        if replicas.several():
            z = replicas.at_own_rows(partial(_sample, seed=posterior_seed), parameters)
        else:
            z = q.sample(seed=posterior_seed)  # the graph, and so the bits, of one device
        observation = self.observation(z, x, training)
        if self._keeping:
            keep_encodings(self, parameters, q, z)

        terms = {"reconstruction": -replicas.mean(observation.log_prob(x))}
        penalties = [replicas.shared(p) for p in (*self.encoder.losses, *self.decoder.losses)]
        loss = tf.add_n([terms["reconstruction"], *penalties])
        if self.has_density:
            terms["rate"] = replicas.mean(distributions.rate(q, prior, z))
            if self.counts_bits:
                bound = terms["reconstruction"] + terms["rate"]
                terms["bits_per_dim"] = bound / (math.prod(self.data_shape) * math.log(2))
            if self.rate_weight:
                loss += self.current_rate_weight(training) * terms["rate"]
        if self.divergence is not None:
            terms |= self._divergence_terms(z, q, parameters, prior_seed, training)
            loss += self.divergence_weight * terms["divergence"]
        if adversaries := self._discriminators().values():
            own = self.divergence.discriminator_loss(z, prior, prior_seed, training)
            penalties = [replicas.shared(p) for network in adversaries for p in network.losses]
            terms["discriminator_loss"] = tf.add_n([own, *penalties])
        more, more_terms = self.encoder_terms(parameters, x, labels, seed, training)
        return {"loss": loss + more, **terms, **more_terms}

    def _divergence_terms(self, z, q, parameters, seed, training) -> dict[str, tf.Tensor]:
        """Terms of the divergence, whose z are those of all replicas."""
        prior = prior_distribution(self.prior)
        # One with a discriminator takes its means over replicas itself.
        if self._discriminators() or not replicas.several():
            return self.divergence.terms(z, q, prior, seed, training)
        if self.local_divergence:
            own = tf.random.experimental.stateless_fold_in(seed, replicas.index())
            terms = self.divergence.terms(z, q, prior, own, training)
            return {name: replicas.shared(term) for name, term in terms.items()}
        parts = dict(replicas.gather({"z": z, **parameters}))
        z = parts.pop("z")
        return self.divergence.terms(z, code_distribution(parts), prior, seed, training)

    def observation(self, z: tf.Tensor, x: tf.Tensor, training: bool) -> tfd.Distribution:
        """p(x|z) as training and `evaluation.log_likelihood` take it at the data x.

        A decoder whose pixels depend on each other overrides it to look at x.
        """
        parameters = self.decoder(z, training=training)
        if training and self.shared_scale is not None:
            return self.pixel_distribution(parameters, self.shared_scale.fit(parameters["loc"], x))
        return self.pixel_distribution(parameters)

    def pixel_distribution(
        self, parameters: Mapping[str, tf.Tensor], scale: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """p(x|z) of the decoder's outputs.

        Args:
            parameters: dict. What the decoder returns, or a client of its exported file.
            scale: scalar. In place of the one that all pixels share.
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
        """What a subclass adds to the loss, from the encoder's outputs, and its terms."""
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
        return self.mean_image(self._code(x).mean())

    def _drawn(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mean_image(self._code(x).sample(seed=seed))

    def _generated(self, n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mean_image(prior_distribution(self.prior).sample(n, seed=seed))

    def _code(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return code_distribution(self.encoder(self.likelihood.observe(x, None), training=training))

    def mean_image(self, z: tf.Tensor) -> tf.Tensor:
        """E[x|z], made of operations that TFLite has."""
        return self.likelihood.mean(self.decoder(z, training=False))


def _sample(parameters: Mapping[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """Draws z, (batch, d), from q(z|x) of an encoder's outputs."""
    return code_distribution(parameters).sample(seed=seed)
