"""Comparison of clusters with labels."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_rand_score,
    confusion_matrix,
    normalized_mutual_info_score,
)

from keras_infomodels.names import guess

__all__ = ["ClusteringScore", "clustering_error", "contingency_table"]


@dataclass(frozen=True)
class ClusteringScore:
    """Result of `clustering_error`: agreement of clusters and labels.

    Attributes:
        error: float. Fraction of examples whose label differs from the label assigned to their
            cluster.
        names: int array. Label assigned to each cluster; -1 for none.
        nmi: float. Normalized mutual information of clusters and labels, in [0, 1]. Independent of
            `names`.
        ari: float. Adjusted Rand index, at most 1, and about 0 for random clusters. Independent of
            `names`.

    Example:
        score = ki.evaluation.clustering_error(labels=[0, 0, 1, 1], clusters=[2, 2, 0, 0])
        score.error  # 0.0
        score.names  # [1, -1, 0]
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
    """Measures how well clusters agree with labels, after assigning a label to each cluster.

    Args:
        labels: int array (n,). True label of each example, from 0.
        clusters: int array (n,). Cluster of each example, from 0.
        matching: str. Rule for assigning labels to clusters. "one_to_one" assigns each label to at
            most one cluster, with the fewest errors (Hungarian algorithm); remaining clusters get
            no label. "majority" assigns the most frequent label of the cluster. "most_confident"
            assigns the label of the example with the highest `confidence` in the cluster, as in the
            paper on adversarial autoencoders.
        naming: pair of int arrays. Labels and clusters of other examples, such as the training
            images, from which the assignment is computed. Then nothing is fitted to the examples
            that are scored. `None` uses `labels` and `clusters` themselves.
        confidence: float array. For "most_confident": probability of its cluster, for each example
            of `naming`.

    Returns:
        `ClusteringScore` with the error, the assignment, NMI and ARI.

    Raises:
        ValueError: If the lengths differ or are 0; if there are negative numbers, such as -1 for
            "unlabeled"; if `matching` is unknown; or if `confidence` is missing.

    Source: Makhzani et al., "Adversarial autoencoders", 2015, section 6.

    Example:
        ki.evaluation.clustering_error([0, 0, 1, 1], [2, 2, 0, 1], matching="majority").error  # 0.0
    """
    labels, clusters = _pairs(labels, clusters)
    named_labels, named_clusters = (labels, clusters) if naming is None else _pairs(*naming)
    n_classes = 1 + max(labels.max(), named_labels.max())
    n_clusters = 1 + max(clusters.max(), named_clusters.max())
    if matching == "most_confident":
        names = _most_confident(named_labels, named_clusters, confidence, n_clusters)
    elif matching in ("one_to_one", "majority"):
        counts = contingency_table(named_labels, named_clusters, n_clusters, n_classes)
        names = _one_to_one(counts) if matching == "one_to_one" else _majority(counts)
    else:
        raise ValueError(
            f'matching is "one_to_one", "majority" or "most_confident", got {matching!r}.'
            f"{guess(matching, ('one_to_one', 'majority', 'most_confident'))}"
        )
    return ClusteringScore(
        error=float(np.mean(names[clusters] != labels)),
        names=names,
        nmi=float(normalized_mutual_info_score(labels, clusters)),
        ari=float(adjusted_rand_score(labels, clusters)),
    )


def contingency_table(
    labels: np.ndarray,
    clusters: np.ndarray,
    n_clusters: int | None = None,
    n_classes: int | None = None,
    **old,
) -> np.ndarray:
    """Counts the examples of each cluster (row) and label (column).

    Args:
        labels: int array (n,). Labels from 0.
        clusters: int array (n,). Clusters from 0.
        n_clusters: int. Number of rows. `None` means the largest cluster plus 1.
        n_classes: int. Number of columns. `None` means the largest label plus 1.
        **old: `heads` and `kinds`, the names of `n_clusters` and `n_classes` in version 0.1.

    Returns:
        int array (n_clusters, n_classes).

    Raises:
        ValueError: If the lengths differ or are 0, or there are negative numbers.

    Example:
        ki.evaluation.contingency_table([0, 0, 1], [1, 1, 0])  # [[0, 1], [2, 0]]
    """
    if old:
        n_clusters, n_classes = _renamed(old, n_clusters, n_classes)
    labels, clusters = _pairs(labels, clusters)
    n_clusters = clusters.max() + 1 if n_clusters is None else n_clusters
    n_classes = labels.max() + 1 if n_classes is None else n_classes
    both = np.arange(max(n_clusters, n_classes))
    return confusion_matrix(clusters, labels, labels=both)[:n_clusters, :n_classes]


def _renamed(old: dict, n_clusters, n_classes) -> tuple:
    new = {"heads": n_clusters, "kinds": n_classes}
    if unknown := old.keys() - new:
        raise TypeError(f"contingency_table has no argument {sorted(unknown)[0]!r}.")
    warnings.warn(
        "heads and kinds of contingency_table will be removed in version 0.3; write n_clusters "
        "and n_classes.",
        DeprecationWarning,
        stacklevel=3,
    )
    return tuple((new | old).values())


def _pairs(labels, clusters) -> tuple[np.ndarray, np.ndarray]:
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    if labels.ndim != 1 or labels.shape != clusters.shape or not len(labels):
        raise ValueError(
            f"labels and clusters have one shape (n,), got {labels.shape} and {clusters.shape}."
        )
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


def _most_confident(labels, clusters, confidence, n_clusters: int) -> np.ndarray:
    if confidence is None or len(confidence) != len(labels):
        raise ValueError('matching="most_confident" needs the confidence of each naming example.')
    names = np.full(n_clusters, -1)
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        names[cluster] = labels[members[np.argmax(np.asarray(confidence)[members])]]
    return names
