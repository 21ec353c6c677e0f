"""Settings of training that several models share, as objects."""

from keras_infomodels.training.augmentation import Augmentation
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency
from keras_infomodels.training.groups import OptimizerGroup
from keras_infomodels.training.warmup import Warmup

__all__ = ["Augmentation", "Classification", "Consistency", "OptimizerGroup", "Warmup"]
