"""Sandwiched information and independence of latents against closed forms."""

import math

import numpy as np
import pytest

from keras_infomodels.evaluation import latent_information
from keras_infomodels.information import AggregatedPosterior


def gaussian(correlation, s=0.4, n=1500):
    """q(z|x) = N(x, s^2 I) of x normal with unit variances and a correlation."""
    rng = np.random.default_rng(0)
    loc = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=n)
    return latent_information(loc=loc, scale=np.full_like(loc, s))


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_latent_information_sandwiches_the_closed_form_of_a_gaussian_encoder(correlation):
    found, s = gaussian(correlation), 0.4
    covariance = np.array([[1, correlation], [correlation, 1]]) + s**2 * np.eye(2)
    information = 0.5 * (np.linalg.slogdet(covariance)[1] - 4 * math.log(s))
    parts = math.log((1 + s**2) / s**2)
    # Means of 1,500 terms with deviations of about 1 nat: four standard errors.
    assert found.lower.nats <= information + 0.1
    assert found.upper.nats >= information - 0.1
    assert found.upper.nats - found.lower.nats < 0.15
    assert found.parts == pytest.approx(parts, abs=0.1)
    low, high = found.total_correlation
    assert low - 0.1 <= parts - information <= high + 0.1
    assert found.independence[0] == pytest.approx(information / parts, abs=0.06)
    assert found.independence[0] - 0.02 <= found.independence[1] <= 1


def test_latent_information_total_correlation_is_that_of_the_aggregated_posterior():
    rng = np.random.default_rng(1)
    loc, scale = rng.normal(size=(300, 3)), rng.uniform(0.2, 1, size=(300, 3))
    z = loc + scale * rng.normal(size=loc.shape)
    expected = AggregatedPosterior(z, loc, scale).total_correlation().nats
    found = latent_information(z, loc, scale)
    assert found.total_correlation[1] == pytest.approx(expected, rel=1e-9)


def test_latent_information_of_two_copies_of_a_quantized_latent_is_by_hand():
    column = np.repeat([0.0, 1.0, 2.0, 3.0], 25)
    copies = np.stack([column, -column], axis=1)
    found = latent_information(loc=copies, scale=np.zeros_like(copies))
    assert found.lower.nats == pytest.approx(math.log(4))
    assert found.parts == pytest.approx(2 * math.log(4))
    assert found.total_correlation == pytest.approx((math.log(4), math.log(4)))
    assert found.independence == pytest.approx((0.5, 0.5))
    assert "0.500 to 0.500" in str(found)
    assert found.as_dict()["independence"] == pytest.approx([0.5, 0.5])


def test_latent_information_of_latents_that_carry_nothing_is_0_and_independent():
    rng = np.random.default_rng(2)
    found = latent_information(loc=1e-9 * rng.normal(size=(200, 2)), scale=np.ones((200, 2)))
    assert found.parts == pytest.approx(0, abs=1e-3)
    assert max(found.independence) <= 1
