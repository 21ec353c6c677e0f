"""The models' own steps against the model in which every term has a closed form."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import divergences
from keras_infomodels.distributions import Gaussian
from keras_infomodels.models import InfoVAE

tfd = tfp.distributions

# A linear-Gaussian model: x ~ N(0, Sx), q(z|x) = N(A x + b, S), p(x|z) = N(W z + c, s^2 I).
_rng = np.random.default_rng(3)
_factor = _rng.normal(size=(4, 4))
CASE = {
    "sx": _factor @ _factor.T / 4 + 0.2 * np.eye(4),
    "a": 0.5 * _rng.normal(size=(2, 4)),
    "b": np.array([0.3, -0.2]),
    "s": np.diag([0.5, 0.7]) ** 2,
    "w": _rng.normal(size=(4, 2)),
    "c": _rng.normal(size=4),
    "sigma": 0.8,
}
EXAMPLES = 20_000


def linear_model(alpha, lambda_, divergence=None, case=CASE):
    """A case as Keras networks, with a learning rate of 0."""
    x, z = keras.Input((4,)), keras.Input((2,))
    loc, scale = keras.layers.Dense(2), keras.layers.Dense(2)
    encoder = keras.Model(x, {"loc": loc(x), "scale": scale(x)})
    mean = keras.layers.Dense(4)
    decoder = keras.Model(z, {"loc": mean(z)})
    loc.set_weights([case["a"].T, case["b"]])
    scale.set_weights([np.zeros((4, 2)), np.sqrt(np.diag(case["s"]))])
    mean.set_weights([case["w"].T, case["c"]])
    model = InfoVAE(
        encoder, decoder, None, Gaussian(case["sigma"]), alpha, lambda_, divergence, seed=5
    )
    model.compile(keras.optimizers.SGD(0.0))
    return model


@pytest.fixture(scope="module")
def data():
    """Draws of N(0, Sx) whose own mean and covariance are exactly 0 and Sx."""
    x = np.random.default_rng(0).normal(size=(EXAMPLES, 4))
    x -= x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(x.T @ x / EXAMPLES), x.T).T
    return (x @ np.linalg.cholesky(CASE["sx"]).T).astype(np.float32)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


WEIGHTS = [slow(0, 1), slow(0, 1000), slow(1, 1), slow(1, 10), (0.5, 3), slow(-3, 4)]


@pytest.mark.filterwarnings("ignore:alpha=:UserWarning")
@pytest.mark.parametrize(("alpha", "lambda_"), WEIGHTS)
def test_infovae_fit_and_evaluate_give_the_closed_forms(data, alpha, lambda_):
    expected = oracles.linear_gaussian(**CASE)
    sz = CASE["a"] @ CASE["sx"] @ CASE["a"].T + CASE["s"]
    mmd, _, _ = oracles.gaussian_mmd(CASE["b"], sz, 2.0)
    model = linear_model(alpha, lambda_, divergences.MMD("gaussian"))
    history = model.fit(data, batch_size=500, epochs=1, shuffle=False, verbose=0).history
    logs = model.evaluate(data, batch_size=500, verbose=0, return_dict=True)
    for ledger in ({k: v[0] for k, v in history.items()}, logs):
        # Its only noise is z's: 20,000 draws of the squared error.
        assert ledger["reconstruction"] == pytest.approx(expected["reconstruction"], abs=0.1)
        # A function of x's second moments alone.
        assert ledger["rate"] == pytest.approx(expected["rate"], rel=1e-4)
        # 40 batches of 500: a batch has a standard deviation of about 0.003.
        assert ledger["divergence"] == pytest.approx(mmd, abs=0.002)
        loss = ledger["reconstruction"] + (1 - alpha) * ledger["rate"]
        loss += (alpha + lambda_ - 1) * ledger["divergence"]
        assert ledger["loss"] == pytest.approx(loss, rel=1e-5)


def test_infovae_elbo_plus_mutual_information_is_closed_form(data):
    expected = oracles.linear_gaussian(**CASE)
    model = linear_model(0.0, 1.0)
    logs = model.evaluate(data, batch_size=500, verbose=0, return_dict=True)
    elbo = -logs["loss"]
    information = model.mutual_information(data, batch_size=1000)  # q(z) of 10,000 examples
    assert information.nats == pytest.approx(expected["mutual_information"], abs=0.05)
    right = -logs["reconstruction"] - expected["marginal_kl"]
    assert elbo + information.nats == pytest.approx(right, abs=0.05)


class _GaussianKL(divergences.MMD):
    """KL(N(m, S) || N(0, I)) with the moments of q(z), exact for this case."""

    def __call__(self, z, posterior, prior, seed):
        mean = tf.reduce_mean(posterior.mean(), 0)
        covariance = tfp.stats.covariance(posterior.mean())
        covariance += tf.reduce_mean(posterior.covariance(), 0)
        trace = tf.linalg.trace(covariance) + tf.reduce_sum(mean**2)
        return 0.5 * (trace - z.shape[1] - tf.linalg.logdet(covariance))


@pytest.mark.parametrize(("alpha", "lambda_"), WEIGHTS)
def test_infovae_loss_with_the_kl_itself_is_the_closed_form(data, alpha, lambda_):
    t = oracles.linear_gaussian(**CASE)
    # Written through I_q, where the model writes it through the rate.
    expected = (
        t["reconstruction"] + (1 - alpha) * t["mutual_information"] + lambda_ * t["marginal_kl"]
    )
    model = linear_model(alpha, lambda_, _GaussianKL())
    logs = model.evaluate(data, batch_size=EXAMPLES, verbose=0, return_dict=True)
    # The reconstruction's noise, and float32.
    error = 0.1 + (alpha + lambda_ - 1) * 1e-4
    assert logs["loss"] == pytest.approx(expected, abs=error)


# The same with encodings whose two variables go together.
CORRELATED = CASE | {"a": CASE["a"] + np.array([[0.0], [1.5]]) * CASE["a"][:1]}
SZ = CORRELATED["a"] @ CASE["sx"] @ CORRELATED["a"].T + CASE["s"]


class ExactRatio(keras.layers.Layer):
    """T = log prod_j q(z_j) / q(z), of the correlated case's Gaussian q(z)."""

    def call(self, z):
        b, covariance = CASE["b"].astype(np.float32), SZ.astype(np.float32)
        q = tfd.MultivariateNormalTriL(b, np.linalg.cholesky(covariance))
        marginals = tfd.Independent(tfd.Normal(b, np.sqrt(np.diag(covariance))), 1)
        return (marginals.log_prob(z) - q.log_prob(z))[:, None]


@pytest.mark.parametrize("beta", [pytest.param(1.0, marks=pytest.mark.slow), 6.0])
def test_total_correlation_weighs_the_terms_as_beta_tcvae(data, beta):
    """With alpha = 0, lambda = beta the rate becomes I_q + beta TC + sum_j KL(q(z_j) || p(z_j))."""
    variances = np.diag(SZ)
    correlation = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(SZ)[1])
    by_dimension = 0.5 * np.sum(variances + CASE["b"] ** 2 - 1 - np.log(variances))
    assert correlation > 0.1
    z = keras.Input((2,))
    ratio = divergences.TotalCorrelation(keras.Model(z, ExactRatio()(z)))
    model = linear_model(0.0, beta, ratio, CORRELATED)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    logs = model.evaluate(data, batch_size=500, verbose=0, return_dict=True)
    assert logs["divergence"] == pytest.approx(correlation, abs=0.01)
    information = oracles.linear_gaussian(**CORRELATED)["mutual_information"]
    terms = information + beta * correlation + by_dimension
    assert logs["loss"] - logs["reconstruction"] == pytest.approx(terms, abs=0.01 * beta)
