"""Weights in memory: what Keras writes, and nothing on a disk."""

import tempfile

import numpy as np
import pytest

from keras_infomodels import presets, weights


def test_weights_bytes_is_what_keras_writes(make_model, tmp_path):
    model, path = make_model(), tmp_path / "model.weights.h5"
    path.write_bytes(weights.weights_bytes(model))
    values = model.get_weights()
    model.set_weights([0 * each for each in values])
    model.load_weights(path)  # optimizer included
    for ours, theirs in zip(values, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_save_to_preset_and_from_preset_need_no_temporary_folder(make_gan, tmp_path, monkeypatch):
    """HDF5 ends the process where it closes a file on a full disk."""
    model, missing = make_gan(), str(tmp_path / "missing")
    monkeypatch.setattr(tempfile, "tempdir", missing)
    copy = presets.from_preset(model.save_to_preset(tmp_path / "preset"))
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_load_weights_refuses_what_is_not_finite(make_model, tmp_path, value):
    model = make_model()
    first, *rest = model.get_weights()
    model.set_weights([np.full_like(first, value), *rest])
    folder = model.save_to_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match="hold NaN or infinite numbers, first in"):
        presets.from_preset(folder)
    presets.from_preset(folder, load_weights=False)
