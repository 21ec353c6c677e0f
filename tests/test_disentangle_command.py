import json
import subprocess
import sys

import numpy as np
from synthetic_codes import draw_factors, make_codes

from keras_infomodels import datasets
from keras_infomodels.cli import main
from keras_infomodels.models.code_tables import code_table

METRICS = ("--metrics", "mig, irs")


def test_disentangle_command_reads_codes_of_any_framework(tmp_path, capsys):
    factors = draw_factors(300, (3, 4))
    codes = make_codes("identity", factors).astype(np.float32)
    path, out = tmp_path / "codes.npz", tmp_path / "out"
    np.savez(path, codes=codes, factors=factors, factor_names=["hue", "size"])
    assert main(["disentangle", "--codes", str(path), *METRICS, "--out", str(out)]) == 0
    assert "hue: 1.0" in capsys.readouterr().out
    numbers = json.loads((out / "disentanglement.json").read_text())
    assert numbers["scores"]["MIG"]["value"] > 0.95
    assert numbers["factors"] == ["hue", "size"]
    assert (out / "information.png").read_bytes()[:4] == b"\x89PNG"


def test_disentangle_command_says_what_is_wrong(tmp_path, capsys):
    path = tmp_path / "codes.npz"
    np.savez(path, codes=np.zeros((3, 2)))
    assert main(["disentangle", "--codes", str(path)]) == 1
    assert "lacks the array factors; it has codes" in capsys.readouterr().err
    path.write_bytes(b"no zip")
    assert main(["disentangle", "--codes", str(path)]) == 1
    assert "not a .npz file of plain arrays" in capsys.readouterr().err
    assert main(["disentangle"]) == 1
    assert "Pass either a MODEL with --dataset" in capsys.readouterr().err
    assert main(["disentangle", "tiny"]) == 1
    assert "--dataset NAME" in capsys.readouterr().err


def test_disentangle_command_says_that_a_set_has_no_factors(make_model, monkeypatch, capsys):
    monkeypatch.setattr("keras_infomodels.load_model", lambda name: make_model(), raising=False)
    assert main(["disentangle", "model", "--dataset", "fashion_mnist_mini"]) == 1
    said = capsys.readouterr().err
    assert "fashion_mnist_mini has no factors, so there is no disentanglement" in said
    assert "factors=False" not in said
    assert "--codes FILE.npz" in said


def test_disentangle_command_measures_a_model(make_model, monkeypatch, tmp_path, capsys):
    model = make_model()
    factors = np.hstack([draw_factors(120, (2, 3)), np.zeros((120, 1), int)])
    images = np.random.default_rng(0).integers(256, size=(120, 8, 8, 1), dtype=np.uint8)
    monkeypatch.setattr("keras_infomodels.load_model", lambda name: model, raising=False)
    monkeypatch.setattr(
        datasets, "factors", lambda name, data_dir: datasets.Factors(("a", "b", "c"), (2, 3, 2))
    )
    monkeypatch.setattr(datasets, "load_arrays", lambda *_, **__: (images, factors))
    words = ["disentangle", "model", "--dataset", "small", "--limit", "100", *METRICS]
    assert main([*words, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "are constant: c." in text
    assert "100 examples, 3 codes, 2 factors" in text


def test_code_table_has_means_and_the_number_of_a_category(make_model, make_categorical, make_gan):
    images = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype(np.float32)
    model = make_model()
    table, names = code_table(model, images)
    np.testing.assert_allclose(table, model.encode(images).mean(), atol=1e-6)
    assert names == ["z0", "z1", "z2"]
    model = make_categorical()
    table, names = code_table(model, images)
    q = model.encode(images)
    assert names == ["category", "z0", "z1", "z2"]
    np.testing.assert_array_equal(table[:, 0], np.argmax(q["category"].mode(), axis=1))
    np.testing.assert_allclose(table[:, 1:], q["z"].mean(), atol=1e-6)
    model = make_gan()
    table, names = code_table(model, images)
    assert names == ["digit", "slant"]
    np.testing.assert_allclose(table[:, 1:], model.infer_codes(images)["slant"].mean(), atol=1e-6)


def test_disentangle_help_loads_no_tensorflow():
    code = (
        "import sys\nfrom keras_infomodels.cli import main\n"
        "try: main(['disentangle', '--help'])\n"
        "except SystemExit: pass\n"
        "print({'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "set()", process.stderr
