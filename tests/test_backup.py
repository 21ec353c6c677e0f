"""Backups that are damaged, of other data, or on a full disk."""

import json
import stat

import numpy as np
import pytest

from keras_infomodels import datasets
from keras_infomodels.callbacks import AtomicBackup, History


@pytest.fixture
def run(make_model, images, tmp_path):
    """A run of two epochs: its model, and its folder of backups."""
    model, directory = make_model(), tmp_path / "checkpoints"
    history = History(tmp_path / "history.csv")
    backup = AtomicBackup(directory, [history], {"train": {"sha256": "a"}})
    model.fit(images, epochs=2, verbose=0, callbacks=[history, backup])
    return model, directory, history


def again(directory, data="a"):
    history = History(directory.parent / "history.csv")
    return AtomicBackup(directory, [history], {"train": {"sha256": data}}), history


@pytest.mark.parametrize("name", ["model.weights.h5", "callbacks.json", "checksums.json"])
def test_atomic_backup_names_a_flipped_bit_and_takes_the_one_before(run, make_model, images, name):
    straight, directory, history = run
    path = directory / "after_epoch_0002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    model, (backup, rows) = make_model(), again(directory)
    with pytest.warns(UserWarning, match=r"after_epoch_0002 is damaged"):
        assert backup.restore(model) == (1, False)
    model.fit(images, initial_epoch=1, epochs=2, verbose=0, callbacks=[rows, backup])
    assert rows.rows == history.rows
    for a, b in zip(straight.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again(directory)[0].restore(model) == (2, False)  # made anew


def test_atomic_backup_refuses_where_none_is_whole(run, make_model):
    _, directory, _ = run
    for folder in directory.iterdir():
        (folder / "model.weights.h5").unlink()
    with (
        pytest.warns(UserWarning, match="weights.h5 is missing"),
        pytest.raises(ValueError, match=r"no whole backup: .*0002 is damaged.*0001 is damaged"),
    ):
        again(directory)[0].restore(make_model())


def test_atomic_backup_refuses_other_data_and_names_other_versions(run, make_model):
    _, directory, _ = run
    with pytest.raises(ValueError, match=r"train was .*'a'.* and is .*'b'"):
        again(directory, "b")[0].restore(make_model())
    AtomicBackup(directory, [History("x")]).restore(make_model())  # without a fingerprint
    path = directory / "after_epoch_0002" / "callbacks.json"
    document = json.loads(path.read_text())
    document["versions"]["keras"] = "3.0"
    path.write_text(json.dumps(document))
    (path.parent / "checksums.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"'3\.0'.*not to the bits"):
        again(directory)[0].restore(make_model())


def test_atomic_backup_on_a_full_disk_keeps_the_one_before(run, make_model, images, monkeypatch):
    model, directory, _ = run
    backup, rows = again(directory)
    backup.restore(model)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_infomodels.training.backup.write_atomically", full)
    with pytest.raises(OSError, match=r"after epoch 3 could not .*No space left"):
        model.fit(images, initial_epoch=2, epochs=3, verbose=0, callbacks=[rows, backup])
    names = sorted(path.name for path in directory.iterdir())
    assert names == ["after_epoch_0001", "after_epoch_0002"]
    assert again(directory)[0].restore(make_model()) == (2, False)


def test_atomic_backup_folders_are_readable_as_others_are(run):
    _, directory, _ = run
    modes = {stat.S_IMODE(folder.stat().st_mode) for folder in (directory, *directory.iterdir())}
    assert len(modes) == 1


def test_from_arrays_fingerprint_tells_data_apart():
    images, labels = np.zeros((4, 2, 2, 1), np.uint8), np.arange(4)
    changed = images.copy()
    changed[3, 1, 1] = 255
    prints = [
        datasets.from_arrays(*arrays, seed=seed, batch_size=2).fingerprint()
        for arrays, seed in (
            ((images, labels), 0),
            ((images, labels), 1),
            ((images,), 0),
            ((changed, labels), 0),
            ((images[:3], labels[:3]), 0),
            ((images, labels[::-1]), 0),
        )
    ]
    assert prints[0] == prints[1] == json.loads(json.dumps(prints[0]))
    assert len({str(each) for each in prints}) == 5
    assert prints[0]["shape"] == [4, 2, 2, 1]
