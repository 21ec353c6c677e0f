import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import export, models
from keras_infomodels.cli import main
from keras_infomodels.distributions import GaussianMixture
from keras_infomodels.evaluation import audit, audit_codes, audit_picture, information_plane

tfd = tfp.distributions
N, S = 3000, 0.6


def encodings(correlation=0.0, n=N, d=3):
    """z = x + s e with var z = 1: I_q, TC and dimension-wise KL are closed forms."""
    rng = np.random.default_rng(0)
    c = (1 - S**2) * ((1 - correlation) * np.eye(d) + correlation)
    loc = rng.multivariate_normal(np.zeros(d), c, size=n)
    log_det = np.linalg.slogdet(c + S**2 * np.eye(d))[1]
    truth = {"I_q": 0.5 * log_det - d * math.log(S), "total correlation": -0.5 * log_det}
    return (loc + S * rng.normal(size=(n, d)), loc, np.full((n, d), S)), truth


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_decomposition_is_the_closed_form(correlation):
    table, truth = encodings(correlation)
    result = audit_codes(*table)
    rows = {name: e.nats for name, e in result.rows.items()}
    # Standard errors of about .02, and what 3,000 posteriors lack of q(z).
    assert rows["I_q lower"] == pytest.approx(truth["I_q"], abs=0.06)
    assert rows["I_q upper"] == pytest.approx(truth["I_q"], abs=0.06)
    assert rows["total correlation"] == pytest.approx(truth["total correlation"], abs=0.06)
    assert rows["dimension-wise KL"] == pytest.approx(0, abs=0.06)
    # By ELBO surgery, up to the closed form of the rate in place of its draws.
    total = rows["I_q lower"] + rows["total correlation"] + rows["dimension-wise KL"]
    assert rows["rate"] == pytest.approx(total, abs=0.1)
    assert sum(e.nats for e in result.dimensions) == pytest.approx(rows["dimension-wise KL"])
    assert result.active_units == 3


def test_calibration_is_the_error_where_the_answer_is_known():
    """Encodings that are Gaussian themselves: the estimate's own error is of the same size."""
    (z, loc, _), _ = encodings(n=300)
    narrow = np.full_like(loc, 0.05)
    result = audit_codes(loc + 0.05 * (z - loc) / S, loc, narrow)
    truth = 0.5 * 3 * math.log1p((1 - S**2) / 0.05**2)
    error = result.rows["I_q lower"].nats - truth
    assert error < -1  # 300 codes cannot say what 8.3 nats are
    assert result.calibration["I_q lower"].nats == pytest.approx(error, abs=0.3)
    assert "capped" in result.rows["I_q lower"].note


def linear_gaussian_pair():
    """p(x|z) = N(W z, s^2 I) with orthogonal columns, and its exact posterior: q(x,z) = p(x,z)."""
    w, s = np.zeros((4, 2), np.float32), 0.5
    w[0, 0], w[1, 1] = 1.0, 0.7
    variance = s**2 / (np.diag(w.T @ w) + s**2)
    matrix = (w * variance / s**2).astype(np.float32)
    scale = np.sqrt(variance).astype(np.float32)

    def encoder(x):
        loc = tf.matmul(x, matrix)
        return tfd.MultivariateNormalDiag(loc, tf.broadcast_to(scale, tf.shape(loc)))

    def decoder(z):
        seed = tf.stack([tf.bitcast(tf.reduce_sum(z), tf.int32), 0])
        mean = tf.matmul(z, w, transpose_b=True)
        return mean + s * tf.random.stateless_normal(tf.shape(mean), seed)

    z = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    return encoder, decoder, decoder(tf.constant(z)).numpy(), -np.log(scale).sum()


