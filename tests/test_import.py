import ast
import importlib
import os
import pkgutil
import subprocess
import sys

import keras
import pytest

import keras_infomodels
from keras_infomodels import VAE, keras_names, networks


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


def test_registry_knows_all_classes_before_any_is_imported():
    process = python(
        "from keras_infomodels import registry; print(sorted(registry.classes()))\n"
        "from keras_infomodels import presets; print(sorted(presets.CLASSES))"
    )
    first, second = process.stdout.splitlines()[-2:]
    assert first == second, process.stderr
    assert {"VAE", "ConvEncoder", "MMD", "Uniform", "Consistency"} <= set(ast.literal_eval(first))


@pytest.mark.parametrize(
    "order",
    [pytest.param("keras, keras_infomodels", marks=pytest.mark.slow), "keras_infomodels, keras"],
)
def test_keras_infomodels_import_lets_keras_load_its_files(tmp_path, order):
    """A model, and a network of this library within a model of Keras."""
    encoder = networks.MLPEncoder((2, 2, 1), 1, (2,))
    VAE(encoder, networks.MLPDecoder((2, 2, 1), 1, (2,))).save(tmp_path / "vae.keras")
    x = keras.Input((2, 2, 1))
    keras.Model(x, encoder(x)["loc"]).save(tmp_path / "part.keras")
    process = python(
        f"import {order}, sys; print('tensorflow_probability' in sys.modules)\n"
        f"names = [{str(tmp_path / 'part.keras')!r}, {str(tmp_path / 'vae.keras')!r}]\n"
        "print(*(type(keras.models.load_model(name)).__name__ for name in names))"
    )
    assert process.stdout.splitlines()[-2:] == ["False", "Functional VAE"], process.stderr


def test_keras_names_are_those_that_the_library_registers():
    for module in pkgutil.walk_packages(keras_infomodels.__path__, "keras_infomodels."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    registered = {
        name.partition(">")[2]
        for name in keras.saving.get_custom_objects()
        if name.startswith("keras_infomodels>")
    }
    assert registered == set(keras_names.NAMES)
    assert len(registered) == len(keras_names.NAMES)
    stand_ins = [
        each for each in keras.saving.get_custom_objects().values() if not isinstance(each, type)
    ]
    assert stand_ins == []  # all have been replaced


def test_keras_infomodels_import_and_bundled_presets_need_no_home(tmp_path):
    """As in a container whose user /etc/passwd does not know."""
    code = (
        "import os, pwd; os.environ.pop('HOME', None)\n"
        "def nobody(user): raise KeyError(user)\n"
        "pwd.getpwuid = nobody\n"
        "import keras_infomodels.zoo as zoo; print(len(zoo.list_presets()) > 0)\n"
        "from keras_infomodels.zoo.cache import home; home()"
    )
    given = dict.fromkeys(("KERAS_HOME", "KERAS_INFOMODELS_HOME"), "")
    process = python(code, **given)
    assert process.stdout == "True\n", process.stderr
    assert "set KERAS_INFOMODELS_HOME" in process.stderr.splitlines()[-1]
