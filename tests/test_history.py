"""The history of a training as a CSV file."""

import pytest

from keras_infomodels.callbacks import History


def test_history_of_epochs_with_and_without_validation(tmp_path):
    path = tmp_path / "history.csv"
    history = History(path)
    history.on_epoch_end(0, {"loss": 1.0})
    history.on_epoch_end(1, {"loss": 2.0, "val_loss": 3.0})
    assert History(path, first_epoch=2).rows == history.rows


@pytest.mark.parametrize(
    "content", ["", "epoch,loss\n1,0.5\n", "epoch,loss\n1,0.5\n3,x\n", "\xff\n"]
)
def test_history_names_a_file_that_lacks_epochs(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"history\.csv .*damaged"):
        History(path, first_epoch=2)
    with pytest.raises(ValueError, match=r"history\.csv .*damaged"):
        History(path).on_epoch_end(2, {"loss": 0.1})
    assert path.read_bytes() == content.encode("latin-1")


def test_history_drops_lines_that_training_repeats(tmp_path):
    path = tmp_path / "history.csv"
    first = History(path)
    for epoch in range(3):
        first.on_epoch_end(epoch, {"loss": float(epoch)})
    resumed = History(path, first_epoch=2)
    resumed.on_epoch_end(2, {"loss": 7.0})
    assert [(row["epoch"], row["loss"]) for row in resumed.rows] == [(1, 0), (2, 1), (3, 7)]
    assert path.read_text().splitlines() == ["epoch,loss", "1,0.0", "2,1.0", "3,7.0"]
