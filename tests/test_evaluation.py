import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from keras_infomodels import datasets, models
from keras_infomodels.distributions import Gaussian
from keras_infomodels.evaluation import clustering_error, latent_statistics, log_likelihood

tfd = tfp.distributions
rng = np.random.default_rng(0)
D, K, SIGMA = 5, 2, 0.6
W, C = rng.normal(size=(D, K)), rng.normal(size=D)
X = (rng.normal(size=(60, D)) @ rng.normal(size=(D, D))).astype(np.float32)


def linear_vae(posterior_scale=1.0, likelihood=None, **kwargs):
    """p(z) = N(0, I), p(x|z) = N(Wz + c, s^2 I), with the exact posterior times a scale."""
    m = W.T @ W + SIGMA**2 * np.eye(K)
    covariance = SIGMA**2 * np.linalg.inv(m)
    # Rotate z so that the exact posterior is diagonal.
    values, rotation = np.linalg.eigh(covariance)
    w = W @ rotation
    a = rotation.T @ np.linalg.solve(m, W.T)
    x, z = keras.Input((D,)), keras.Input((K,))
    loc, scale, mean = keras.layers.Dense(K), keras.layers.Dense(K), keras.layers.Dense(D)
    encoder = keras.Model(x, {"loc": loc(x), "scale": scale(x)})
    decoder = keras.Model(z, {"loc": mean(z)})
    loc.set_weights([a.T, -a @ C])
    scale.set_weights([np.zeros((D, K)), posterior_scale * np.sqrt(values)])
    mean.set_weights([w.T, C])
    return models.VAE(encoder, decoder, likelihood=likelihood or Gaussian(SIGMA), **kwargs)


def exact():
    return stats.multivariate_normal(C, W @ W.T + SIGMA**2 * np.eye(D)).logpdf(X)


@pytest.mark.parametrize("samples", [1, 7])
def test_log_likelihood_is_exact_with_the_exact_posterior(samples):
    for seed in (0, 1):
        estimate = log_likelihood(linear_vae(), X, samples=samples, seed=seed)
        assert estimate.nats == pytest.approx(exact().mean(), rel=1e-5)
        error = exact().std(ddof=1) / np.sqrt(60)
        assert estimate.standard_error == pytest.approx(error, rel=1e-4)


class Chained(models.VAE):
    """Pixels that depend on the earlier ones: x = Wz + c + Bx + noise, B strictly triangular."""

    chain = np.tril(np.random.default_rng(4).normal(size=(D, D)), -1).astype(np.float32)

    def observation(self, z, x, training):
        loc = self.decoder(z, training=training)["loc"] + x @ self.chain.T
        return tfd.Independent(tfd.Normal(loc, SIGMA), 1)


@pytest.mark.parametrize("samples", [1, 7])
def test_log_likelihood_pairs_an_observation_with_its_own_z(samples):
    """(I - B) x is what the linear model is of, and the change of variables has determinant 1."""
    plain = linear_vae()
    apart = np.eye(D, dtype=np.float32) - Chained.chain
    x = keras.Input((D,))
    # A layer with weights: the encoder reads (I - B) x.
    first = keras.layers.Dense(D, use_bias=False)
    encoder = keras.Model(x, plain.encoder(first(x)))
    first.set_weights([apart.T])
    model = Chained(encoder, plain.decoder, likelihood=Gaussian(SIGMA))
    data = np.linalg.solve(apart, X.T).T.astype(np.float32)
    estimate = log_likelihood(model, data, samples=samples, batch_size=8)
    assert estimate.nats == pytest.approx(exact().mean(), rel=1e-4)


def test_log_likelihood_rises_to_the_truth_with_more_samples():
    model = linear_vae(posterior_scale=1.6)
    truth = exact().mean()
    values = [log_likelihood(model, X, samples=s, seed=3).nats for s in (1, 20, 2000)]
    assert values[0] < values[1] < values[2] + 0.01
    assert values[2] == pytest.approx(truth, abs=0.01)
    # One sample is the ELBO, whose gap is KL(q || p(z|x)) of the wider posterior.
    gap = K * 0.5 * (1.6**2 - 1 - np.log(1.6**2))
    one = log_likelihood(model, np.tile(X, (100, 1)), samples=1, batch_size=2000)
    assert one.nats == pytest.approx(truth - gap, abs=0.05)
    assert gap > 0.2


