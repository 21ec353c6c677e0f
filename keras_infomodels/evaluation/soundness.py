"""Checks that a model's reconstructions and samples resemble data.

Information alone does not show this. A model that reconstructs every image as the mean image may
still have 4 nats of mutual information. A generator of random pixels may have all the information
that its codes can carry.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from keras_infomodels.datasets.batches import iterate_images, order_of_epoch_0
from keras_infomodels.distributions import StandardNormal
from keras_infomodels.information.streams import generator

__all__ = [
    "ReconstructionCheck",
    "SampleCheck",
    "check_reconstructions",
    "check_samples",
    "fit_features",
    "kernel_distance",
    "model_checks",
    "sample_advice",
]

Features = Callable[[np.ndarray], np.ndarray]

NEAR_MEAN = 0.9
"""Share of the mean image's error above which reconstructions are no better than the mean image."""
FAR_FROM_DATA = 0.5
"""Share of the mean image's distance above which samples are no better than the mean image."""
_BLOCK = 1000
_SOUND, _FEW = 2000, 40
"""Images that are compared: at most, and at least."""


@dataclass(frozen=True)
class ReconstructionCheck:
    """Result of `check_reconstructions`: errors of reconstructions and of the mean image.

    Errors are root mean squared errors over the pixels of images in [0, 1].

    Attributes:
        error: float. Error of the reconstructions.
        mean_image_error: float. Error if the mean image of the training split replaces every
            reconstruction.

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        x = images[:100] / 255
        check = ki.evaluation.check_reconstructions(x, reconstructions=x, mean_image=x.mean(0))
        print(check)
    """

    error: float
    mean_image_error: float

    @property
    def warning(self) -> str:
        """Warning, if the model is no better than the mean image; empty for none."""
        if self.error <= NEAR_MEAN * self.mean_image_error:
            return ""
        return (
            f"reconstructions err by {self.error:.4f}, and the mean image alone by "
            f"{self.mean_image_error:.4f}: they are hardly better, or worse"
        )

    def __str__(self) -> str:
        text = f"reconstruction {self.error:.4f}, mean image {self.mean_image_error:.4f} (RMSE)"
        return f"{text}; warning: {self.warning}" if self.warning else text


@dataclass(frozen=True)
class SampleCheck:
    """Result of `check_samples`: distances of generated images from real ones.

    Distances are kernel distances of features, see `kernel_distance`.

    Attributes:
        distance: float. Distance of the generated images from real images.
        mean_image_distance: float. Distance of copies of the training split's mean image.
        data_distance: float. Distance of other real images, about 0.
        features: str. Name of the features.
        advice: str. What may improve the generated images, for the warning.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        for check in ki.evaluation.model_checks(model, test):
            print(check, check.warning)
    """

    distance: float
    mean_image_distance: float
    data_distance: float
    features: str = ""
    advice: str = ""

    @property
    def warning(self) -> str:
        """Warning, if samples are about as far from data as the mean image; empty for none.

        If two sets of data differ as much, there are too few images to tell, which it says.
        """
        if self.distance <= FAR_FROM_DATA * self.mean_image_distance:
            return ""
        if abs(self.data_distance) > FAR_FROM_DATA * self.mean_image_distance:
            return (
                f"there are too few images to judge samples by: their kernel distance from data "
                f"is {self.distance:.4g}, that of a second draw of data {self.data_distance:.4g}, "
                f"and that of copies of the mean image {self.mean_image_distance:.4g}"
            )
        share = self.distance / max(self.mean_image_distance, 1e-9)
        return (
            f"the kernel distance of samples from data, {self.distance:.4g}, is {share:.0%} of "
            f"that of copies of the mean image, {self.mean_image_distance:.4g}; it should be at "
            f"most {FAR_FROM_DATA:.0%}, and a second draw of data has {self.data_distance:.4g}"
            f"{self.advice and f'; {self.advice}'}"
        )

    def __str__(self) -> str:
        text = (
            f"kernel distance of samples {self.distance:.4g}, of the mean image "
            f"{self.mean_image_distance:.4g}, of other data {self.data_distance:.4g}"
        )
        text += f" ({self.features})" if self.features else ""
        return f"{text}; warning: {self.warning}" if self.warning else text


def check_reconstructions(
    images: np.ndarray, reconstructions: np.ndarray, mean_image: np.ndarray
) -> ReconstructionCheck:
    """Compares the errors of reconstructions with those of the mean image.

    A useful model is better than the mean image, which does not depend on the input.

    Args:
        images: array (n, ...). Held-out images.
        reconstructions: array (n, ...). Their reconstructions.
        mean_image: array (...). Mean image of the training split.

    Returns:
        `ReconstructionCheck` with both errors.

    Raises:
        ValueError: If the shapes do not match.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        x = images[:100] / 255
        ki.evaluation.check_reconstructions(x, model.reconstruct(x), x.mean(0))
    """
    images, reconstructions, mean_image = (
        np.asarray(a, np.float64) for a in (images, reconstructions, mean_image)
    )
    if images.shape != reconstructions.shape or images.shape[1:] != mean_image.shape:
        raise ValueError(
            f"Images, reconstructions and the mean image match; got {images.shape}, "
            f"{reconstructions.shape} and {mean_image.shape}."
        )
    return ReconstructionCheck(
        float(np.sqrt(np.mean((images - reconstructions) ** 2))),
        float(np.sqrt(np.mean((images - mean_image) ** 2))),
    )


