"""`.keras` files made to do harm: a sentence each, before Keras reads them."""

import io
import json
import random
import time
import zipfile

import h5py
import keras
import pytest

from keras_infomodels import models, networks, presets

NETWORK = "keras_infomodels.networks.mlp"


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The members of a compiled model's file, by name."""
    shared = {"image_shape": (4, 4, 1), "latent_dim": 3, "widths": (5,)}
    model = models.VAE(networks.MLPEncoder(**shared), networks.MLPDecoder(**shared))
    model.compile(keras.optimizers.Adam())
    path = tmp_path_factory.mktemp("honest") / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path) -> str:
    start = time.process_time()
    with pytest.raises(ValueError, match="model") as error:
        presets.load_model(path)
    assert time.process_time() - start < 1
    assert str(error.value).isprintable()
    return str(error.value)


def test_load_keras_file_loads_what_keras_wrote(honest, tmp_path):
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        model = presets.load_model(write(tmp_path / "model.keras", honest, compression))
        assert model.optimizer.built


def test_load_keras_file_reads_no_newer_format(honest, tmp_path):
    config = json.loads(honest["config.json"])
    assert config["build_config"] == {"format": 2}
    for number in (None, 1, 2):
        config["build_config"] = {} if number is None else {"format": number}
        members = honest | {"config.json": json.dumps(config)}
        assert isinstance(presets.load_model(write(tmp_path / "a.keras", members)), models.VAE)
    for number in (3, "2", True):
        config["build_config"] = {"format": number}
        message = refused(write(tmp_path / "b.keras", honest | {"config.json": json.dumps(config)}))
        assert "reads formats up to 2. Upgrade it." in message


def widths(value):
    return lambda config: config["encoder"]["config"].update(widths=value)


CONFIGS = {
    "class_list": (lambda c: c["encoder"].update(class_name=["MLPEncoder"]), "names a class by"),
    "module_list": (lambda c: c["encoder"].update(module=["x"]), "names a class by"),
    "registered_list": (lambda c: c["encoder"].update(registered_name=["x"]), "cannot be loaded"),
    "widths": (widths([1] * 3000), "lists 3008 numbers"),
    "huge": (widths([10**5, 10**5]), "makes a model of more than"),
    "text": (widths("wide"), "cannot be loaded"),
    "seed": (lambda c: c.update(seed={"seed": {"seed": {}}}), "cannot be loaded"),
    "below_seed": (
        lambda c: c.update(
            seed={"module": NETWORK, "class_name": "MLPEncoder", "config": {"widths": [1] * 3000}}
        ),
        "lists 3009 numbers",
    ),
    "lambda": (
        lambda c: c["encoder"].update(
            module="keras.layers", class_name="Lambda", registered_name=None
        ),
        "cannot be loaded",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_load_keras_file_refuses_a_hostile_config(honest, tmp_path, name):
    change, words = CONFIGS[name]
    document = json.loads(honest["config.json"])
    change(document["config"])
    members = honest | {"config.json": json.dumps(document)}
    assert words in refused(write(tmp_path / "model.keras", members))


@pytest.mark.parametrize("text", ["", "[1]", "[" * 10**5, "[" * 900 + "]" * 900, b"\xff\xfe"])
def test_load_keras_file_refuses_a_config_that_is_none(honest, tmp_path, text):
    refused(write(tmp_path / "model.keras", honest | {"config.json": text}))


def test_load_keras_file_refuses_bombs_without_unpacking_them(honest, tmp_path):
    path = tmp_path / "model.keras"
    for name in ("config.json", "model.weights.h5", "assets/more"):
        write(path, honest | {name: bytes(30_000_000)}, zipfile.ZIP_DEFLATED)
        assert "would unpack to 30" in refused(path)


def test_load_keras_file_refuses_weights_that_are_elsewhere(honest, tmp_path):
    for change in (
        lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
        lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "x")),
    ):
        content = io.BytesIO(honest["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change(file)
        members = honest | {"model.weights.h5": content.getvalue()}
        assert "is refused" in refused(write(tmp_path / "model.keras", members))


def test_load_keras_file_names_damage_in_a_sentence(honest, tmp_path):
    path = write(tmp_path / "model.keras", honest)
    content = path.read_bytes()
    starts = {name: content.index(part) for name, part in honest.items() if name != "metadata.json"}
    for number in range(40):
        source, damaged = random.Random(number), bytearray(content)
        if number % 4:  # in what is read: a header's date may be any
            name = source.choice(sorted(starts))
            position = starts[name] + source.randrange(len(honest[name]))
            damaged[position] ^= 1 << source.randrange(8)
        else:
            del damaged[source.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        assert "damaged" in refused(path)
    path.write_bytes(b"")
    assert "File is not a zip file" in refused(path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        presets.load_model(tmp_path / "other.keras")
