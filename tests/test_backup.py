"""Backups that are resumed, damaged, of other data, or on a full disk."""

import contextlib
import json
import os
import stat

import keras
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
        pytest.raises(ValueError, match=r"no complete backup: .*0002 is damaged.*0001 is damaged"),
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
    with pytest.warns(UserWarning, match=r"'3\.0'.*may differ slightly"):
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


def test_atomic_backup_replaces_backups_and_ignores_unfinished_ones(make_model, images, tmp_path):
    model = make_model()
    model.fit(images, epochs=3, verbose=0, callbacks=[AtomicBackup(tmp_path)])
    assert sorted(os.listdir(tmp_path)) == ["after_epoch_0002", "after_epoch_0003"]
    (tmp_path / "unfinished-1").mkdir()
    copy = make_model()
    assert AtomicBackup(tmp_path).restore(copy) == (3, False)
    assert int(copy.optimizer.iterations) == int(model.optimizer.iterations)
    assert AtomicBackup(tmp_path / "none").restore(copy) == (0, False)


def test_atomic_backup_leaves_other_files_alone_and_serves_again(make_model, images, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "board").mkdir()
    model = make_model()
    early = keras.callbacks.EarlyStopping(patience=9)
    model.fit(images, validation_data=images, verbose=0, callbacks=[AtomicBackup(tmp_path)])
    backup = AtomicBackup(tmp_path)
    assert backup.restore(model) == (1, False)
    for _ in range(2):
        model.fit(images, initial_epoch=1, epochs=2, verbose=0, callbacks=[backup])
    both = {"after_epoch_0001", "after_epoch_0002"}
    assert set(os.listdir(tmp_path)) == {"notes.txt", "board", *both}
    (tmp_path / "after_epoch_0010").mkdir()  # of another run, which would be the newest
    model.fit(images, epochs=1, verbose=0, callbacks=[AtomicBackup(tmp_path)])
    assert set(os.listdir(tmp_path)) == {"notes.txt", "board", "after_epoch_0001"}
    with pytest.raises(ValueError, match=r"callbacks \[\], not \['EarlyStopping'\]"):
        AtomicBackup(tmp_path, [early]).restore(model)


def waiting_callbacks():
    """Both wait for a validation loss that never comes down, so their state decides."""
    never = {"monitor": "val_loss", "min_delta": 1e9}
    early = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True, **never)
    return early, keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, **never)


class Interrupt(keras.callbacks.Callback):
    """Ends training after a number of epochs, as Ctrl-C does."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "broken_after", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 5))]
)
def test_atomic_backup_resumes_waiting_callbacks(make_model, images, tmp_path, broken_after):
    """Broken off before and after the rate was halved, and after the stop."""

    def run(directory, ends_after=None):
        model, callbacks = make_model(), waiting_callbacks()
        backup = AtomicBackup(directory, callbacks)
        first, stopped = backup.restore(model)
        history = History(directory.with_suffix(".csv"), first)
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(
                datasets.from_arrays(images, batch_size=10),
                validation_data=images,
                initial_epoch=first,
                epochs=first if stopped else 8,
                callbacks=[*callbacks, history, backup, Interrupt(ends_after)],
                verbose=0,
            )
        return model, callbacks, history

    straight, callbacks, history = run(tmp_path / "straight")
    assert len(history.rows) == 5  # the first and four of waiting
    assert callbacks[0].best_epoch == 0
    # Halved after epochs 3 and 5, the first being the best.
    assert float(straight.optimizer.learning_rate) == pytest.approx(1e-2 / 4)
    run(tmp_path / "broken", broken_after)
    resumed, _, again = run(tmp_path / "broken")
    assert again.rows == history.rows
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert float(resumed.optimizer.learning_rate) == float(straight.optimizer.learning_rate)


def test_atomic_backup_warns_where_xla_was_not_used_before(make_model, images, tmp_path):
    model = make_model()
    model.fit(images, epochs=1, verbose=0, callbacks=[AtomicBackup(tmp_path)])
    again = make_model()
    again.compile("adam", jit_compile=True)
    with pytest.warns(UserWarning, match="jit_compile=False"):
        assert AtomicBackup(tmp_path).restore(again) == (1, False)
    again.compile("adam")
    assert AtomicBackup(tmp_path).restore(again) == (1, False)