def model_checks(
    model, data, batch_size: int = 128, seed: int = 0
) -> tuple[ReconstructionCheck | SampleCheck, ...]:
    """Compares a model's reconstructions, if it has any, and its generated images with data.

    Up to 2,000 images are used. The mean image and the features are computed from one half. The
    other half is divided into two parts: one is compared with the model's images, and the other
    with the first part.

    Args:
        model: model of this library with a method `generate`.
        data: array or dataset of images, as for `evaluation.audit`. With `None` or fewer than 40
            images there are no checks.
        batch_size: int. Batch size for arrays.
        seed: int. Seed of the division of the images and of the generated images.

    Returns:
        tuple of `ReconstructionCheck` and `SampleCheck`; empty without checks.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        test = ki.datasets.load("fashion_mnist_mini", "test")
        reconstructions, samples = ki.evaluation.model_checks(model, test)
    """
    if data is None:
        return ()
    with order_of_epoch_0(data):
        batches = [batch.numpy() for batch in iterate_images(data, batch_size, limit=_SOUND)]
    images = generator(seed, 19).permutation(np.concatenate(batches)[:_SOUND])
    if len(images) < _FEW:
        return ()
    known, real, other = np.split(images, [len(images) // 2, 3 * len(images) // 4])
    mean, checks = known.mean(axis=0), []
    if hasattr(model, "reconstruct"):
        checks.append(check_reconstructions(real, np.asarray(model.reconstruct(real)), mean))
    samples = np.asarray(model.generate(len(real), seed=seed))
    features = fit_features(known)
    name = f"principal components of {len(known)} of the images"
    found = check_samples(samples, real, other, mean, features, name)
    return *checks, replace(found, advice=sample_advice(model))


def sample_advice(model) -> str:
    """Returns what may improve the samples of a model; empty for nothing that is known."""
    normal = isinstance(getattr(model, "prior", None), StandardNormal)
    if not (normal and model.takes_fitted_prior):
        return ""
    return "the latent variables may differ from N(0, I), and fit_prior then helps"


def check_samples(
    samples: np.ndarray,
    data: np.ndarray,
    other_data: np.ndarray,
    mean_image: np.ndarray,
    features: Features,
    name: str = "",
) -> SampleCheck:
    """Compares generated images with real ones, by kernel distances of features.

    The distances of the mean image and of other real images are measured too, for comparison.

    Args:
        samples: array (n, ...). Generated images.
        data: array (m, ...). Held-out real images.
        other_data: array (k, ...). Other held-out real images.
        mean_image: array (...). Mean image of the training split.
        features: function from images (n, ...) to features (n, d). It must not depend on the model,
            such as `fit_features` of the training split, or the features of a classifier.
        name: str. Name of the features in the result.

    Returns:
        `SampleCheck` with the three distances.

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "train")
        train, a, b = images[:500] / 255, images[500:700] / 255, images[700:900] / 255
        samples = ki.from_preset("mmd_vae_fashion_mnist_mini").generate(200, seed=0).numpy()
        features = ki.evaluation.fit_features(train)
        ki.evaluation.check_samples(samples, a, b, train.mean(0), features)
    """
    repeated = np.broadcast_to(mean_image, (len(data), *np.shape(mean_image)))
    real = features(data)
    distances = [kernel_distance(features(a), real) for a in (samples, repeated, other_data)]
    return SampleCheck(*distances, name)


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Computes the kernel distance (KID) of two sets of features.

    The value is the unbiased estimate of the squared maximum mean discrepancy with the kernel (x'y
    / d + 1)^3. It is about 0 for equal distributions, and may be negative.

    Args:
        a: array (n, d), n at least 2. Features of n images.
        b: array (m, d), m at least 2. Features of m other images.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Bińkowski et al., "Demystifying MMD GANs", 2018 (KID).

    Example:
        a, b = np.random.default_rng(1).normal(size=(2, 500, 10))
        ki.evaluation.kernel_distance(a, b)  # about 0
    """
    a, b = (np.asarray(features, np.float64) for features in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"Features are (n, d) and (m, d), n and m at least 2; got {a.shape} and {b.shape}."
        )
    own = [(_kernel_sum(f, f) - _diagonal_sum(f)) / (len(f) * (len(f) - 1)) for f in (a, b)]
    return float(own[0] + own[1] - 2 * _kernel_sum(a, b) / (len(a) * len(b)))


def _kernel_sum(a: np.ndarray, b: np.ndarray) -> float:
    d = a.shape[1]
    blocks = (a[i : i + _BLOCK] for i in range(0, len(a), _BLOCK))
    return math.fsum(float(((block @ b.T / d + 1) ** 3).sum()) for block in blocks)


def _diagonal_sum(a: np.ndarray) -> float:
    return float((((a * a).sum(axis=1) / a.shape[1] + 1) ** 3).sum())


def fit_features(images: np.ndarray, components: int = 50) -> Features:
    """Creates a function that computes features of images, by principal components.

    The components are fitted to the given images. The features are scaled to a mean variance of 1.

    Args:
        images: array (n, ...). Images of the training split. A few thousand are enough.
        components: int. Number of components, at most n and the number of pixels.

    Returns:
        Function from images (m, ...) to features (m, components).

    Example:
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "train")
        features = ki.evaluation.fit_features(images[:500] / 255, components=20)
        features(images[:5] / 255).shape  # (5, 20)
    """
    from sklearn.decomposition import PCA

    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    pca = PCA(min(components, *flat.shape), random_state=0).fit(flat)
    scale = math.sqrt(max(pca.explained_variance_.mean(), 1e-12))
    return lambda images: pca.transform(np.reshape(images, (len(images), -1))) / scale
