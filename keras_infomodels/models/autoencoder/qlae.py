"""QLAE: an autoencoder whose latent variables take a few learned values each."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import replicas
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.models.checks import input_shape, output_shapes
from keras_infomodels.models.signatures import Input, Signature
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_int, check_nonnegative

tfd = tfp.distributions

__all__ = ["QLAE"]

_TERMS = ("quantization", "commitment")


@built_in
class QLAE(InfoVAE):
    """Quantized-latent autoencoder: each of d latent variables takes one of K learned values.

        loss = reconstruction + quantization_weight quantization + commitment_weight commitment

        y_j          = the encoder's output "loc", for j = 1, ..., d
        z_j          = the value among v_j1, ..., v_jK that is nearest to y_j
        quantization = E sum_j (stop(y_j) - z_j)^2     squared latents; trains the values v
        commitment   = E sum_j (y_j - stop(z_j))^2     squared latents; trains the encoder
        rate         = d ln K                          nats per example, a constant

    stop() blocks the gradient. reconstruction is -E log p(x|z), in nats per image x. The gradient
    of the reconstruction with respect to z is used as the gradient with respect to y
    (straight-through estimator).

    q(z|x) is a point mass, and the prior is uniform over the K^d combinations of values. Therefore
    the rate is constant, and reconstruction + rate is an upper bound on -log p(x). The mutual
    information I_q(x;z) is the entropy of the combination that encodes an image. It is at most d ln
    K; `mutual_information` estimates it from the counts of up to 10,000 images. The model is an
    `InfoVAE` with alpha = 1, no divergence, and a quantizer after the encoder.

    The authors found weight decay to matter as much as the quantization. Compile with
    `keras.optimizers.AdamW(weight_decay=0.1)`.

    Source: Hsu et al., "Disentanglement via latent quantization", 2023, section 3.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels), or data of another
            shape, to {"loc"} (batch, d). It must be deterministic: no "scale".
        decoder: Keras model. Maps z (batch, d) to a dict of the parameters that `likelihood` needs.
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, or an object.
        num_values: int, at least 2. Number K of values of each latent variable. They start evenly
            spaced from -1/2 to 1/2.
        quantization_weight: float, at least 0. Weight of `quantization`.
        commitment_weight: float, at least 0. Weight of `commitment`.
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If there are fewer than two values, a weight is negative, or settings or shapes
            do not fit together.

    Example:
        sizes = {"image_shape": (28, 28, 1), "latent_dim": 10}
        encoder = ki.networks.MLPEncoder(**sizes, min_stddev=None)
        model = ki.QLAE(encoder, ki.networks.MLPDecoder(**sizes), num_values=8)
        model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1))
    """

    title = "Quantized-latent autoencoder"
    takes_fitted_prior = False
    citation = (
        "K. Hsu, W. Dorrell, J. Whittington, J. Wu and C. Finn, Disentanglement via latent "
        "quantization, 2023, https://arxiv.org/abs/2305.18378"
    )

    units = InfoVAE.units | dict.fromkeys(_TERMS, "squared latents")

    @classmethod
    def complete(cls, table, image_shape):
        """Returns the `[model]` table of a recipe, with default networks where it names none.

        Args:
            table: dict. Table `[model]` of a recipe.
            image_shape: (height, width, channels). Shape of an image.
        """
        completed = super().complete(table, image_shape)
        encoder = {"min_stddev": "none", **completed["encoder"]}
        if "prior" not in table:
            completed.pop("prior")
        return completed | {"encoder": encoder}

    def __init__(
        self,
        encoder,
        decoder,
        likelihood="bernoulli",
        num_values: int = 10,
        quantization_weight: float = 1.0,
        commitment_weight: float = 1.0,
        seed: int = 0,
        **kwargs,
    ):
        num_values = check_int("num_values", num_values, 2)
        check_nonnegative("quantization_weight", quantization_weight)
        check_nonnegative("commitment_weight", commitment_weight)
        encoder, quantizer = _quantized(encoder, num_values)
        super().__init__(encoder, decoder, _Values(quantizer), likelihood, 1.0, seed=seed, **kwargs)
        self.num_values = num_values
        self.quantization_weight = float(quantization_weight)
        self.commitment_weight = float(commitment_weight)

    @property
    def divergence_weight(self) -> float:
        """Weight of the divergence in the loss: 0, because latents are not matched to a prior."""
        return 0.0

    @property
    def codebook(self) -> np.ndarray:
        """Learned values of each latent variable, float32 array (d, K)."""
        return self.prior.quantizer.values.numpy()

    def encode_indices(self, x: tf.Tensor) -> np.ndarray:
        """Returns the index (0 to K - 1) of each latent variable's value, int64 array (batch, d).

        Args:
            x: tensor (batch, *data_shape). Images.
        """
        z = self.encode(x).mean().numpy()
        return np.abs(z[:, :, None] - self.codebook).argmin(axis=2)

    def export_signatures(self) -> dict:
        """Returns the functions of an exported file: dict from name to `Signature`.

        The names are those of `InfoVAE.export_signatures`. The signature `generate` takes
        `position`, d numbers in (-1, 1) for each image. The interval is divided into K equal parts,
        one for each value of a latent variable. Uniform draws of `position` are draws of the prior.
        """
        position = Input("position", (self.latent_dim,), "uniform")
        return super().export_signatures() | {"generate": Signature(self._at, (position,))}

    def _at(self, position: tf.Tensor) -> dict[str, tf.Tensor]:
        """The images of latent variables at such places among their values."""
        places = tf.floor((position + 1) / 2 * self.num_values)
        index = tf.cast(tf.clip_by_value(places, 0, self.num_values - 1), tf.int32)
        z = _chosen(tf.convert_to_tensor(self.prior.quantizer.values), index)
        return {"image": self.mean_image(z)}

    def ceilings(self, examples):
        combinations = self.latent_dim * math.log(self.num_values)
        return {name: min(c, combinations) for name, c in super().ceilings(examples).items()}

    def term_names(self) -> list[str]:
        return [*super().term_names(), "rate", *_TERMS]

    def encoder_terms(self, parameters, x, labels, seed, training):
        y, z = parameters["continuous"], parameters["value"]
        rate = self.latent_dim * math.log(self.num_values)
        terms = {
            "quantization": _squared(tf.stop_gradient(y) - z),
            "commitment": _squared(y - tf.stop_gradient(z)),
        }
        loss = self.quantization_weight * terms["quantization"]
        loss += self.commitment_weight * terms["commitment"]
        return loss, {"rate": tf.constant(rate, tf.float32), **terms}

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "encoder": serialize(self.encoder.get_layer(index=1)),
            "decoder": serialize(self.decoder),
            "likelihood": serialize(self.likelihood),
            "num_values": self.num_values,
            "quantization_weight": self.quantization_weight,
            "commitment_weight": self.commitment_weight,
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
        }


def _squared(differences: tf.Tensor) -> tf.Tensor:
    return replicas.mean(tf.reduce_sum(tf.square(differences), axis=1))


def _quantized(encoder: keras.Model, num_values: int) -> tuple[keras.Model, "_Quantizer"]:
    """The encoder with a quantizer behind it, and that quantizer."""
    shape = input_shape(encoder, "encoder")
    outputs = output_shapes(encoder, (1, *shape))
    if not isinstance(outputs, dict) or set(outputs) != {"loc"}:
        found = sorted(outputs) if isinstance(outputs, dict) else outputs
        raise ValueError(
            'The encoder of a QLAE is deterministic and returns {"loc"} alone, got '
            f"{found}; build it with min_stddev=None."
        )
    x = keras.Input(shape, name="image")
    quantizer = _Quantizer(num_values, dtype="float32", name="quantizer")
    outputs = quantizer(encoder(x)["loc"])
    return _QuantizedEncoder(x, outputs, name="quantized_encoder"), quantizer


class _QuantizedEncoder(keras.Model):
    """A functional model with a name of its own where networks are listed."""


def _chosen(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """The values (d, K) at an index (batch, d), to the bit; (batch, d)."""
    return tf.reduce_sum(tf.one_hot(index, values.shape[1]) * values, axis=2)


class _Quantizer(keras.layers.Layer):
    """Replaces each of d numbers by the nearest of its K values.

    Its outputs, each (batch, d): "loc", the values with the gradient of a straight-through
    estimator, "value", the same with the values' own gradient, and "continuous", the inputs.
    """

    def __init__(self, num_values: int, **kwargs):
        super().__init__(**kwargs)
        self.num_values = num_values

    def build(self, shape):
        even = np.tile(np.linspace(-0.5, 0.5, self.num_values), (shape[-1], 1))
        self.values = self.add_weight(
            shape=even.shape, initializer=keras.initializers.Constant(even), name="values"
        )

    def call(self, y):
        values = tf.convert_to_tensor(self.values)
        nearest = tf.argmin(tf.abs(y[:, :, None] - values), axis=2)  # (batch, d)
        value = _chosen(values, nearest)
        # Equal to the value to the bit, which value - y added to y is not.
        loc = tf.stop_gradient(value) + (y - tf.stop_gradient(y))
        return {"loc": loc, "value": value, "continuous": y}


class _Values:
    """Prior of a QLAE: uniform over the present values of each latent variable."""

    def __init__(self, quantizer: _Quantizer):
        self.quantizer = quantizer

    def distribution(self) -> tfd.Distribution:
        """Returns the TFP distribution, of batch shape () and event shape (d,)."""
        values = tf.convert_to_tensor(self.quantizer.values)
        each = tfd.MixtureSameFamily(
            tfd.Categorical(logits=tf.zeros_like(values)), tfd.Deterministic(values)
        )
        return tfd.Independent(each, 1)
