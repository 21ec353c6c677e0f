import numpy as np
import pytest

from keras_infomodels import datasets, models, networks
from keras_infomodels.evaluation import (
    SampleCheck,
    check_reconstructions,
    check_samples,
    fit_features,
    kernel_distance,
)
from keras_infomodels.evaluation.soundness import sample_advice


def test_kernel_distance_equals_the_double_sum():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    expected = sum(kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j) / 42
    expected += sum(kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j) / 20
    expected -= 2 * sum(kernel(x, y) for x in a for y in b) / 35
    assert kernel_distance(a, b) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least 2"):
        kernel_distance(a, b[:1])


def test_kernel_distance_of_equal_laws_is_unbiased():
    """A shift of all means by m adds E over independent pairs of the kernel's difference."""
    rng = np.random.default_rng(0)
    same = [kernel_distance(*rng.normal(size=(2, 50, 4))) for _ in range(100)]
    assert np.mean(same) == pytest.approx(0, abs=3 * np.std(same) / 10)
    assert min(same) < 0
    # In one dimension k = (xy + 1)^3 = 1 + 3xy + 3x^2y^2 + x^3y^3, a sum over powers.
    a, b = rng.normal(size=(300, 1)), 0.5 + rng.normal(size=(200, 1))

    def own(x):  # the mean of x_i^p x_j^p over i != j
        return (x.sum() ** 2 - (x**2).sum()) / (len(x) * (len(x) - 1))

    powers = zip((3, 3, 1), ((a**p, b**p) for p in (1, 2, 3)), strict=True)
    expected = sum(c * (own(x) + own(y) - 2 * x.mean() * y.mean()) for c, (x, y) in powers)
    assert expected > 1
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_check_reconstructions_warns_of_the_mean_image():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(200, 4, 4, 1))
    mean = np.full((4, 4, 1), 0.5)
    broken = check_reconstructions(images, np.broadcast_to(mean, images.shape), mean)
    assert broken.error == broken.mean_image_error == pytest.approx(12**-0.5, abs=0.01)
    assert "the mean image alone" in broken.warning
    assert "warning" in str(broken)
    near = check_reconstructions(images, 0.95 * mean + 0.05 * images, mean)  # 5 % nearer
    assert near.error == pytest.approx(0.95 * near.mean_image_error)
    assert near.warning
    good = check_reconstructions(images, 0.8 * mean + 0.2 * images, mean)
    assert good.warning == ""
    with pytest.raises(ValueError, match="match"):
        check_reconstructions(images, images[:, :2], mean)


def test_check_samples_tells_data_from_static_and_from_a_mean_image():
    """Half of a small real set beside the other, beside noise, and blurred towards the mean."""
    images = datasets.load_arrays("fashion_mnist_mini", "train")[0] / 255.0
    images = np.random.default_rng(0).permutation(images)[:1600]
    train, data, other, samples = np.split(images, [1000, 1200, 1400])
    features, mean = fit_features(train), train.mean(axis=0)

    def check(generated):
        return check_samples(generated, data, other, mean, features, "50 components")

    good = check(samples)
    assert good.warning == ""
    assert abs(good.data_distance) < 0.1 * good.mean_image_distance
    rng = np.random.default_rng(0)
    static = check(rng.uniform(size=samples.shape))
    share = static.distance / static.mean_image_distance
    assert f"is {share:.0%} of that of copies of the mean image" in static.warning
    assert check(np.broadcast_to(mean, samples.shape)).warning
    assert check(0.9 * mean + 0.1 * samples).warning
    assert "50 components" in str(good)


def test_sample_check_says_if_there_are_too_few_images():
    """Two sets of data differ by more than half of the mean image's distance, in either sign."""
    assert "too few images" in SampleCheck(0.48, 0.67, -0.40).warning
    assert "too few images" in SampleCheck(0.48, 0.67, 0.40).warning
    assert "72% of that of copies of the mean image" in SampleCheck(0.48, 0.67, 0.30).warning
    assert SampleCheck(0.20, 0.67, -0.40).warning == ""


def test_sample_warning_names_fit_prior_for_a_normal_prior(images):
    encoder = networks.MLPEncoder((8, 8, 1), 2, (4,))
    decoder = networks.MLPDecoder((8, 8, 1), 2, (4,))
    model = models.VAE(encoder, decoder, likelihood="continuous_bernoulli")
    far = SampleCheck(1.0, 0.5, 0.0, advice=sample_advice(model))
    advice = "the latent variables may differ from N(0, I), and fit_prior then helps"
    assert far.warning.endswith(f"a second draw of data has 0; {advice}")
    model.fit_prior(images)
    assert sample_advice(model) == ""
    assert SampleCheck(1.0, 0.5, 0.0).warning.endswith("a second draw of data has 0")
