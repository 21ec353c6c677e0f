"""Replicas read the rows of one global order."""

import numpy as np
import pytest

from keras_infomodels import datasets


@pytest.mark.parametrize("labeled", [0, 3])
@pytest.mark.parametrize(("workers", "here"), [(3, 1), (2, 2)])
def test_in_order_of_replicas_are_consecutive_rows_of_each_batch(workers, here, labeled):
    images = np.arange(23, dtype=np.uint8)[:, None, None, None]
    labels = np.where(np.arange(23) < 4, np.arange(23), -1)

    def make():
        return datasets.from_arrays(images, labels, 8, seed=1, labeled_per_batch=labeled)

    of = workers * here
    parts = [make().of_replicas(worker * here, here, of) for worker in range(workers)]
    dataset = make()
    for _ in range(2):  # epochs
        whole = [y.numpy() for _, y in dataset]
        found = [[y.numpy() for _, y in part] for part in parts]
        assert [len(each) for each in found] == [here * len(whole)] * workers
        for step, batch in enumerate(whole):
            own = [each[step * here + i] for each in found for i in range(here)]
            sizes = [len(rows) for rows in own]
            assert max(sizes) - min(sizes) <= 1
            np.testing.assert_array_equal(np.concatenate(own), batch)
