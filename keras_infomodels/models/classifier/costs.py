"""Costs of quantization for a classifier."""

import numpy as np

from keras_infomodels.models.costs import LIMITS, Ask, Cost, changed

__all__ = ["classifier_costs"]


def classifier_costs(model, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
    """Counts images whose class changes; see `ModelDescription.quantization_costs`."""
    answers = (ask("classify", {"image": images}) for ask in (own, file))
    return [changed("class", *answers, "logits", LIMITS["category_error"])]
