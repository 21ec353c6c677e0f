"""A wheel works on its own, away from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_has_everything_and_works_alone(tmp_path):
    pip = [sys.executable, "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        f"{package}/{path.relative_to(ROOT / folder)}"
        for folder, package in (
            ("keras_infomodels", "keras_infomodels"),
            ("zoo", "keras_infomodels/zoo"),
            ("export", "keras_infomodels/export"),
        )
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".toml", ".npz", ".LICENSE")
    }
    assert modules <= names
    bundled = {
        *("infogan_mnist", "mmd_vae_2d_mnist", "mmd_vae_fashion_mnist_mini"),
        *("mnist_classifier", "fashion_mnist_classifier"),
    }
    for preset in bundled:
        files = {Path(name).name for name in names if f"/presets/{preset}/" in name}
        needed = {"README.md", "config.json", "metadata.json", "model.weights.h5", "recipe.toml"}
        assert needed <= files, (preset, files)
    weights = {Path(name).parent.name for name in names if name.endswith(".h5")}
    assert weights == bundled
    assert not any(name.endswith(".tflite") for name in names)
    assert wheel.stat().st_size < 15e6
    assert {name.split("/")[0] for name in names} == {
        "keras_infomodels",
        wheel.name.rsplit("-", 3)[0] + ".dist-info",
    }
    target = tmp_path / "site"
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--target", target, wheel], check=True)
    code = f"""
import sys
sys.path.insert(0, {str(target)!r})
import keras_infomodels, keras_infomodels.zoo, keras_infomodels.export
from keras_infomodels import datasets
assert keras_infomodels.from_preset("infogan_mnist").generate(2).shape == (2, 28, 28, 1)
assert keras_infomodels.__file__.startswith({str(target)!r})
assert keras_infomodels.zoo.__file__.startswith({str(target)!r})
assert keras_infomodels.export.__file__.startswith({str(target)!r})
images, labels = datasets.load_arrays("fashion_mnist_mini", "test")
print(images.shape, datasets.load_arrays("mnist_mini", "test")[0].shape)
"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.stdout.strip() == "(500, 28, 28, 1) (100, 28, 28, 1)", process.stderr
