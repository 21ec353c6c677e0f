"""A `.tflite` in an environment that has ai-edge-litert and NumPy, and nothing else."""

import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import pytest

from keras_infomodels.export import Runtime

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_runtime_of_the_wheel_runs_a_tflite_without_tensorflow(exports, tmp_path):
    pip = [sys.executable, "-m", "pip"]
    wheels = ["wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run([*pip, *wheels], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    for words in (["--no-deps", wheel], ["ai-edge-litert", "numpy"]):
        subprocess.run([python, "-m", "pip", "install", "--quiet", *words], check=True)
    file = exports.tflite("infogan")
    code = f"""
import importlib.util
assert importlib.util.find_spec("tensorflow") is None
assert importlib.util.find_spec("keras") is None
from keras_infomodels.export.runtime import Runtime
import numpy as np
runtime = Runtime({str(file)!r})
codes = runtime.infer_codes(np.zeros((3, 6, 6, 1)))
np.savez("out.npz", image=runtime.generate(digit=1, n=8, seed=0), **codes)
"""
    process = subprocess.run(
        [python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    runtime = Runtime(file)
    with np.load(tmp_path / "out.npz") as archive:
        np.testing.assert_array_equal(archive["image"], runtime.generate(digit=1, n=8, seed=0))
        codes = runtime.infer_codes(np.zeros((3, 6, 6, 1)))
        assert set(archive.files) == {"image", *codes}
    first_picture = (
        f"from keras_infomodels.export.runtime import Runtime; Runtime({str(file)!r}).generate()"
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([python, "-I", "-c", first_picture], check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1  # 0.2 s on a machine with other work
    command = [tmp_path / "env" / "bin" / "infomodels", "run", file, "--code", "digit=1"]
    subprocess.run([*command, "--out", tmp_path / "grid.png"], check=True)
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    command[2] = tmp_path / "absent.tflite"
    process = subprocess.run(command[:3], capture_output=True, text=True)
    assert process.stderr == f"infomodels: There is no file {command[2]}.\n"
