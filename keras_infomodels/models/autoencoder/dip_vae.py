"""The DIP-VAE: a VAE with a penalty on correlated latent variables."""

from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.distributions import StandardNormal, posterior
from keras_infomodels.models.autoencoder.infovae import InfoVAE
from keras_infomodels.registry import built_in
from keras_infomodels.spec import check_nonnegative

__all__ = ["DIPVAE"]

_COVARIANCES = ("covariance_off_diagonal", "covariance_diagonal")


@built_in
class DIPVAE(InfoVAE):
    """DIP-VAE: a VAE that pushes the covariance of the latent variables towards the identity.

        loss = reconstruction + rate
             + lambda_od covariance_off_diagonal + lambda_d covariance_diagonal

        covariance_off_diagonal = sum_{i != j} C_ij^2         (each pair counts twice)
        covariance_diagonal     = sum_i (C_ii - 1)^2
        C = Cov[mu(x)]                                        type "i", of the encoder's means
        C = Cov[mu(x)] + E[diag(sigma(x)^2)] = Cov_q(z)[z]    type "ii", of q(z)

    mu(x) and sigma(x) are the mean and standard deviation of q(z|x), the encoder's distribution of
    the d latent variables z for an image x. reconstruction and rate, in nats, are those of `VAE`. C
    is estimated from a batch of n images, with divisor n, as in the authors' code. The estimate is
    biased upwards: for n draws of N(0, I) the two terms add up to about d (d + 1) / n instead of 0.
    Therefore compare the terms at the same batch size only. With both weights 0, training is
    bit-identical to that of the `VAE`.

    Source: Kumar, Sattigeri and Balakrishnan, "Variational inference of disentangled latent
    concepts from unlabeled observations", 2018, equations 6 and 7.

    Args:
        encoder: Keras model. Maps images (batch, height, width, channels) to {"loc", "scale"}, the
            mean and standard deviation of q(z|x), each (batch, latent_dim).
        decoder: Keras model. Maps latent variables z (batch, latent_dim) to a dict of the
            parameters that `likelihood` needs, such as {"logits"} for Bernoulli pixels.
        prior: `StandardNormal`. Distribution p(z), which must be N(0, I). `None` creates it.
        likelihood: str or `Likelihood`. Distribution p(x|z) of the pixels: a key of
            `distributions.LIKELIHOODS`, such as "gaussian", or an object.
        dip_type: str. Covariance C in the penalty: "i" (of the means) or "ii" (of z).
        lambda_od: float, at least 0. Weight of the entries off the diagonal.
        lambda_d: float, at least 0. Weight of the entries on the diagonal. The paper uses 10 times
            `lambda_od` for type "i", and `lambda_od` for type "ii".
        seed: int. Seed of all randomness in training and evaluation.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If the prior is not N(0, I), `dip_type` is unknown, a weight is negative, or
            settings or shapes do not fit together.

    Example:
        encoder = ki.networks.MLPEncoder((28, 28, 1), latent_dim=10)
        decoder = ki.networks.MLPDecoder((28, 28, 1), latent_dim=10)
        model = ki.DIPVAE(encoder, decoder, lambda_od=5.0, lambda_d=5.0)
        model.compile("adam")
    """

    title = "DIP-VAE"
    takes_fitted_prior = False
    citation = (
        "A. Kumar, P. Sattigeri and A. Balakrishnan, Variational inference of disentangled "
        "latent concepts from unlabeled observations, 2018, https://arxiv.org/abs/1711.00848"
    )

    units = InfoVAE.units | dict.fromkeys(_COVARIANCES, "squared variances")

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        likelihood="bernoulli",
        dip_type: Literal["i", "ii"] = "ii",
        lambda_od: float = 10.0,
        lambda_d: float = 10.0,
        seed: int = 0,
        **kwargs,
    ):
        if dip_type not in ("i", "ii"):
            raise ValueError(f'dip_type is "i" or "ii", got {dip_type!r}.')
        if not (prior is None or isinstance(prior, StandardNormal)):
            raise ValueError(
                "The DIP-VAE matches the covariance to the identity, the covariance of the prior "
                f"StandardNormal; take this prior, or None, or another model. Got {prior!r}."
            )
        check_nonnegative("lambda_od", lambda_od)
        check_nonnegative("lambda_d", lambda_d)
        super().__init__(encoder, decoder, prior, likelihood, seed=seed, **kwargs)
        self.dip_type = dip_type
        self.lambda_od = float(lambda_od)
        self.lambda_d = float(lambda_d)

    def term_names(self) -> list[str]:
        return [*super().term_names(), *_COVARIANCES]

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        return (
            f"{super().describe_metrics(metrics)} Terms of the covariance are means over batches."
        )

    def encoder_terms(self, parameters, x, labels, seed, training):
        q = posterior(replicas.gather(parameters))
        # Divisor n, as in the authors' code, and not n - 1.
        means = q.mean() - tf.reduce_mean(q.mean(), axis=0)  # (n, d)
        covariance = tf.matmul(means, means, transpose_a=True)  # (d, d)
        covariance /= tf.cast(tf.shape(means)[0], means.dtype)
        if self.dip_type == "ii":
            covariance += tf.linalg.diag(tf.reduce_mean(q.variance(), axis=0))
        variances = tf.linalg.diag_part(covariance)
        correlated = covariance - tf.linalg.diag(variances)
        terms = {
            "covariance_off_diagonal": tf.reduce_sum(correlated**2),
            "covariance_diagonal": tf.reduce_sum((variances - 1) ** 2),
        }
        penalty = self.lambda_od * terms["covariance_off_diagonal"]
        return penalty + self.lambda_d * terms["covariance_diagonal"], terms

    def get_config(self) -> dict:
        config = super().get_config()
        config = {k: v for k, v in config.items() if k not in ("alpha", "lambda_", "divergence")}
        own = {name: getattr(self, name) for name in ("dip_type", "lambda_od", "lambda_d")}
        return config | own
