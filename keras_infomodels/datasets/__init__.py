"""Images as `tf.data`: TensorFlow Datasets by name, one's own arrays and folders."""

from keras_infomodels.datasets.loading import load, load_arrays, prepare, split_names
from keras_infomodels.datasets.pipeline import from_arrays, keep_labels

__all__ = ["from_arrays", "keep_labels", "load", "load_arrays", "prepare", "split_names"]
