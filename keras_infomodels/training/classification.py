"""Labels of a few examples, -1 for the others."""

import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_nonnegative

__all__ = ["Classification", "classification_terms"]


@built_in
class Classification(Spec):
    """A loss term for the few labels of semi-supervised training.

    `fit` then takes pairs (x, y) with y = -1 for unlabeled examples, and the metrics have
    `classification` (the cross-entropy of the category, nats) and `accuracy`.

    Args:
        weight: float, at least 0. Weight of the cross-entropy in the loss.

    Raises:
        ValueError: a negative weight.

    Example:
        few_labels = Classification(50.0)
        model = ki.AdversarialAutoencoder(encoder, decoder, prior, classification=few_labels)
    """

    def __init__(self, weight: float = 1.0):
        check_nonnegative("weight", weight)
        self.weight = float(weight)

    def get_config(self) -> dict:
        return {"weight": self.weight}


def classification_terms(logits: tf.Tensor, labels: tf.Tensor | None) -> dict[str, tf.Tensor]:
    """`classification` (the cross-entropy, nats) and `accuracy`, means over the labeled examples.

    Both are 0 where a batch has none. A label that is no class makes `classification` NaN, which
    ends the training.

    Args:
        logits: of the category, shape (batch, K).
        labels: integers from 0 to K - 1 of shape (batch,) or (batch, 1), -1 for unlabeled.
    """
    if labels is None:
        raise ValueError(
            "A model with a Classification term takes pairs (x, y), y = -1 for unlabeled."
        )
    if labels.shape.rank is not None and labels.shape.rank > 1 and labels.shape[-1] != 1:
        raise ValueError(
            f"Labels are integers of shape (batch,), -1 for unlabeled; got {labels.shape}. "
            "Turn one-hot labels into integers with an argmax."
        )
    given = tf.reshape(labels, [-1])
    labels = tf.cast(given, tf.int32)
    labeled = tf.cast(labels != -1, tf.float32)
    count = tf.maximum(replicas.total(labeled), 1)
    logits = tf.cast(logits, tf.float32)
    classes = tf.clip_by_value(labels, 0, logits.shape[-1] - 1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    known = (tf.cast(labels, given.dtype) == given) & ((labels == classes) | (labels == -1))
    losses = tf.where(known, losses, np.nan)
    hits = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
    return {
        "classification": replicas.total(labeled * losses) / count,
        "accuracy": replicas.total(labeled * hits) / count,
    }
