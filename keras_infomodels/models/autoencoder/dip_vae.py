"""The DIP-VAE: a VAE whose latent variables are held uncorrelated and of variance 1."""

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
    """DIP-VAE: a VAE that pays for a covariance of its encodings other than the identity.

        loss = reconstruction + rate
             + lambda_od covariance_off_diagonal + lambda_d covariance_diagonal

        covariance_off_diagonal = sum_{i != j} C_ij^2         (each pair counts twice)
        covariance_diagonal     = sum_i (C_ii - 1)^2
        C = Cov[mu(x)]                                        type "i", of the encoder's means
        C = Cov[mu(x)] + E[diag(sigma(x)^2)] = Cov_q(z)[z]    type "ii", of q(z)

    With both weights 0 this is the `VAE`, to the bit. C is that of the batch, with the divisor n,
    as in the authors' code. Its noise adds to the terms: n draws of N(0, I) in d dimensions still
    give about d (d + 1) / n in sum, so terms compare at one batch size alone.
    Source: Kumar, Sattigeri and Balakrishnan, "Variational inference of disentangled latent
    concepts from unlabeled observations", 2018, equations 6 and 7.

    Args:
        encoder, decoder, likelihood, seed: see `InfoVAE`. The encoder is stochastic.
        prior: a `StandardNormal`, or None for the same.
        dip_type: "i" or "ii". Which covariance C is.
        lambda_od: float. Weight of the entries off the diagonal, at least 0.
        lambda_d: float. Weight of the diagonal, at least 0. The paper takes 10 `lambda_od` for type
            "i", and `lambda_od` for type "ii".

    Raises:
        ValueError: another prior or type, a negative weight, or what `InfoVAE` raises.

    Example:
        sizes = {"image_shape": (28, 28, 1), "latent_dim": 10}
        encoder, decoder = ki.networks.MLPEncoder(**sizes), ki.networks.MLPDecoder(**sizes)
        model = ki.DIPVAE(encoder, decoder, lambda_od=5.0, lambda_d=5.0)
        model.compile("adam")
    """

    title = "DIP-VAE"
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
                "The DIP-VAE holds the covariance to the identity, which is that of the prior "
                f"StandardNormal; take it, or None, or another model. Got {prior!r}."
            )
        check_nonnegative("lambda_od", lambda_od)
        check_nonnegative("lambda_d", lambda_d)
        super().__init__(encoder, decoder, prior, likelihood, seed=seed, **kwargs)
        self.dip_type = dip_type
        self.lambda_od = float(lambda_od)
        self.lambda_d = float(lambda_d)

    def ledger_names(self) -> list[str]:
        return [*super().ledger_names(), *_COVARIANCES]

    def ledger_protocol(self, metrics: Mapping[str, float]) -> str:
        return f"{super().ledger_protocol(metrics)} Terms of the covariance are means over batches."

    def encoder_terms(self, parameters, x, labels, seed, training):
        q = posterior(replicas.gather(parameters))
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
