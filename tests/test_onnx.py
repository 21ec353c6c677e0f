"""ONNX files answer as the model does; needs tf2onnx and onnxruntime, the extra `onnx`."""

import importlib.util
import json

import numpy as np
import pytest
from exports import PRESETS

from keras_infomodels import presets
from keras_infomodels.cli import main
from keras_infomodels.export import to_onnx
from keras_infomodels.export.onnx import _require

INSTALLED = all(map(importlib.util.find_spec, ("tf2onnx", "onnxruntime")))


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs pip install 'keras-infomodels[onnx]'")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["vae", "infogan"])
def test_to_onnx_answers_as_keras(name, tmp_path):
    import onnxruntime

    model = presets.from_preset(PRESETS / name)
    folder = to_onnx(model, tmp_path / "onnx", preset=PRESETS / name)
    facts = json.loads((folder / "metadata.json").read_text())
    assert set(facts["left_out"]) == {"generate_seeded"}
    assert {path.stem for path in folder.glob("*.onnx")} == set(facts["signatures"])
    signature, output = ("reconstruct", "image_out") if name == "vae" else ("infer_codes", None)
    assert facts["renamed"] == ({"reconstruct": {"image": "image_out"}} if output else {})
    session = onnxruntime.InferenceSession(folder / f"{signature}.onnx")
    images = np.random.default_rng(0).uniform(size=(3, *model.data_shape)).astype(np.float32)
    names = [node.name for node in session.get_outputs()]
    answers = dict(zip(names, session.run(None, {"image": images}), strict=True))
    wanted = model.export_signatures()[signature].function(image=images)
    for key, value in wanted.items():
        np.testing.assert_allclose(answers[output or key], value, rtol=1e-4, atol=1e-5)


def test_to_onnx_refuses_differences_and_nan(tmp_path):
    for value in (2e-4, np.nan):
        with pytest.raises(ValueError, match="decode by"):
            _require(tmp_path, {"decode": value}, {}, False)
    _require(tmp_path, {"decode": 2e-4}, {}, True)
    with pytest.raises(ValueError, match="no signature can be converted"):
        _require(tmp_path, {}, {"decode": "no operator"}, True)


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_to_onnx_says_what_to_install(tmp_path):
    with pytest.raises(ImportError, match=r"keras-infomodels\[onnx\]"):
        to_onnx(None, tmp_path / "onnx")


def test_export_command_onnx_takes_no_bytes(capsys):
    assert main(["export", "none", "--to", "onnx", "--uint8"]) == 1
    assert "--uint8 needs --to tflite or savedmodel" in capsys.readouterr().err