def test_log_likelihood_repeats_on_a_shuffled_dataset(make_model, images):
    model = make_model(models.VAE)
    dataset = datasets.from_arrays(images, batch_size=10, seed=2)
    first = log_likelihood(model, dataset, samples=2)
    dataset.epoch.assign(7)
    assert log_likelihood(model, dataset, samples=2) == first
    assert int(dataset.epoch) == 7


def test_log_likelihood_says_what_was_computed(make_model, images):
    estimate = log_likelihood(make_model(models.VAE), images, samples=3)
    assert estimate.kind == "lower bound"
    assert estimate.method == "importance sampling, 3 samples"
    assert estimate.note == "p(x|z) is Bernoulli(binarization='stochastic')"


def test_log_likelihood_refuses_data_the_model_cannot_explain(make_model, images):
    model = make_model(models.VAE, likelihood="bernoulli")
    binary = (images > 0.5).astype(np.float32)
    assert np.isfinite(log_likelihood(model, binary, samples=2).nats)
    wrong = binary.copy()
    wrong[35, 0, 0, 0] = np.nan
    for data, message in (
        (images, "Pixels are binary"),
        (255 * binary, r"in \[0, 1\]"),
        (wrong, "NaN"),
        (binary[:0], "no images"),
        (binary[..., 0], "channel axis"),
        (list(binary), "an array, a tf.data.Dataset"),
    ):
        with pytest.raises(ValueError, match=message):
            log_likelihood(model, data, samples=2)
        if len(data) and isinstance(data, np.ndarray):
            dataset = tf.data.Dataset.from_tensor_slices(data).batch(10)
            with pytest.raises(ValueError, match=message):  # also where a late batch is wrong
                log_likelihood(model, dataset, samples=2)
    with pytest.raises(ValueError, match="no images"):
        log_likelihood(model, tf.data.Dataset.from_tensor_slices(binary).batch(10).take(0))
    for name in ("samples", "batch_size"):
        for value in (0, 2.5):
            with pytest.raises(ValueError, match=f"{name} is an integer of at least 1"):
                log_likelihood(model, binary, **{name: value})


def test_log_likelihood_binarizes_once_for_each_seed(make_model, images):
    model = make_model(models.VAE)
    a, b, c = (log_likelihood(model, images, samples=2, seed=s).nats for s in (0, 0, 1))
    assert a == b != c
    dataset = datasets.from_arrays(images, batch_size=50, shuffle=False)
    assert log_likelihood(model, dataset, samples=2, seed=0).nats == pytest.approx(a, abs=1e-5)


def test_log_likelihood_refuses_a_deterministic_encoder():
    x, z = keras.Input((D,)), keras.Input((K,))
    encoder = keras.Model(x, {"loc": keras.layers.Dense(K)(x)})
    decoder = keras.Model(z, {"loc": keras.layers.Dense(D)(z)})
    model = models.MMDVAE(encoder, decoder, likelihood=Gaussian(1.0))
    with pytest.raises(ValueError, match="no density"):
        log_likelihood(model, X)


def test_latent_statistics_of_a_known_gaussian():
    covariance = np.array([[4.0, 0.5], [0.5, 0.3]])
    mean = np.array([0.3, -0.2])
    z = rng.normal(size=(4000, 2))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    z = z @ np.linalg.cholesky(covariance).T + mean
    loc = z * [1.0, 0.05]
    result = latent_statistics(z, loc)
    logdet = np.log(np.linalg.det(covariance))
    assert result.log_det == pytest.approx(logdet, abs=1e-6)
    kl = 0.5 * (np.trace(covariance) + mean @ mean - 2 - logdet)
    assert result.gaussian_kl == pytest.approx(kl, abs=1e-6)
    closed, _, _ = oracles.gaussian_mmd(mean, covariance, 2.0)
    assert result.mmd == pytest.approx(closed, abs=0.01)
    assert result.active_units == 1
    with pytest.raises(ValueError, match="more than 2 draws"):
        latent_statistics(z[:2], loc[:2])


