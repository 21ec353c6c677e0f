"""The page's writer and server, with files of the runtime that are made up: no network."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import threading
import urllib.request

import numpy as np
import pytest

from keras_infomodels import zoo
from keras_infomodels.cli import main
from keras_infomodels.export import Runtime, web_runtime
from keras_infomodels.export.explorer import PAGE, fixed_batch, server, write_explorer

READY = zoo.PRESETS / "mmd_vae_fashion_mnist_mini"


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A folder as npm leaves it, whose checksums the writer expects."""
    files = {}
    for name in web_runtime.FILES:
        path = tmp_path / "node_modules" / "@litertjs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        files[name] = hashlib.sha256(name.encode()).hexdigest()
    monkeypatch.setattr(web_runtime, "FILES", files)
    return tmp_path / "node_modules"


def test_explorer_fixed_batch_answers_as_the_file_it_came_from(tmp_path):
    path = tmp_path / "fixed.tflite"
    path.write_bytes(fixed_batch(READY / "model.tflite"))
    fixed, free = Runtime(path), Runtime(READY / "model.tflite")
    assert (fixed.metadata["batch_size"], free.metadata["batch_size"]) == (1, None)
    z = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    np.testing.assert_array_equal(fixed.decode(z), free.decode(z))
    assert fixed_batch(path) == path.read_bytes()
    # The interpreter's own shapes, which the browser's runtime does not resize.
    assert b'"batch_size": null' not in path.read_bytes()


def test_write_explorer_contents(runtime, tmp_path):
    out = tmp_path / "site"
    assert write_explorer([READY], out, runtime) == out
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    page = {path.name for path in PAGE.iterdir()} - {"LITERT_LICENSE.txt"}
    own = {"explorer.json", "models/mmd_vae_fashion_mnist_mini.tflite", "runtime/LICENSE"}
    assert names == page | own | {f"runtime/{name}" for name in web_runtime.FILES}
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 300_000
    (facts,) = json.loads((out / "explorer.json").read_text())["presets"]
    assert (facts["name"], facts["license"]) == ("mmd_vae_fashion_mnist_mini", "Apache-2.0")
    assert facts["file"] in names
    metadata = json.loads((READY / "metadata.json").read_text())
    figure = metadata["figures"]["mutual_information"]
    assert facts["figures"]["mutual_information"]["value"] == figure["value"]
    # Nothing comes from elsewhere.
    texts = [path.read_text() for path in PAGE.iterdir() if path.suffix in (".html", ".js", ".css")]
    assert not any("https://" in text or "http://" in text for text in texts)


def test_write_explorer_replaces_its_own_and_nothing_else(runtime, tmp_path):
    out = tmp_path / "site"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="something else"):
        write_explorer([READY], out, runtime)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    write_explorer([READY], tmp_path / "again", runtime)
    write_explorer([READY], tmp_path / "again", runtime)
    with pytest.raises(ValueError, match="Several models are named"):
        write_explorer([READY, READY], tmp_path / "twice", runtime)
    assert not (tmp_path / "twice").exists()


def test_copy_runtime_refuses_another_checksum_and_missing_files(runtime, tmp_path):
    (runtime / "@litertjs/core/dist/index.js").write_text("something else")
    with pytest.raises(ValueError, match=r"index\.js is not the file .*SHA-256 differs"):
        write_explorer([READY], tmp_path / "site", runtime)
    assert not (tmp_path / "site").exists()
    with pytest.raises(ValueError, match=r"has no core/dist/index\.js.*npm install"):
        web_runtime.copy_runtime(tmp_path / "nowhere", tmp_path / "site")


def test_unpack_takes_pinned_files_of_a_pinned_tarball(runtime, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in (("package/dist/index.js", b"utils"), ("../evil", b"no")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    content = buffer.getvalue()
    with pytest.raises(OSError, match="another SHA-256"):
        web_runtime.unpack("wasm-utils", content, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(web_runtime.TARBALLS, "wasm-utils", digest)
    web_runtime.unpack("wasm-utils", content, tmp_path / "out")
    (file,) = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert file.read_bytes() == b"utils"
    assert file.relative_to(tmp_path / "out").as_posix() == "wasm-utils/dist/index.js"


def test_cached_runtime_offline_says_what_to_do(tmp_path):
    with pytest.raises(OSError, match=r"KERAS_INFOMODELS_OFFLINE is set.*--wasm DIR"):
        web_runtime.cached_runtime(tmp_path)


def test_explore_command_writes_and_says_what_is_missing(runtime, tmp_path, capsys):
    out = tmp_path / "site"
    assert main(["explore", str(READY), "--wasm", str(runtime), "--out", str(out)]) == 0
    assert f"python -m http.server -d {out}" in capsys.readouterr().out
    assert main(["explore", str(READY), "--out", str(out)]) == 1
    assert "--wasm DIR" in capsys.readouterr().err


def test_server_serves_modules_to_this_machine(runtime, tmp_path):
    write_explorer([READY], tmp_path / "site", runtime)
    with server(tmp_path / "site") as serving:
        assert serving.server_address[0] == "127.0.0.1"
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_port}/"
        with urllib.request.urlopen(f"{address}app.js") as answer:
            assert answer.headers["Content-Type"] == "text/javascript"
            assert answer.read() == (PAGE / "app.js").read_bytes()
        with pytest.raises(OSError, match="choose another --port"):
            server(tmp_path / "site", serving.server_port)
        serving.shutdown()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_explorer_draws_from_a_fitted_prior_and_measures_nats_from_it(tmp_path):
    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "package.json").write_text('{"type": "module"}')
    prior = {"class": "MultivariateNormal", "loc": [5, -1], "scale_tril": [[3, 0], [0.6, 0.8]]}
    (tmp_path / "page" / "try.js").write_text(f"""
import {{ drawn, limitsOf, makerOf, middle }} from "./points.js";
import {{ readImage }} from "./reading.js";
const model = {{
  facts: {{ prior: {json.dumps(prior)} }},
  signatures: {{ encode: {{ outputs: {{}} }}, decode: {{ inputs: {{ z: {{ shape: [2] }} }} }} }},
  run: async () => ({{ loc: [8, -1], scale: [3, 0.5] }}),
}};
const maker = makerOf(model), draws = [];
for (let seed = 1; seed <= 2000; seed++) draws.push(Object.values(drawn(maker, seed)));
const {{ groups }} = await readImage(model, maker, null, null);
console.log(JSON.stringify({{
  draws, middle: middle(maker), limits: maker.controls.map(limitsOf),
  nats: groups.map(({{ nats }}) => nats),
}}));
""")
    command = ["node", str(tmp_path / "page" / "try.js")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["middle"] == {"z1": 5, "z2": -1}
    np.testing.assert_allclose(found["limits"], [[-4, 14], [-4, 2]])
    # KL(N(8, 3^2) || N(5, 3^2)) and KL(N(-1, 0.5^2) || N(-1, 1))
    np.testing.assert_allclose(found["nats"], [0.5, np.log(2) - 0.375])
    draws = np.array(found["draws"])
    np.testing.assert_allclose(draws.mean(axis=0), prior["loc"], atol=0.2)
    np.testing.assert_allclose(np.cov(draws.T), [[9, 1.8], [1.8, 1]], atol=0.8)
