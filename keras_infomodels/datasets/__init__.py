"""Data sets of images as `tf.data`: by name, from arrays, `.npz` files, folders or factors."""

from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.datasets.loading import (
    class_names,
    count_images,
    draw,
    factors,
    image_information,
    image_shape,
    load,
    load_arrays,
    prepare,
    split_names,
)
from keras_infomodels.datasets.pipeline import from_arrays, keep_labels

__all__ = [
    "Factors",
    "class_names",
    "count_images",
    "draw",
    "factors",
    "from_arrays",
    "image_information",
    "image_shape",
    "keep_labels",
    "load",
    "load_arrays",
    "prepare",
    "split_names",
]