def test_the_two_informations_are_equal_where_the_joints_are():
    encoder, decoder, x, exact = linear_gaussian_pair()
    result = audit(encoder, x, decoder=decoder, steps=600, calibrate=False)
    assert result.rows["I_q lower"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["I_p"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["marginal KL"].nats == pytest.approx(0, abs=0.04)
    # Another decoder: I_p changes, I_q stays.
    deaf = audit(encoder, x, decoder=lambda z: decoder(0 * z), steps=50, calibrate=False)
    assert deaf.rows["I_p"].nats < 0.05
    assert deaf.rows["I_q lower"] == result.rows["I_q lower"]


def test_a_model_of_the_library_and_its_saved_model(make_model, images, tmp_path):
    model = make_model(models.VAE)
    result = audit(model, images, steps=0)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    # 40 images of 64 binarized pixels, other draws of these and of z.
    assert result.rows["rate"].nats == pytest.approx(logs["rate"], abs=0.2)
    assert result.rows["reconstruction"].nats == pytest.approx(logs["reconstruction"], abs=3)
    assert result.rows["I_q lower"].ceiling == pytest.approx(math.log(40))
    folder = export.to_saved_model(model, tmp_path / "saved")
    saved = audit(str(folder), images, calibrate=False)
    assert saved.rows["marginal KL"].nats == pytest.approx(result.rows["marginal KL"].nats, abs=1.0)


def test_what_the_adversary_of_a_model_sees(make_model, images):
    model = make_model(models.AdversarialAutoencoder)
    model.fit(images, epochs=2, verbose=0)
    rows = audit(model, images, steps=0, calibrate=False).rows
    z, *_ = model.encoding_table(images, 128)  # as many at a time as audit takes
    logits = model.divergence.discriminator(z)[:, 0]
    kl = rows["marginal KL, adversary"]
    assert kl.nats == pytest.approx(-np.mean(logits), abs=1e-5)
    jsd = rows["JSD, adversary"]
    draws = np.random.default_rng(0).normal(size=(40_000, z.shape[1]))
    real = -np.mean(np.logaddexp(0, -model.divergence.discriminator(draws)[:, 0]))
    expected = math.log(2) + (real - np.mean(np.logaddexp(0, logits))) / 2
    assert jsd.nats == pytest.approx(expected, abs=4 * jsd.standard_error + 0.02)
    assert jsd.ceiling == pytest.approx(math.log(2))


def test_priors_without_a_decomposition():
    table, _ = encodings(n=200)
    result = audit_codes(*table, prior=GaussianMixture(np.eye(3), 1.0), calibrate=False)
    assert "dimension-wise KL" not in result.rows
    assert "total correlation" in result.rows


def test_a_deterministic_encoder_tells_its_examples_apart():
    result = audit(lambda x: {"loc": x}, np.arange(30.0, dtype="f")[:, None])
    assert result.rows["I_q lower"].nats == pytest.approx(math.log(30))
    assert "infinite" in str(result)
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.slow
def test_an_infogan_code_by_code(make_gan):
    result = audit(make_gan(), steps=10)
    assert set(result.rows) == {"I_p(x;digit)", "I_p(x;slant)"}
    assert result.rows["I_p(x;digit)"].ceiling == pytest.approx(math.log(4))
    assert len(audit_picture(result).axes[0].patches) == 2


def test_what_cannot_be_audited_is_refused(images):
    with pytest.raises(ValueError, match="on data"):
        audit(lambda x: x)
    with pytest.raises(ValueError, match="wrap it"):
        audit(lambda x: x, images)
    with pytest.raises(ValueError, match="got int"):
        audit(3, images)


def test_pictures_hold_the_numbers():
    table, _ = encodings(0.8, n=500)
    result = audit_codes(*table, title="mine")
    figure = audit_picture(result)
    texts = " ".join(t.get_text() for t in figure.axes[0].texts)
    lower, upper = (result.rows[name].nats for name in ("I_q lower", "I_q upper"))
    assert f"between {lower:.2f} and {upper:.2f}" in texts
    plane = information_plane({"a": result, "b": audit_codes(*encodings(n=500)[0])})
    points = [tuple(c.get_offsets()[0]) for c in plane.axes[0].collections]
    assert points[0] == pytest.approx((result.rows["marginal KL"].nats, lower))
    assert len(points) == 2


@pytest.mark.slow
def test_the_commands(tmp_path, capsys, monkeypatch):
    from keras_infomodels import networks

    keras.utils.set_random_seed(0)
    model = models.VAE(
        networks.MLPEncoder((28, 28, 1), 2, widths=(8,)),
        networks.MLPDecoder((28, 28, 1), 2, widths=(8,)),
        likelihood="bernoulli_stochastic",
    )
    model.save_to_preset(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    data = ["--dataset", "fashion_mnist_mini", "--limit", "256"]
    assert main(["audit", "tiny", *data, "--steps", "0"]) == 0
    out = capsys.readouterr().out
    assert "I_q lower" in out
    assert "calibration" in out
    numbers = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert numbers["examples"] == 256
    assert {"I_q upper", "rate"} <= set(numbers["rows"])
    assert main(["plane", "tiny", *data]) == 0
    assert (tmp_path / "plane" / "audit.png").stat().st_size > 10_000
    assert main(["audit", "tiny"]) == 1
