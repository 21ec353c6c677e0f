"""Pictures of a classifier, as arrays; `plots` has a function of each name."""

import numpy as np

from keras_infomodels.pictures import Grid

__all__ = ["PICTURES", "classifier_pictures"]


def mistakes(model, images: np.ndarray, labels: np.ndarray, n: int = 64) -> Grid:
    """Draws the n images whose label has the lowest probability, the lowest first."""
    probabilities = model.predict(np.asarray(images, np.float32), verbose=0)
    order = np.argsort(probabilities[np.arange(len(labels)), labels])[:n]
    return Grid(images[order], 8, "Images whose label is found least likely")


PICTURES = {"mistakes": mistakes}
"""Functions of the model and of arguments of their own, by kind of picture."""


def classifier_pictures(
    model, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Grid]:
    """Draws all pictures of a classifier, by name; none without labels."""
    return {} if labels is None else {"mistakes": mistakes(model, images, labels)}
