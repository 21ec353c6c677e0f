"""Loss term for the labels of some examples."""

import numpy as np
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.registry import built_in
from keras_infomodels.spec import Spec, check_nonnegative

__all__ = ["Classification", "classification_terms"]


@built_in
class Classification(Spec):
    """Loss term that ties a model's category to labels, for semi-supervised training.

    `fit` then takes images x and integer labels y; the label -1 marks an unlabeled image. The
    metrics include `classification`, the cross-entropy in nats between the labels and the inferred
    category, and `accuracy`. Both are means over the labeled images.

    Args:
        weight: float, at least 0. Weight of the cross-entropy in the loss.

    Raises:
        ValueError: If `weight` is negative.

    Example:
        model = ki.AdversarialAutoencoder(
            ki.networks.MLPEncoder(latent_dim=12, num_categories=10),
            ki.networks.MLPDecoder(latent_dim=12),
            prior=ki.distributions.CategoricalNormal(num_categories=10, continuous_dim=2),
            classification=ki.Classification(50.0),
        )
    """

    def __init__(self, weight: float = 1.0):
        check_nonnegative("weight", weight)
        self.weight = float(weight)

    def get_config(self) -> dict:
        return {"weight": self.weight}


def classification_terms(logits: tf.Tensor, labels: tf.Tensor | None) -> dict[str, tf.Tensor]:
    """Computes the cross-entropy and the accuracy of the labeled examples of a batch.

    Both are 0 if no example of the batch is labeled. A label outside -1 to K - 1 makes
    `classification` NaN, which stops the training.

    Args:
        logits: tensor (batch, K). Logits of the category.
        labels: tensor (batch,) or (batch, 1). Integers from 0 to K - 1, or -1 for unlabeled.

    Returns:
        dict of scalars: "classification" in nats, and "accuracy".

    Raises:
        ValueError: If `labels` is None or has another shape.
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
    count = tf.maximum(replicas.total(labeled), 1)  # a batch without labels has the loss 0
    logits = tf.cast(logits, tf.float32)
    # On a GPU the cross-entropy of a label outside the classes is NaN, on a CPU it is an error; the
    # label is clipped here, and the loss set to NaN below.
    classes = tf.clip_by_value(labels, 0, logits.shape[-1] - 1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    known = (tf.cast(labels, given.dtype) == given) & ((labels == classes) | (labels == -1))
    losses = tf.where(known, losses, np.nan)
    hits = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
    return {
        "classification": replicas.total(labeled * losses) / count,
        "accuracy": replicas.total(labeled * hits) / count,
    }
