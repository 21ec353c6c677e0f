"""Text of a classifier's card."""

from collections.abc import Mapping

from keras_infomodels.models.cards import FOR, CardWords

__all__ = ["classifier_words"]

_USE = (
    "probabilities = model(images)  # of images in [0, 1], a batch\n"
    "features = model.features(images)"
)
_LIMITS = (
    f"{FOR} It is here to look at the other models of this library with, by its "
    "features and by the classes that it finds among their images; generated images may be unlike "
    "any that it was trained on, and it is sure of a class there too. Its probabilities are not "
    "calibrated."
)


def classifier_words(config: Mapping) -> CardWords:
    """Returns the card's text on a classifier with this config."""
    return CardWords(f"{config['network']['config']['classes']} classes", _USE, _LIMITS)
