"""Images as `tf.data`: TensorFlow Datasets by name, one's own arrays, `.npz` files and folders."""

from keras_infomodels.datasets.loading import (
    class_names,
    common_size,
    load,
    load_arrays,
    prepare,
    split_names,
)
from keras_infomodels.datasets.pipeline import from_arrays, keep_labels

__all__ = [
    "class_names",
    "common_size",
    "from_arrays",
    "keep_labels",
    "load",
    "load_arrays",
    "prepare",
    "split_names",
]
