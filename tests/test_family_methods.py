"""What evaluation, plots, export and the zoo ask of every model, and how it says no."""

import math

import numpy as np
import pytest

from keras_infomodels import models, plots
from keras_infomodels.distributions import Gaussian
from keras_infomodels.evaluation import audit
from keras_infomodels.pictures import Grid, Scatter


def test_audit_of_a_model_without_latent_variables_says_why(make_gan, make_classifier, images):
    cases = {
        "This GAN has neither an encoder nor codes.* InfoGAN": make_gan(models.GAN),
        "This InfoGAN has neither an encoder nor codes": make_gan(codes=[]),
        "This Classifier has no latent variables.* InfoGAN": make_classifier(),
    }
    for message, model in cases.items():
        with pytest.raises(ValueError, match=message) as found:
            audit(model, images)
        assert str(found.value).count(". ") == 0  # one sentence


def test_category_logits_are_those_of_the_posterior(make_gan, make_categorical, images):
    gan = make_gan()
    assert gan.category == "digit"
    logits = gan.category_logits(images)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, gan.infer_codes(images)["digit"].logits, atol=1e-5)
    vae = make_categorical()
    assert vae.category == "category"
    expected = vae.encode(images)["category"].logits
    np.testing.assert_allclose(vae.category_logits(images), expected, atol=1e-5)


def test_category_logits_of_a_model_without_a_category_are_refused(make_model, make_gan, images):
    for model in (make_model(), make_gan(models.GAN)):
        assert model.category is None
        with pytest.raises(ValueError, match="infers no category"):
            model.category_logits(images)


def test_pixel_range_is_free_where_pixels_are(make_model, make_gan, make_classifier):
    free = make_model(models.VAE, ("loc", "scale"), likelihood=Gaussian())
    assert free.pixel_range == (0, 1)  # a network of this library ends in a sigmoid
    for model in (make_model(), make_gan(), make_classifier()):
        assert model.pixel_range == (0, 1)


def test_ceilings_are_those_of_the_metrics(make_model, make_gan, make_categorical, make_classifier):
    assert make_model().ceilings(20) == {"mutual_information": math.log(20)}
    assert make_model().ceilings(10**6) == {"mutual_information": math.log(10_000)}
    assert make_categorical().ceilings(20) == {"information_category": math.log(4)}
    found = make_gan().ceilings(20)
    for name in ("information_digit", "information_real_digit"):
        assert found[name] == pytest.approx(math.log(4))
    assert make_classifier().ceilings(20) == {}


def test_pictures_of_a_model_are_arrays_that_plots_draws(make_model, make_classifier, images):
    model = make_model()
    pictures = model.pictures(images)
    assert set(pictures) == {"samples", "reconstructions", "traversals"}
    assert all(isinstance(picture, Grid) for picture in pictures.values())
    scatter = model.picture("latent_map", images, None)
    assert isinstance(scatter, Scatter)
    assert scatter.points.shape == (len(images), 2)
    assert set(plots.model_pictures(model, images)) == set(pictures)
    assert make_classifier().pictures(images) == {}
    with pytest.raises(ValueError, match="has the pictures mistakes; got 'samples'"):
        plots.samples(make_classifier())


def test_calibration_of_a_gan_sees_generated_images(make_model, make_gan, images):
    np.testing.assert_array_equal(make_model().calibration_images(images), images)
    model = make_gan()
    both = model.calibration_images(images)
    np.testing.assert_array_equal(both[:40], images)
    np.testing.assert_array_equal(both[40:], model.generate(40, seed=0))
