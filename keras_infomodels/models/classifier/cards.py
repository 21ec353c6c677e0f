"""Text of a classifier's card."""

from collections.abc import Mapping

from keras_infomodels.models.cards import FOR, CardWords

__all__ = ["classifier_words"]

_USE = (
    "probabilities = model(images)  # images (batch, height, width, channels) in [0, 1]\n"
    "features = model.features(images)"
)
_LIMITS = (
    f"{FOR} Its purpose is to measure the other models of this library, by its features and by the "
    "classes of their images. Generated images may differ from all training images, and it may be "
    "confident of a class there, too. Its probabilities are not calibrated."
)


def classifier_words(config: Mapping) -> CardWords:
    """Returns the card's text on a classifier with this config."""
    return CardWords(f"{config['network']['config']['classes']} classes", _USE, _LIMITS)
