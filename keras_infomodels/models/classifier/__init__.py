"""The classifier of images."""

from keras_infomodels.models.classifier.classifier import Classifier

__all__ = ["Classifier"]
