import numpy as np
import pytest

from keras_infomodels.evaluation import clustering_error, contingency_table


@pytest.mark.parametrize(
    ("labels", "clusters"),
    [
        ([0, 1, -1], [0, 1, 2]),
        ([0, 1, 2], [0, 1, -1]),
        ([0.0, 1.0], [0, 1]),
        ([0, 1], [0]),
        ([], []),
        ([[0], [1]], [[0], [1]]),
    ],
)
def test_clustering_error_and_contingency_table_refuse_bad_labels(labels, clusters):
    labels, clusters = np.array(labels), np.array(clusters)
    for matching in ("one_to_one", "majority"):
        with pytest.raises(ValueError, match=r"integers from 0|have one shape"):
            clustering_error(labels, clusters, matching)
        with pytest.raises(ValueError, match=r"integers from 0|have one shape"):
            clustering_error([0, 1], [0, 1], matching, naming=(labels, clusters))
    with pytest.raises(ValueError, match=r"integers from 0|have one shape"):
        contingency_table(labels, clusters, 3)


def test_contingency_table_takes_the_old_names_with_a_warning():
    table = contingency_table([0, 0, 1], [1, 1, 0], n_clusters=3, n_classes=2)
    assert table.tolist() == [[0, 1], [2, 0], [0, 0]]
    with pytest.warns(DeprecationWarning, match="n_clusters"):
        old = contingency_table([0, 0, 1], [1, 1, 0], heads=3, kinds=2)
    assert old.tolist() == table.tolist()
    with pytest.raises(TypeError, match="rows"):
        contingency_table([0, 0, 1], [1, 1, 0], rows=3)


def test_clustering_error_counts_unnamed_clusters_as_wrong():
    # Cluster 2 has no naming example.
    score = clustering_error([0, 1, 1], [0, 1, 2], "majority", naming=([0, 1], [0, 1]))
    assert score.names.tolist() == [0, 1, -1]
    assert score.error == pytest.approx(1 / 3)


def test_clustering_error_nmi_and_ari_equal_a_table_by_hand():
    """Counts [[2, 1, 0], [0, 1, 2]]: of 15 pairs 6 share a label, 3 a cluster, 2 both."""
    score = clustering_error([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2])
    assert score.error == pytest.approx(2 / 6)
    assert score.ari == pytest.approx((2 - 6 * 3 / 15) / ((6 + 3) / 2 - 6 * 3 / 15))
    information = 2 / 3 * np.log(2)
    assert score.nmi == pytest.approx(information / ((np.log(2) + np.log(3)) / 2))


def test_clustering_error_nmi_and_ari_ignore_naming_examples():
    score = clustering_error([0, 0, 1, 1], [0, 1, 0, 1], "majority", naming=([0, 1], [0, 1]))
    assert score.nmi == pytest.approx(0, abs=1e-12)
    # One pair in six of each kind alone: (0 - 2 * 2 / 6) / (2 - 2 * 2 / 6)
    assert score.ari == pytest.approx(-0.5)
