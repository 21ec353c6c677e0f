"""Divergences as terms of an InfoVAE's loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import divergences
from keras_infomodels.networks import MLPDiscriminator


@pytest.mark.parametrize(
    "divergence",
    [
        divergences.MMD(estimator="semi_analytic"),
        divergences.MMD("gaussian_median"),
        divergences.MarginalKL(),
        divergences.Stein(),
    ],
    ids=lambda divergence: f"{type(divergence).__name__}-{list(divergence.get_config().values())}",
)
def test_every_divergence_trains_in_a_graph(make_model, images, divergence):
    """Encodings that start far from the prior come much nearer than by reconstruction alone."""
    distances = []
    for lambda_ in (1e-9, 1000.0):
        model = make_model(alpha=1.0, lambda_=lambda_, divergence=divergence)
        bias = model.encoder.get_layer("loc").bias
        bias.assign(bias + 3.0)
        model.fit(images, batch_size=20, epochs=15, verbose=0)
        distances.append(np.linalg.norm(np.mean(model.encoder(images)["loc"], axis=0)))
    assert distances[1] < 0.5 * distances[0]


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
