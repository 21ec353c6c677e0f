"""Clusters against labels."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_rand_score,
    confusion_matrix,
    normalized_mutual_info_score,
)

__all__ = ["ClusteringScore", "clustering_error", "contingency_table"]


@dataclass(frozen=True)
class ClusteringScore:
    """How clusters and labels agree.

    Attributes:
        error: fraction of examples whose cluster's name is not their label.
        names: the label that each cluster was given, -1 for none; index = cluster.
        nmi: normalized mutual information, in [0, 1]; no names needed.
        ari: adjusted Rand index, at most 1, about 0 by chance; no names needed.
    """

    error: float
    names: np.ndarray
    nmi: float
    ari: float


def clustering_error(
    labels: np.ndarray,
    clusters: np.ndarray,
    matching: str = "one_to_one",
    naming: tuple[np.ndarray, np.ndarray] | None = None,
    confidence: np.ndarray | None = None,
) -> ClusteringScore:
    """The error of clusters as a classifier, once each cluster has a label for its name.

    Args:
        labels: (n,), integers from 0.
        clusters: (n,), integers from 0.
        matching: "one_to_one" (the Hungarian assignment with the fewest errors: a label names at
            most one cluster, further clusters stay nameless), "majority" (each cluster takes its
            most frequent label), or "most_confident" (the label of the example that belongs to it
            most; the protocol of the adversarial autoencoder).
        naming: other labels and clusters to take the names from, such as those of the training
            images, so that nothing is fitted to the examples that are scored; None takes the same.
        confidence: for "most_confident": how surely each *naming* example belongs to its cluster.

    Source: Makhzani et al., "Adversarial autoencoders", 2015, section 6.

    Raises:
        ValueError: lengths that differ, none, negative numbers such as -1 for "unlabeled" or for
            "noise", a matching of another name, or no confidence where it is needed.
    """
    labels, clusters = _pairs(labels, clusters)
    named_labels, named_clusters = (labels, clusters) if naming is None else _pairs(*naming)
    kinds = 1 + max(labels.max(), named_labels.max())
    heads = 1 + max(clusters.max(), named_clusters.max())
    if matching == "most_confident":
        names = _most_confident(named_labels, named_clusters, confidence, heads)
    elif matching in ("one_to_one", "majority"):
        counts = contingency_table(named_labels, named_clusters, heads, kinds)
        names = _one_to_one(counts) if matching == "one_to_one" else _majority(counts)
    else:
        raise ValueError(
            f'matching is "one_to_one", "majority" or "most_confident", got {matching!r}.'
        )
    return ClusteringScore(
        error=float(np.mean(names[clusters] != labels)),
        names=names,
        nmi=float(normalized_mutual_info_score(labels, clusters)),
        ari=float(adjusted_rand_score(labels, clusters)),
    )


def contingency_table(
    labels: np.ndarray, clusters: np.ndarray, heads: int, kinds: int | None = None
) -> np.ndarray:
    """How many examples of each cluster (row) have each label (column).

    Args:
        labels, clusters: (n,), integers from 0.
        heads, kinds: numbers of rows and columns; kinds is the largest label and 1 if None.

    Raises:
        ValueError: as `clustering_error`.
    """
    labels, clusters = _pairs(labels, clusters)
    kinds = labels.max() + 1 if kinds is None else kinds
    both = np.arange(max(heads, kinds))
    return confusion_matrix(clusters, labels, labels=both)[:heads, :kinds]


def _pairs(labels, clusters) -> tuple[np.ndarray, np.ndarray]:
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    if labels.ndim != 1 or labels.shape != clusters.shape or not len(labels):
        raise ValueError("There is one cluster for each label.")
    for name, numbers in (("Labels", labels), ("Clusters", clusters)):
        if numbers.dtype.kind not in "iu" or numbers.min() < 0:
            raise ValueError(
                f"{name} are integers from 0, got {numbers.dtype.name} from {numbers.min()}; leave "
                "unlabeled examples and noise out."
            )
    return labels, clusters


def _one_to_one(counts: np.ndarray) -> np.ndarray:
    names = np.full(len(counts), -1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    names[rows] = columns
    return names


def _majority(counts: np.ndarray) -> np.ndarray:
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


def _most_confident(labels, clusters, confidence, heads: int) -> np.ndarray:
    if confidence is None or len(confidence) != len(labels):
        raise ValueError('matching="most_confident" needs the confidence of each naming example.')
    names = np.full(heads, -1)
    for head in np.unique(clusters):
        members = np.flatnonzero(clusters == head)
        names[head] = labels[members[np.argmax(np.asarray(confidence)[members])]]
    return names
