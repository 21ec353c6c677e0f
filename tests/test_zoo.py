import json
import os
import rlcompleter
import shutil
import subprocess
import sys

import pytest
import tiny_zoo
from tiny_zoo import Server, write_preset

import keras_infomodels
from keras_infomodels import cli, models, networks, zoo
from keras_infomodels.preset_files import fingerprint
from keras_infomodels.zoo import cache, registry
from keras_infomodels.zoo.download import DownloadError

VAE_NAME = "vae_tiny"


@pytest.fixture(scope="module")
def model():
    shared = {"image_shape": (4, 4, 1), "latent_dim": 3, "widths": (5,)}
    return models.VAE(networks.MLPEncoder(**shared), networks.MLPDecoder(**shared))


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    """A folder as a server has it, with a registry beside it; one preset is a real model."""
    folder = tmp_path_factory.mktemp("zoo")
    model.save_to_preset(
        folder / VAE_NAME,
        description="a VAE\nof four pixels",
        headline="1 nat",
        training={"dataset": "mnist"},
    )
    (folder / VAE_NAME / "README.md").write_text("---\na: b\n---\n# vae_tiny\n\n\x1b[2JThe card.\n")
    (folder / VAE_NAME / "samples.png").write_bytes(b"png")
    write_preset(folder, "other_mnist")
    for name in (VAE_NAME, "other_mnist"):
        registry.register(folder / name, folder / "registry.json")
    return folder


@pytest.fixture
def server(served, tmp_path, monkeypatch):
    """The zoo's URL is a server that has what the registry says; the package bundles nothing."""
    monkeypatch.setattr(registry, "PATH", served / "registry.json")
    (tmp_path / "nothing").mkdir()
    monkeypatch.setattr(zoo, "PRESETS", tmp_path / "nothing")
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "*")
    with Server(served).running() as server:
        monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", server.url)
        yield server


@pytest.fixture
def package(server, served, tmp_path, monkeypatch):
    """The package's own presets: the model without its picture."""
    shutil.copytree(served / VAE_NAME, tmp_path / "package" / VAE_NAME)
    (tmp_path / "package" / VAE_NAME / "samples.png").unlink()
    monkeypatch.setattr(zoo, "PRESETS", tmp_path / "package")
    return tmp_path / "package"


def run(capsys, *arguments) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# From a name to a model


def test_from_preset_and_load_model_download_a_name_once(server, model):
    for load in (
        keras_infomodels.from_preset,
        keras_infomodels.load_model,
        models.InfoVAE.from_preset,
    ):
        copy = load(VAE_NAME)
        assert type(copy) is models.VAE
        for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
            assert (ours == theirs).all()
    assert len(server.requests) == len(registry.read()[VAE_NAME].files)
    with pytest.raises(ValueError, match="is a VAE, not a GAN"):
        models.GAN.from_preset(VAE_NAME)


def test_locate_prefers_folder_then_cache_then_package_then_url(
    server, package, served, tmp_path, monkeypatch
):
    assert zoo.locate(VAE_NAME) == package / VAE_NAME
    assert server.requests == []
    assert zoo.download(VAE_NAME) == cache.folder_of(registry.read()[VAE_NAME])
    assert zoo.locate(VAE_NAME) == cache.folder_of(registry.read()[VAE_NAME])
    monkeypatch.chdir(tmp_path)
    shutil.copytree(served / VAE_NAME, VAE_NAME)
    assert zoo.locate(VAE_NAME).resolve() == tmp_path / VAE_NAME
    assert zoo.locate("other_mnist") == cache.folder_of(registry.read()["other_mnist"])


def test_list_presets_lists_the_registry_and_completes_names(server):
    names = zoo.list_presets()
    assert names["other_mnist"] == "a tiny one"
    assert names.other_mnist == "other_mnist"
    completer = rlcompleter.Completer({"names": names})
    assert completer.complete("names.other", 0) == "names.other_mnist"
    with pytest.raises(AttributeError, match=r"no preset 'big_mnist'; there are: .*other_mnist"):
        _ = names.big_mnist


def test_vae_presets_lists_what_the_class_can_load(server, package):
    assert set(models.VAE.presets) == {VAE_NAME, "other_mnist"}
    assert set(models.InfoVAE.presets) == {VAE_NAME, "other_mnist"}
    assert not models.GAN.presets
    assert not models.MMDVAE.presets


