"""The annealed-capacity VAE against closed forms of its term."""

import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels.models import AnnealedVAE, BetaVAE

SEED = tf.constant([1, 2])


def test_annealed_vae_with_capacity_0_is_the_beta_vae_bit_for_bit(make_model, images):
    found = []
    for cls, settings in ((BetaVAE, {"beta": 3.0}), (AnnealedVAE, {"gamma": 3.0, "capacity": 0.0})):
        model = make_model(cls, **settings)
        model.run_eagerly = True
        logs = [model.train_on_batch(images[i : i + 10], return_dict=True) for i in (0, 10)]
        found.append((logs, model.get_weights()))
    (logs, weights), (own_logs, own_weights) = found
    assert [{name: log[name] for name in logs[0]} for log in own_logs] == logs
    for a, b in zip(weights, own_weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("side", [-0.5, 0.5])
def test_annealed_vae_pays_gamma_for_each_nat_between_rate_and_capacity(make_model, images, side):
    rate = float(make_model(AnnealedVAE).terms(images, None, SEED, False)["rate"])
    capacity = rate - side
    model = make_model(AnnealedVAE, gamma=7.0, capacity=capacity)
    terms = {name: float(v) for name, v in model.terms(images, None, SEED, False).items()}
    assert terms["capacity"] == pytest.approx(capacity, rel=1e-6)
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + 7.0 * abs(side), rel=1e-5)


@pytest.mark.parametrize(("side", "sign"), [(-0.5, -1), (0.5, 1)])
def test_annealed_vae_gradient_changes_sign_at_the_capacity(make_model, images, side, sign):
    """d loss / d weights = d reconstruction + gamma sign(rate - C) d rate."""
    rate = float(make_model(AnnealedVAE).terms(images, None, SEED, False)["rate"])
    model = make_model(AnnealedVAE, gamma=2.0, capacity=rate - side)
    weight = model.encoder.trainable_variables[-1]
    with tf.GradientTape(persistent=True) as tape:
        terms = model.terms(images, None, SEED, True)
    of = {n: tape.gradient(terms[n], weight.value) for n in ("loss", "reconstruction", "rate")}
    expected = of["reconstruction"] + 2.0 * sign * of["rate"]
    np.testing.assert_allclose(of["loss"], expected, rtol=1e-3, atol=1e-4)


def test_annealed_vae_capacity_rises_in_a_line_and_is_final_in_evaluation(make_model, images):
    model = make_model(AnnealedVAE, capacity=12.0, warmup=4)
    model.run_eagerly = True
    found = [model.train_on_batch(images, return_dict=True)["capacity"] for _ in range(6)]
    # The metric is that of the last batch here, since train_on_batch starts anew each time.
    np.testing.assert_allclose(found, [0, 3, 6, 9, 12, 12], rtol=1e-6)
    first = make_model(AnnealedVAE, capacity=12.0, warmup=4)
    assert float(first.terms(images, None, SEED, False)["capacity"]) == 12


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"gamma": 0.0}, "gamma is above 0"), ({"capacity": -1.0}, "capacity is a finite number")],
)
def test_annealed_vae_refuses_settings_that_make_no_sense(make_model, settings, what):
    with pytest.raises(ValueError, match=what):
        make_model(AnnealedVAE, **settings)
