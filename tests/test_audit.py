import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from oracles import encodings

from keras_infomodels import export, models, networks
from keras_infomodels.cli import main
from keras_infomodels.distributions import (
    Categorical,
    Code,
    GaussianMixture,
    Latents,
    StandardNormal,
    Uniform,
)
from keras_infomodels.evaluation import Audit, audit, audit_codes, audit_picture, information_plane
from keras_infomodels.evaluation.encodings import encode, saved_encoder
from keras_infomodels.evaluation.recognition import fit_posterior
from keras_infomodels.information import Estimate

tfd = tfp.distributions


def linear_gaussian_pair(stddev=1.0):
    """p(x|z) = N(W z, s^2 I), z ~ N(0, stddev^2 I), with orthogonal columns, and its exact
    posterior: q(x,z) = p(x,z). W shrinks as the prior widens, so I = 1.347 for any stddev."""
    w, s = np.zeros((4, 2), np.float32), 0.5
    w[0, 0], w[1, 1] = 1.0 / stddev, 0.7 / stddev
    variance = s**2 / (np.diag(w.T @ w) + s**2 / stddev**2)
    matrix = (w * variance / s**2).astype(np.float32)
    scale = np.sqrt(variance).astype(np.float32)

    def encoder(x):
        loc = tf.matmul(x, matrix)
        return tfd.MultivariateNormalDiag(loc, tf.broadcast_to(scale, tf.shape(loc)))

    def decoder(z):
        seed = tf.stack([tf.bitcast(tf.reduce_sum(z), tf.int32), 0])
        mean = tf.matmul(z, w, transpose_b=True)
        return mean + s * tf.random.stateless_normal(tf.shape(mean), seed)

    z = stddev * np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    return encoder, decoder, decoder(tf.constant(z)).numpy(), np.log(stddev / scale).sum()


