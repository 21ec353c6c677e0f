"""Preset folders made to do harm: each is consistent with its own checksums."""

import json
import os
import shutil
import time

import h5py
import keras
import numpy as np
import pytest

from keras_infomodels import cli, models, networks, presets, weights
from keras_infomodels.preset_files import fingerprint


@pytest.fixture(scope="module")
def model():
    shared = {"image_shape": (4, 4, 1), "latent_dim": 3, "widths": (5,)}
    return models.VAE(networks.MLPEncoder(**shared), networks.MLPDecoder(**shared))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return model.save_to_preset(tmp_path_factory.mktemp("honest") / "preset")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "preset")


def sign(folder):
    """Makes metadata.json describe the files as they are now."""
    facts = json.loads((folder / "metadata.json").read_text())
    facts["files"] = {name: fingerprint(folder, name) for name in facts["files"]}
    (folder / "metadata.json").write_text(json.dumps(facts))


def edit_config(folder, change):
    document = json.loads((folder / "config.json").read_text())
    change(document)
    (folder / "config.json").write_text(json.dumps(document))
    sign(folder)


def edit_weights(folder, change):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        change(file)
    sign(folder)


def a_dataset(file):
    """The name of one of the file's datasets, and its group."""
    names = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    group, _, name = names[0].rpartition("/")
    return file[group], name


def put(**options):
    """Replaces a dataset."""

    def change(file):
        group, name = a_dataset(file)
        shape, dtype = group[name].shape, group[name].dtype
        del group[name]
        group.create_dataset(name, **{"shape": shape, "dtype": dtype} | options)

    return change


def put_link(link):
    def change(file):
        group, name = a_dataset(file)
        del group[name]
        group[name] = link

    return change


def put_virtual(file):
    group, name = a_dataset(file)
    layout = h5py.VirtualLayout(group[name].shape, "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", group[name].shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def put_circle(file):
    file["circle"] = file


def put_twice(file):
    group, name = a_dataset(file)
    group["again"] = group[name]


def test_from_preset_loads_a_folder_signed_anew(folder):
    sign(folder)
    presets.from_preset(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(shape=(3, 6)), r"too many of the shapes {\(3, 6\): 1}"),
        (put(shape=(2**40,), chunks=(1024,), compression="gzip"), "in chunks or compressed"),
        (put(shape=(2**40,)), "does not hold this model's weights"),
        (put(chunks=True), "in chunks or compressed"),
        (put(external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]), "stored in another file"),
        (put_virtual, "stored in another file"),
        (put(dtype=h5py.string_dtype()), "and no numbers"),
        (put(shape=None), "and no numbers"),
        (put_link(h5py.ExternalLink("/etc/passwd", "x")), "is a link, which is not followed"),
        (put_link(h5py.SoftLink("/encoder")), "is a link, which is not followed"),
        (put_circle, "is in it twice"),
        (put_twice, "is in it twice"),
        (put_link(np.dtype("int32")), "is no dataset"),
        (lambda file: file.create_dataset("more", (7,)), r"too many of the shapes {\(7,\): 1}"),
        (lambda file: file.clear(), "too few of"),
    ],
)
def test_from_preset_refuses_hostile_weights_before_reading_them(folder, change, message):
    edit_weights(folder, change)
    with pytest.raises(ValueError, match=message):
        presets.from_preset(folder)


def test_from_preset_refuses_weights_in_the_wrong_places(folder):
    edit_weights(folder, lambda file: file.move("encoder", "somewhere"))
    with pytest.raises(ValueError, match="does not hold this model's weights: "):
        presets.from_preset(folder)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(1000)])
def test_from_preset_refuses_weights_that_are_no_h5(folder, content):
    # The size bounds the model too.
    (folder / "model.weights.h5").write_bytes(content + bytes(100_000))
    sign(folder)
    with pytest.raises(ValueError, match="is damaged"):
        presets.from_preset(folder)


def set_widths(widths):
    return lambda document: document["config"]["encoder"]["config"].update(widths=widths)


@pytest.mark.parametrize(
    ("widths", "load_weights"),
    [
        ([10**7], True),
        ([10**7, 10**7], False),
        ([10**6, 10**6], True),
        ([10**6, 10**6], False),
        # 200 million numbers are allowed to someone who wants no weights.
        ([2000] * 50, True),
    ],
)
def test_from_preset_refuses_a_huge_model_without_its_memory(folder, widths, load_weights):
    edit_config(folder, set_widths(widths))
    with pytest.raises(ValueError, match="makes a model of more than"):
        presets.from_preset(folder, load_weights=load_weights)


def nest(depth):
    value = [5]
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("widths", [[1] * 2000, nest(30), nest(900), [10**8], [float("nan")]])
def test_from_preset_refuses_a_config_without_end_at_once(folder, widths):
    edit_config(folder, set_widths(widths))
    with pytest.raises(ValueError, match="config of a preset"):
        presets.from_preset(folder, load_weights=False)


