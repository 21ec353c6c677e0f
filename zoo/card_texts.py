"""Licenses of data sets, for cards."""

__all__ = ["DATA"]

_MNIST = "MNIST, by Y. LeCun and C. Cortes, is under CC BY-SA 3.0"
_FASHION = "Fashion-MNIST, (c) 2017 Zalando SE, is under the MIT licence"
DATA = {
    "mnist": f"{_MNIST}. These files contain none of its images, except in the pictures.",
    "binarized_mnist": f"The binarized images have no license of their own. {_MNIST}.",
    "fashion_mnist": f"{_FASHION}. These files contain none of its images, except in the pictures.",
    "fashion_mnist_mini": f"The images are a part of Fashion-MNIST. {_FASHION}.",
}
"""Licenses by data set."""
