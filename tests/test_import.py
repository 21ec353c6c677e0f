import os
import subprocess
import sys

import pytest

import keras_infomodels


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import keras_infomodels; dir(keras_infomodels)",
        "from keras_infomodels import export, zoo; zoo.list_presets()",
        "from keras_infomodels.cli import _parser; _parser().format_help()",
        "from keras_infomodels.zoo.recipes import Recipe",
        "from keras_infomodels import information; dir(information)",
    ],
)
def test_keras_infomodels_import_loads_nothing_heavy(code):
    heavy = "{'tensorflow', 'keras', 'tensorflow_probability', 'tensorflow_datasets', 'scipy'}"
    process = python(f"{code}\nimport sys; print({heavy} & set(sys.modules))")
    assert process.stdout.splitlines()[-1:] == ["set()"], process.stderr


def test_keras_infomodels_import_refuses_another_keras_backend(tmp_path):
    process = python("import keras_infomodels", KERAS_BACKEND="jax")
    assert "KERAS_BACKEND=tensorflow" in process.stderr.splitlines()[-1]
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    process = python("import keras_infomodels", KERAS_HOME=str(tmp_path))
    assert "'torch'" in process.stderr.splitlines()[-1]
    assert python("import keras_infomodels", KERAS_BACKEND="tensorflow").returncode == 0


def test_keras_infomodels_has_every_public_name():
    for name in keras_infomodels.__all__:
        assert getattr(keras_infomodels, name) is not None
        assert name in dir(keras_infomodels)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras_infomodels.nothing


def test_cli_help_lists_the_commands():
    process = subprocess.run(
        [sys.executable, "-m", "keras_infomodels", "--help"], capture_output=True, text=True
    )
    for command in ("demo", "train", "prepare"):
        assert command in process.stdout