@pytest.mark.slow
def test_audit_i_q_equals_i_p_where_the_joints_are_equal():
    encoder, decoder, x, exact = linear_gaussian_pair()
    result = audit(encoder, x, decoder=decoder, steps=600, calibrate=False)
    assert result.rows["I_q lower"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["I_p"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["marginal KL"].nats == pytest.approx(0, abs=0.04)
    # Another decoder: I_p changes, I_q stays.
    deaf = audit(encoder, x, decoder=lambda z: decoder(0 * z), steps=50, calibrate=False)
    assert deaf.rows["I_p"].nats < 0.05
    assert deaf.rows["I_q lower"] == result.rows["I_q lower"]


@pytest.mark.slow
def test_audit_i_q_equals_i_p_for_a_wide_prior():
    encoder, decoder, x, exact = linear_gaussian_pair(3.0)
    assert exact == pytest.approx(0.5 * math.log(5) + 0.5 * math.log(2.96))
    prior = tfd.Independent(tfd.Normal([0.0, 0.0], 3.0), 1)
    result = audit(encoder, x, decoder=decoder, prior=prior, steps=600, calibrate=False)
    assert result.rows["I_q lower"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["I_p"].nats == pytest.approx(exact, abs=0.06)
    assert result.rows["marginal KL"].nats == pytest.approx(0, abs=0.04)


def test_audit_draws_from_a_correlated_prior():
    encoder, decoder, x, exact = linear_gaussian_pair()
    root = np.array([[1, 0], [2, 1]], np.float32)

    def turned(z):
        return decoder(tf.matmul(z - [5.0, 0.0], np.linalg.inv(root), transpose_b=True))

    prior = tfd.MultivariateNormalTriL([5.0, 0.0], root)
    result = audit(encoder, x[:50], decoder=turned, prior=prior, steps=600, calibrate=False)
    assert result.rows["I_p"].nats == pytest.approx(exact, abs=0.06)
    mixture = GaussianMixture(np.eye(2), 1.0)
    with pytest.raises(ValueError, match="leave the decoder out"):
        audit(encoder, x[:50], decoder=decoder, prior=mixture, calibrate=False)


def test_audit_leaves_i_p_out_for_a_mixture_prior(make_model, images):
    model = make_model(models.InfoVAE, prior=GaussianMixture(np.eye(3), 1.0))
    result = audit(model, images, steps=1, calibrate=False)
    assert "I_p" not in result.rows
    assert str(result).endswith("I_p is left out: it needs a normal prior, not GaussianMixture.")
    assert not audit(model, images, steps=0, calibrate=False).note


def test_audit_measures_an_aae_category_beside_z(make_categorical, images):
    model = make_categorical()
    result = audit(model, images, steps=1, calibrate=False)
    _, loc, scale = model.encoding_table(images)
    p = loc[:, :4]
    mean = p.mean(axis=0)
    expected = np.mean(np.sum(p * np.log(p / mean), axis=1))
    assert result.rows["I_q(x;category)"].nats == pytest.approx(expected, abs=1e-5)
    loc, scale = loc[:, 4:], scale[:, 4:]
    rate = 0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(scale)).sum(axis=1).mean()
    assert result.rows["rate"].nats == pytest.approx(rate, rel=1e-4)
    assert result.note.endswith("not CategoricalNormal.")


def test_audit_reads_a_vae_and_its_saved_model_alike(make_model, images, tmp_path):
    model = make_model(models.VAE)
    result = audit(model, images, steps=0)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    # 40 images of 64 binarized pixels, other draws of these and of z.
    assert result.rows["rate"].nats == pytest.approx(logs["rate"], abs=0.2)
    assert result.rows["reconstruction"].nats == pytest.approx(logs["reconstruction"], abs=3)
    assert result.rows["I_q lower"].ceiling == pytest.approx(math.log(40))
    folder = export.to_saved_model(model, tmp_path / "saved")
    binary = np.round(images)  # which binarization leaves as they are
    rows, saved = (audit(m, binary, steps=0, calibrate=False).rows for m in (model, str(folder)))
    # The rate has no draws in it.
    assert saved["rate"].nats == pytest.approx(rows["rate"].nats, rel=1e-4)
    z, loc, scale = encode(saved_encoder(folder), binary, 40)
    _, own_loc, own_scale = model.encoding_table(binary)
    np.testing.assert_allclose(loc, own_loc, atol=1e-4)
    np.testing.assert_allclose(scale, own_scale, atol=1e-4)
    assert np.std((z - loc) / scale) == pytest.approx(1, abs=0.2)


def test_audit_reports_what_the_aae_adversary_sees(make_model, images):
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


def test_audit_deterministic_encoder_tells_examples_apart():
    result = audit(lambda x: {"loc": x}, np.arange(30.0, dtype="f")[:, None])
    assert result.rows["I_q lower"].nats == pytest.approx(math.log(30))
    assert "infinite" in str(result)
    assert "active units: 1 of 1" in str(result)
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.slow
def test_audit_infogan_measures_each_code(make_gan):
    result = audit(make_gan(), steps=10)
    assert set(result.rows) == {"I_p(x;digit)", "I_p(x;slant)"}
    assert result.rows["I_p(x;digit)"].ceiling == pytest.approx(math.log(4))
    assert len(audit_picture(result).axes[0].patches) == 2


def test_audit_infogan_network_reads_a_copied_code():
    codes = [Code("digit", Categorical(4)), Code("slant", Uniform(), min_stddev=0.1)]
    size = Latents(2, codes).dimension
    z = keras.Input((size,))
    copy = keras.layers.Lambda(lambda z: z[:, 2:] * [100.0, 100, 100, 100, 0])(z)  # no slant
    image = keras.layers.Reshape((8, 8, 1))(keras.layers.ZeroPadding1D((0, 59))(copy[..., None]))
    discriminator = networks.ConvDiscriminator((8, 8, 1), (3, 4), 8)
    model = models.InfoGAN(keras.Model(z, image), discriminator, 2, codes)
    x = keras.Input((8, 8, 1))
    h = keras.layers.Flatten()(x)
    sizes = {"digit": 4, "slant": 2}
    outputs = {c: keras.layers.Dense(n, kernel_initializer="zeros")(h) for c, n in sizes.items()}
    rows = audit(model, network=keras.Model(x, outputs), steps=400).rows
    assert rows["I_p(x;digit)"].nats == pytest.approx(math.log(4), abs=0.03)
    assert rows["I_p(x;slant)"].nats == pytest.approx(0, abs=0.03)
    assert rows["I_p(x;digit)"].note == "at its ceiling"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("steps", "run"), [(250, 250), (131, 140)])
def test_fit_posterior_runs_all_its_steps_and_its_bar_counts_them(monkeypatch, steps, run):
    counted = []

    class Bar:
        n = 0

        def update(self, count):
            self.n += count

        def close(self):
            counted.append((self.n, self.total))

    def progress(total, **_):
        bar = Bar()
        bar.total = total
        return bar

    monkeypatch.setattr("keras_infomodels.evaluation.recognition.progress", progress)
    latents = Latents(0, [Code("slant", Uniform(), min_stddev=0.1)])
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    x = keras.Input((1,))
    found = fit_posterior(
        lambda z: z,
        latents,
        keras.Model(x, {"slant": network(x)}),
        steps,
        batch_size=4,
        held_out=8,
        verbose="bar",
    )
    assert counted == [(run, run)]
    assert len(found["slant"].history["information"]) == 10


@pytest.mark.parametrize(
    "q",
    [
        lambda x: tfd.MultivariateNormalTriL(x, tf.constant([[0.3, 0.0], [0.2, 0.1]])),
        lambda x: tfd.MixtureSameFamily(
            tfd.Categorical(probs=[0.5, 0.5]),
            tfd.MultivariateNormalDiag(tf.stack([x, x + 1], 1), [0.3, 0.3]),
        ),
        lambda x: tfd.OneHotCategorical(x),
        lambda x: tfd.Independent(tfd.Laplace(x, 0.3), 1),
        lambda x: tfd.Beta(1 + x**2, 1.0),
    ],
    ids=["full covariance", "mixture", "category", "laplace", "beta"],
)
def test_audit_refuses_all_but_products_of_normals(q):
    with pytest.raises(ValueError, match="independent normals"):
        audit(q, np.random.default_rng(0).normal(size=(50, 2)).astype("f"))


def test_encode_refuses_a_single_example_of_dependent_dimensions():
    root = np.tile(0.3 * np.eye(2, dtype=np.float32), (5, 1, 1))
    root[3] = [[0.3, 0.0], [0.27, 0.1]]
    x = np.zeros((5, 2), np.float32)
    with pytest.raises(ValueError, match="independent normals"):
        encode(lambda batch: tfd.MultivariateNormalTriL(batch, root), x, 5)


@pytest.mark.parametrize(
    "q",
    [
        lambda x: tfd.Normal(x, 0.3),
        lambda x: tfd.Independent(tfd.Normal(x, 0.3), 1),
        lambda x: tfd.MultivariateNormalDiag(x, [0.3, 0.3]),
        lambda x: tfd.MultivariateNormalTriL(x, 0.3 * tf.eye(2)),
        lambda x: {"loc": x, "scale": tf.constant([0.3, 0.3])},
    ],
)
def test_audit_takes_every_product_of_normals(q):
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("f")
    rate = audit(q, x, calibrate=False).rows["rate"].nats
    expected = 0.5 * np.mean(np.sum(x**2 + 0.09 - 1 - math.log(0.09), axis=1))
    assert rate == pytest.approx(expected, rel=1e-5)


def test_audit_refuses_mappings_and_saved_models_with_wrong_keys(tmp_path):
    x = np.zeros((8, 2), "f")
    with pytest.raises(ValueError, match=r"\['loc', 'log_scale'\]"):
        audit(lambda x: {"loc": x, "log_scale": x}, x)
    with pytest.raises(ValueError, match=r"\['mean'\]"):
        audit(lambda x: {"mean": x}, x)
    with pytest.raises(ValueError, match="negative values"):
        audit(lambda x: {"loc": x, "scale": x - 1}, x)
    spec = tf.TensorSpec((None, 2))
    module = tf.Module()
    module.one = tf.function(lambda x: {"mean": x}, [spec])
    module.two = tf.function(lambda x, y: {"loc": x + y}, [spec, spec])
    for name, message in (("one", r"\['mean'\]"), ("two", "x, y")):
        folder = str(tmp_path / name)
        tf.saved_model.save(module, folder, {"encode": getattr(module, name)})
        with pytest.raises(ValueError, match=message):
            audit(folder, x)


def test_audit_refuses_too_few_or_misfitting_codes():
    table, _ = encodings(n=50)
    x = table[0].astype("f")

    def encoder(x):
        return {"loc": x, "scale": tf.ones_like(x)}

    for limit in (-1, 0, 1, 3, 4.5):
        with pytest.raises(ValueError, match="limit is an integer of at least 4"):
            audit(encoder, x, limit=limit)
    with pytest.raises(ValueError, match="empty"):
        audit(encoder, x[:0])
    for n in (1, 2, 3):
        with pytest.raises(ValueError, match=f"at least 4 examples, got {n}"):
            audit(encoder, x[:n])
    rows = audit(encoder, x[:4]).rows
    assert all(math.isfinite(e.nats + e.standard_error) for e in rows.values())
    with pytest.raises(ValueError, match="one shape"):
        audit(lambda x: {"loc": x[:, 0]}, x)
    with pytest.raises(ValueError, match="one shape"):
        audit_codes(*(a[:, 0] for a in table))
    with pytest.raises(ValueError, match="NaN"):
        audit_codes(table[0], table[1], table[2] * math.nan)
    for prior, message in (
        ("normal", "got 'normal'"),
        (GaussianMixture(np.eye(2), 1.0), r"got \(2,\) and \(\)"),
        (tfd.Normal(0.0, 1.0), "event shape"),
    ):
        with pytest.raises(ValueError, match=message):
            audit_codes(*table, prior=prior)


def test_audit_refuses_what_is_no_encoder_with_data(images):
    with pytest.raises(ValueError, match="on data"):
        audit(lambda x: x)
    with pytest.raises(ValueError, match="wrap it"):
        audit(lambda x: x, images)
    with pytest.raises(ValueError, match="got int"):
        audit(3, images)


def test_audit_refuses_another_prior_or_decoder_for_a_model(make_model, images):
    model = make_model(models.VAE)
    for other in ({"prior": StandardNormal(2)}, {"decoder": model.decoder}):
        with pytest.raises(ValueError, match="are for functions"):
            audit(model, images, **other)


def test_audit_picture_and_information_plane_show_the_numbers():
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
    rates = [line.get_xydata() for line in plane.axes[0].lines if line.get_linestyle() == ":"]
    assert len(rates) == 7
    for line in rates:
        total = line.sum(axis=1)
        np.testing.assert_allclose(total, line[0, 1], atol=1e-9)
        assert line[-1, 1] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least one audit"):
        information_plane({})


def test_audit_picture_merges_bounds_that_meet():
    rows = {"I_q lower": Estimate(1.54, ceiling=5.0), "I_q upper": Estimate(1.52)}
    figure = audit_picture(Audit("mine", 150, rows))
    assert " about 1.53: the bounds meet" in [t.get_text() for t in figure.axes[0].texts]


@pytest.mark.slow
def test_audit_command_and_plane_command_write_files(tmp_path, capsys, monkeypatch):
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


def test_audit_warns_of_a_model_that_reconstructs_the_mean_image(make_model, images):
    """A decoder that ignores z: its reconstructions are one image, as the mean is."""
    model = make_model(models.VAE)
    data = np.concatenate([images, images[:, ::-1]])
    result = audit(model, data, steps=0, calibrate=False)
    assert len(result.soundness) == 2
    reconstruction, samples = result.soundness
    assert reconstruction.warning  # not trained
    assert str(reconstruction) in str(result)
    assert str(samples) in str(result)
    saved = result.as_dict()["soundness"]
    assert saved[0]["error"] == reconstruction.error
    assert saved[0]["warning"] == reconstruction.warning
    json.dumps(result.as_dict(), allow_nan=False)
    assert audit(model, images[:10], steps=0, calibrate=False).soundness == ()