def test_latent_statistics_active_units_start_at_one_hundredth():
    z = rng.normal(size=(1000, 4))
    deviations = np.sqrt([0.009, 0.011, 0.09, 1.0])
    loc = (z - z.mean(0)) / z.std(0) * deviations
    assert latent_statistics(z, loc).active_units == 3


def test_clustering_error_one_to_one_is_hungarian():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    clusters = np.array([2, 2, 0, 0, 0, 1, 1, 1, 0])
    score = clustering_error(labels, clusters)
    np.testing.assert_array_equal(score.names, [1, 2, 0])
    assert score.error == pytest.approx(2 / 9)
    assert clustering_error(labels, labels).nmi == pytest.approx(1)
    assert clustering_error(labels, labels).ari == pytest.approx(1)


def test_clustering_error_with_more_clusters_than_labels():
    labels = np.array([0, 0, 0, 1, 1, 1])
    clusters = np.array([0, 0, 3, 1, 1, 2])
    assert clustering_error(labels, clusters, "majority").error == 0
    one_to_one = clustering_error(labels, clusters)
    assert one_to_one.error == pytest.approx(2 / 6)
    assert sorted(one_to_one.names) == [-1, -1, 0, 1]


def test_clustering_error_takes_names_from_the_naming_set():
    train = (np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]))
    labels, clusters = np.array([0, 0, 1]), np.array([0, 0, 1])
    assert clustering_error(labels, clusters, "majority").error == 0
    assert clustering_error(labels, clusters, "majority", train).error == pytest.approx(2 / 3)
    confident = clustering_error(
        labels, clusters, "most_confident", train, confidence=np.array([0.9, 0.5, 0.6, 0.7])
    )
    np.testing.assert_array_equal(confident.names, [0, 1])
    assert confident.error == 0


def test_clustering_error_names_wrong_arguments():
    labels = np.array([0, 1])
    with pytest.raises(ValueError, match="one_to_one"):
        clustering_error(labels, labels, "greedy")
    with pytest.raises(ValueError, match="confidence"):
        clustering_error(labels, labels, "most_confident")
    with pytest.raises(ValueError, match="have one shape"):
        clustering_error(labels, labels[:1])


def test_log_likelihood_batches_have_draws_of_their_own(make_model, images):
    model = make_model(models.VAE, likelihood="bernoulli_threshold")
    same = np.repeat(images[:1], 4, axis=0)
    one, both = (log_likelihood(model, x, samples=1, batch_size=2) for x in (same[:2], same))
    assert both.nats != pytest.approx(one.nats, abs=1e-3)


def test_latent_statistics_log_det_of_codes_in_a_plane_is_infinite():
    """A category's probabilities add to 1, as far as float32 goes."""
    for categories in (2, 10, 50):
        for spread in (0.01, 1.0):
            p = np.exp(spread * rng.normal(size=(1000, categories)))
            p = (p / p.sum(1, keepdims=True)).astype(np.float32)
            result = latent_statistics(p, p)
            assert (result.log_det, result.gaussian_kl) == (-np.inf, np.inf)
            assert np.isfinite(latent_statistics(p[:, 1:], p[:, 1:]).log_det)
    for scales in ([1.0, 1e-4], [1e3, 1e-4]):
        narrow = rng.normal(size=(1000, 2)) * scales
        expected = np.linalg.slogdet(np.cov(narrow.T))[1]
        assert latent_statistics(narrow, narrow).log_det == pytest.approx(expected, abs=1e-6)
    still = np.stack([rng.normal(size=1000), np.zeros(1000)], axis=1)
    assert latent_statistics(still, still).log_det == -np.inf


def test_latent_statistics_refuses_what_is_no_encoding():
    z = rng.normal(size=(20, 2))
    with pytest.raises(ValueError, match="one shape"):
        latent_statistics(z, z[:, :1])
    with pytest.raises(ValueError, match="NaN"):
        latent_statistics(z, np.where(z > 0, np.nan, z))
