"""Divergences as terms of an InfoVAE's loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import divergences, seeds
from keras_infomodels.networks import MLPDiscriminator

kernels = tfp.math.psd_kernels


@pytest.mark.parametrize(
    "divergence",
    [
        pytest.param(divergences.MMD(estimator="semi_analytic"), marks=pytest.mark.slow),
        pytest.param(divergences.MMD("gaussian_median"), marks=pytest.mark.slow),
        pytest.param(divergences.MarginalKL(), marks=pytest.mark.slow),
        divergences.Stein(),
        pytest.param(
            divergences.MMD(
                kernels.MaternThreeHalves(2.0, 3.0) + kernels.RationalQuadratic(2.0, 3.0)
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["semi_analytic", "gaussian_median", "marginal_kl", "stein", "sum_of_tfp_kernels"],
)
def test_infovae_divergence_trains_in_a_graph(make_model, images, divergence):
    """Encodings that start far from the prior come much nearer than by reconstruction alone."""
    distances = []
    for settings in ({"lambda_": 1e-9}, {"lambda_": 1000.0, "divergence": divergence}):
        model = make_model(alpha=1.0, **settings)
        bias = model.encoder.get_layer("loc").bias
        bias.assign(bias + 3.0)
        model.fit(images, batch_size=20, epochs=15, verbose=0)
        distances.append(np.linalg.norm(np.mean(model.encoder(images)["loc"], axis=0)))
    assert distances[1] < 0.5 * distances[0]


@pytest.mark.slow
def test_total_correlation_in_the_loss_and_its_gradient(make_model, images):
    """Encodings that start on a line leave it, beside reconstruction alone, which keeps them."""
    x = np.concatenate([images] * 5)
    spreads = []
    for lambda_ in (1e-9, 20.0):
        penalty = divergences.TotalCorrelation(MLPDiscriminator(3, widths=(32,)))
        model = make_model(alpha=1.0, lambda_=lambda_, divergence=penalty)
        loc = model.encoder.get_layer("loc")
        loc.kernel.assign(tf.repeat(3 * loc.kernel[:, :1], 3, axis=1))
        model.compile(keras.optimizers.Adam(3e-3), keras.optimizers.Adam(1e-2, beta_1=0.5))
        history = model.fit(x, batch_size=200, epochs=40, verbose=0).history
        ledger = {name: values[-1] for name, values in history.items()}
        loss = ledger["reconstruction"] + lambda_ * ledger["divergence"]
        assert ledger["loss"] == pytest.approx(loss, rel=1e-5)
        z, _, _ = model.encoding_table(x)
        correlation = np.corrcoef(z.T)
        spreads.append(-0.5 * np.linalg.slogdet(correlation)[1])
    assert spreads[1] < 0.5 * spreads[0]


def test_infovae_evaluate_leaves_the_discriminator_as_it_is(make_model, images):
    """Its layers are in the mode of inference, where a batch has no part in another's figures."""
    z = keras.Input((3,))
    h = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(z))
    discriminator = keras.Model(z, keras.layers.Dense(1)(h))
    model = make_model(
        alpha=1.0, lambda_=2.0, divergence=divergences.Adversarial(discriminator, "log_ratio")
    )
    model.run_eagerly = True
    model.fit(images, epochs=2, verbose=0)
    before = model.get_weights()
    logs = model.evaluate(images, batch_size=len(images), verbose=0, return_dict=True)
    assert model.evaluate(images, batch_size=len(images), verbose=0, return_dict=True) == logs
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # One batch: the test step's z is that of `terms`, whose discriminator is asked again.
    seed = seeds.fold_seed(model.seed, seeds.TEST, 0)
    terms = model.terms(tf.constant(images), None, seed, False)
    assert logs["divergence"] == pytest.approx(float(terms["divergence"]), rel=1e-5)
    learned = model.terms(tf.constant(images), None, seed, True)
    assert abs(float(learned["divergence"]) - logs["divergence"]) > 1e-3
