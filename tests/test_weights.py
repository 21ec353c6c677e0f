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


def test_weights_bytes_in_half_precision_are_the_rounded_weights(make_gan, tmp_path):
    model = make_gan()
    folder = presets.save_to_preset(model, tmp_path / "half", half_precision=True)
    whole = presets.save_to_preset(model, tmp_path / "whole")
    copy = presets.from_preset(folder)
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        assert theirs.dtype == ours.dtype
        rounded = ours.astype(np.float16) if ours.dtype == np.float32 else ours
        np.testing.assert_array_equal(rounded.astype(ours.dtype), theirs)
    sizes = [(each / "model.weights.h5").stat().st_size for each in (folder, whole)]
    parameters = 2 * copy.count_params()
    assert sizes[1] - sizes[0] == pytest.approx(parameters, rel=0.05)


def test_weights_bytes_in_half_precision_refuse_large_weights(make_gan):
    model = make_gan()
    values = model.get_weights()
    values[0] = np.full_like(values[0], 1e5)
    model.set_weights(values)
    with pytest.raises(ValueError, match="above 65504"):
        weights.weights_bytes(model, half=True)