def test_from_preset_bounds_layers_by_the_arrays_of_the_weights(folder):
    """Each takes milliseconds, and 256 of them seconds."""
    edit_config(folder, set_widths([1] * 256))
    start = time.process_time()
    with pytest.raises(ValueError, match="at most 80 calls of layers where its weights are 10 arr"):
        presets.from_preset(folder)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "seed",
    [
        {"seed": {"seed": {}}},
        [1] * 200,
        {"class_name": "MLPEncoder", "config": {"widths": [1] * 250}},
        "1",
        1.5,
        True,
    ],
)
@pytest.mark.parametrize("load_weights", [True, False])
def test_from_preset_refuses_a_seed_that_is_no_integer(folder, seed, load_weights):
    edit_config(folder, lambda document: document["config"].update(seed=seed))
    with pytest.raises(ValueError, match="A seed in the config of a preset is an integer or none"):
        presets.from_preset(folder, load_weights=load_weights)


def test_from_preset_refuses_a_prior_of_huge_memory(folder):
    edit_config(folder, lambda d: d["config"]["prior"]["config"].update(dimension=10**10))
    with pytest.raises(ValueError, match="at most 10000000, not 10000000000"):
        presets.from_preset(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is a link, which is not followed"),
        ("a = " + "[" * 5000 + "]" * 5000, "is no TOML file"),
        ("#" * 2**21, "at most 1048576 are read"),
    ],
)
def test_verify_command_refuses_a_hostile_recipe_toml(folder, content, message, capsys):
    if content is None:
        (folder / "recipe.toml").symlink_to("/dev/zero")
    else:
        (folder / "recipe.toml").write_text(content)
    assert cli.main(["verify", str(folder), "--data-dir", str(folder)]) == 1
    assert message in capsys.readouterr().err


def test_at_most_counts_every_variable():
    with weights.at_most(24):
        keras.layers.Dense(4).build((None, 5))
    with weights.at_most(23), pytest.raises(ValueError, match="more than the 23 numbers"):
        keras.layers.Dense(4).build((None, 5))
    keras.layers.Dense(4).build((None, 5))


@pytest.mark.parametrize(
    "value",
    [
        {"class_name": "Lambda", "config": {"function": "x"}},
        {"class_name": "__main__>evil", "config": {}},
        {"class_name": ["MLPEncoder"], "config": {}},
        {"module": "os", "class_name": "system", "config": "touch evil"},
        {"class_name": "MLPEncoder", "config": "x"},
        {"class_name": "MLPEncoder"},
    ],
)
def test_from_preset_constructs_nothing_but_its_table(folder, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edit_config(folder, lambda document: document["config"].update(encoder=value))
    before = set(os.listdir(tmp_path))
    with pytest.raises(ValueError, match=r"not one of this version's|is no table"):
        presets.from_preset(folder)
    assert set(os.listdir(tmp_path)) == before


def set_activation(value):
    return lambda document: document["config"]["encoder"]["config"].update(activation=value)


@pytest.mark.parametrize("value", ["os.system", "builtins>eval", {"module": "os"}, 3, ["relu"]])
def test_from_preset_refuses_an_activation_that_is_none(folder, value):
    edit_config(folder, set_activation(value))
    with pytest.raises((ValueError, TypeError)):
        presets.from_preset(folder)


@pytest.mark.parametrize("name", ["StandardNormal", "MLPEncoder", "MMD", "Sequential", None, 3])
def test_from_preset_refuses_a_class_that_is_no_model(folder, name):
    edit_config(folder, lambda document: document.update(class_name=name))
    with pytest.raises(ValueError, match="not one of this version's"):
        presets.from_preset(folder)


@pytest.mark.parametrize("version", [3, 0, "1", None, 1.5, True])
@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
def test_from_preset_refuses_an_unknown_format(folder, name, version):
    document = json.loads((folder / name).read_text())
    document["format"] = version
    (folder / name).write_text(json.dumps(document))
    if name == "config.json":
        sign(folder)
    for load_weights in (True, False):
        with pytest.raises(ValueError, match="Upgrade"):
            presets.from_preset(folder, load_weights=load_weights)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_from_preset_follows_no_links(folder, name, tmp_path):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ValueError, match="is a link, which is not followed"):
        presets.from_preset(folder)


@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
def test_from_preset_does_not_read_a_huge_json(folder, name):
    with (folder / name).open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"has 1099511627776 bytes; at most 1048576 are read"):
        presets.from_preset(folder)


def test_from_preset_does_not_read_a_huge_weights_file(folder):
    with (folder / "model.weights.h5").open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"has 1099511627776 bytes; at most 1073741824 are read"):
        presets.from_preset(folder)


@pytest.mark.parametrize(
    "files", [None, [], {}, {"../x": {"sha256": "0" * 64, "bytes": 1}}, {"config.json": 3}]
)
def test_from_preset_refuses_a_wrong_table_of_files(folder, files):
    facts = json.loads((folder / "metadata.json").read_text())
    facts["files"] = files
    (folder / "metadata.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"is not in its files|plain|needs its sha256|by name"):
        presets.from_preset(folder)


def test_from_preset_loads_an_honest_preset_to_the_bit(folder, model):
    copy = presets.from_preset(folder)
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("option", [{"normalization": "spectral"}, {"posterior": "separate"}])
def test_from_preset_loads_spectral_and_separate_networks(make_gan, tmp_path, option):
    model = make_gan(**option)
    folder = model.save_to_preset(tmp_path / "preset")
    copy = presets.from_preset(folder)
    presets.from_preset(folder, dtype="bfloat16")
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