def test_list_presets_takes_the_name_of_a_class_as_a_whole(server, package):
    """A text holds the names that are parts of it: "VAE" is in "InfoVAE"."""
    assert set(zoo.list_presets(classes="VAE")) == {VAE_NAME, "other_mnist"}
    assert not zoo.list_presets(classes="InfoVAE VAE")
    assert set(zoo.list_presets(classes=["GAN", "VAE"])) == {VAE_NAME, "other_mnist"}


@pytest.mark.parametrize("name", ["other_mnit", "../etc", "/etc", "ETC", ""])
def test_locate_refuses_a_name_that_is_none(server, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="neither a preset folder") as caught:
        zoo.locate(name)
    close = "did you mean 'other_mnist'?"
    known = close if name == "other_mnit" else "there are: other_mnist, vae_tiny."
    assert f"; {known} `infomodels list` shows all." in str(caught.value)
    assert set(server.requests) <= {"/registry.json"}


def test_from_preset_does_not_load_a_corrupted_download(server):
    server.faults, server.forever = [tiny_zoo.corrupt], True
    with pytest.raises(DownloadError, match="another SHA-256"):
        keras_infomodels.from_preset(VAE_NAME)


# The hub


def test_load_model_needs_pinned_hub_addresses_and_the_hub_client(monkeypatch):
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "0")
    for wrong in ("hf://a", "hf://a/b/c@main", "hf://a/../b@" + "0" * 40, "hf://a/b@/main"):
        with pytest.raises(ValueError, match="the 40 hexadecimal digits of a commit"):
            keras_infomodels.load_model(wrong)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=r"pip install 'keras-infomodels\[hub\]'"):
        keras_infomodels.load_model("hf://a/b@" + "0" * 40)
    monkeypatch.setenv("KERAS_INFOMODELS_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"OFFLINE is set\. Unset it"):
        keras_infomodels.load_model("hf://a/b@" + "0" * 40)


# The commands


def test_list_command_is_a_table(server, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["name", "data", "size", "where", "headline", "good", "for"],
        ["other_mnist", "mnist", "0.3", "MB", "download", "2.5", "nats", "a", "tiny", "one"],
        f"{VAE_NAME} mnist 0.0 MB download 1 nat a VAE of four pixels".split(),
        [],
        *[line.split() for line in out.splitlines()[-1:]],
    ]
    assert "download needs a network" in out
    monkeypatch.setenv("COLUMNS", "50")
    assert "\n    a tiny one\n" in run(capsys, "list")[1]
    assert set(server.requests) <= {"/registry.json"}


def test_list_command_says_which_presets_need_no_download(server, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    run(capsys, "download", VAE_NAME)
    (line,) = (x for x in run(capsys, "list")[1].splitlines() if x.startswith(VAE_NAME))
    assert line.split()[4] == "cache"
    package = tmp_path / "presets"
    (package / VAE_NAME).mkdir(parents=True)
    for name in ("config.json", "metadata.json"):
        (package / VAE_NAME / name).write_text("{}")
    monkeypatch.setattr(zoo, "PRESETS", package)
    (line,) = (x for x in run(capsys, "list")[1].splitlines() if x.startswith(VAE_NAME))
    assert line.split()[4] == "package"


def test_list_command_without_presets_says_how_to_train_one(tmp_path, monkeypatch, capsys):
    (tmp_path / "registry.json").write_text('{"format": 1, "presets": {}}')
    (tmp_path / "package" / "vae_mnist").mkdir(parents=True)
    (tmp_path / "package" / "vae_mnist" / "recipe.toml").write_text("")
    monkeypatch.setattr(registry, "PATH", tmp_path / "registry.json")
    monkeypatch.setattr(zoo, "PRESETS", tmp_path / "package")
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert "infomodels train --recipe" in out
    assert out.endswith("  vae_mnist\n")
    assert run(capsys, "download", "--all")[2] == (
        "infomodels: The zoo of this version has nothing to download.\n"
    )


def test_show_command_prints_the_card_and_where_pictures_are(server, capsys):
    status, out, _ = run(capsys, "show", VAE_NAME)
    folder = cache.folder_of(registry.read()[VAE_NAME])
    assert status == 0
    # Neither front matter nor what would clear the screen.
    assert out.startswith("# vae_tiny\n\n [2JThe card.\n")
    assert f"The preset is in {folder} (cache)" in out
    assert out.endswith(f"  {folder / 'samples.png'}\n")


def test_download_command_prints_the_folder_and_repeats_nothing(server, capsys):
    folder = cache.folder_of(registry.read()[VAE_NAME])
    assert run(capsys, "download", VAE_NAME)[:2] == (0, f"{folder}\n")
    count = len(server.requests)
    assert run(capsys, "download", VAE_NAME)[:2] == (0, f"{folder}\n")
    assert len(server.requests) == count
    status, out, _ = run(capsys, "download", "--all")
    assert status == 0
    assert len(out.splitlines()) == 2
    status, _, err = run(capsys, "download", "vae_tniy")
    assert status == 1
    assert "did you mean 'vae_tiny'?" in err
    status, _, err = run(capsys, "download")
    assert status == 1
    assert "there are: other_mnist, vae_tiny" in err


def test_show_command_of_a_recipe_alone_says_what_to_do(server, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "recipe.toml").write_text("")
    assert f"train --recipe {folder}" in run(capsys, "show", folder)[2]
    (folder / "run").mkdir()
    assert f"train --resume --out {folder}" in run(capsys, "show", folder)[2]


def test_show_command_shows_a_folder_without_a_card(package, capsys):
    (package / VAE_NAME / "README.md").unlink()
    assert "has no card" in run(capsys, "show", package / VAE_NAME)[1]


@pytest.mark.parametrize("words", [["show", "infogan_mnist"], ["list"]])
def test_commands_end_quietly_when_nobody_reads(words):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "keras_infomodels", *words]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_verify_command_compares_files_with_the_registry(server, capsys):
    status, _, err = run(capsys, "verify", VAE_NAME)
    assert status == 1
    assert f"run `infomodels download {VAE_NAME}`" in err
    folder = zoo.download(VAE_NAME)
    status, out, _ = run(capsys, "verify", VAE_NAME)
    assert status == 0
    assert "All 5 files" in out
    assert "not measured again" in out
    (folder / "README.md").write_text("short")
    (folder / "samples.png").unlink()
    status, out, err = run(capsys, "verify", VAE_NAME)
    assert status == 1
    assert "README.md: has 5 bytes, not" in out
    assert "samples.png: is missing" in out
    assert "config.json: ok" in out
    assert "2 of 5 files" in err
    assert f"infomodels download {VAE_NAME}" in err
    # Looking repairs nothing.
    assert not (folder / "samples.png").exists()


def test_verify_command_of_a_bundled_preset_and_of_a_folder(server, package, served, capsys):
    assert "All 4 files" in run(capsys, "verify", VAE_NAME)[1]
    (package / VAE_NAME / "README.md").write_text("other")
    assert run(capsys, "verify", VAE_NAME)[0] == 1
    # A folder alone says what config and weights should be.
    assert "All 2 files" in run(capsys, "verify", package / VAE_NAME)[1]
    (package / VAE_NAME / "model.weights.h5").unlink()
    assert "model.weights.h5: is missing" in run(capsys, "verify", package / VAE_NAME)[1]
    assert "model.weights.h5: is missing" in run(capsys, "verify", VAE_NAME)[1]


def test_verify_command_reads_a_card_stated_in_metadata(package, capsys):
    folder = package / VAE_NAME
    facts = json.loads((folder / "metadata.json").read_text())
    facts["files"]["README.md"] = fingerprint(folder, "README.md")
    (folder / "metadata.json").write_text(json.dumps(facts))
    assert "All 3 files" in run(capsys, "verify", folder)[1]
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card + "more")
    assert run(capsys, "verify", folder)[0] == 1
    (folder / "README.md").unlink()
    code, out, _ = run(capsys, "verify", folder)
    assert code == 0
    assert "README.md: not here" in out
    assert "All 2 files" in out


def test_list_show_download_verify_commands_load_no_tensorflow(server):
    code = f"""
import json, sys
from pathlib import Path
from keras_infomodels.zoo import registry
registry.PATH = Path({str(registry.PATH)!r})
from keras_infomodels.cli import main
for arguments in (["list"], ["download", "{VAE_NAME}"], ["show", "{VAE_NAME}"],
                  ["verify", "{VAE_NAME}"]):
    assert main(arguments) == 0, arguments
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert process.returncode == 0, process.stderr
    for command in ("list", "show", "download", "verify"):
        assert f"\n    {command} " in process.stdout
    loaded = set(json.loads(process.stdout.splitlines()[-1]))
    assert not loaded & {"tensorflow", "keras", "numpy", "h5py", "scipy", "huggingface_hub"}
