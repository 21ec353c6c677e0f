"""Images as `tf.data`: TensorFlow Datasets by name, one's own arrays, `.npz` files and folders."""

from keras_infomodels.datasets.loading import (
    class_names,
    count_images,
    image_shape,
    load,
    load_arrays,
    prepare,
    split_names,
)
from keras_infomodels.datasets.pipeline import from_arrays, keep_labels

__all__ = [
    "class_names",
    "count_images",
    "from_arrays",
    "image_shape",
    "keep_labels",
    "load",
    "load_arrays",
    "prepare",
    "split_names",
]
