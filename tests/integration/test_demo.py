"""The demo, as a person runs it."""

import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_demo_command_does_what_it_says(tmp_path):
    command = [sys.executable, "-m", "keras_infomodels", "demo", "--out", "demo"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    wrong = re.search(r"(\d+) of 100 images have a wrong one", process.stdout)
    # Of the 10,000 test images 2.46 % have; a hundred drawn from them would have 10 with 99.99 %.
    assert int(wrong[1]) <= 10
    information = re.search(r"I\(x;digit\) = (\S+) ", process.stdout)
    assert 2 < float(information[1]) < 2.303
    differences = [float(d) for d in re.findall(r"at most (\S+) from Keras", process.stdout)]
    assert len(differences) == 2
    assert max(differences) < 1e-4
    pictures = re.findall(r"\S+\.png", process.stdout)
    assert {"demo/zoo/code_digit.png", "demo/zoo/inferred_digit.png"} < set(pictures)
    for name in pictures:
        assert (tmp_path / name).stat().st_size > 5000
    out = tmp_path / "demo"
    assert (out / "saved_model" / "saved_model.pb").exists()
    assert (out / "model.tflite").exists()
    assert (out / "preset" / "model.weights.h5").exists()
