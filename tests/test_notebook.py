"""A notebook that shows results of the library, run by a kernel of its own."""

import nbclient
import nbformat
import pytest

CELLS = (
    "import keras, numpy as np, keras_infomodels as ki",
    "ki.list_presets()",
    "model = ki.from_preset('mmd_vae_fashion_mnist_mini')\nmodel",
    "ki.plots.samples(model, n=4)",
    "test = ki.datasets.load('fashion_mnist_mini', 'test')",
    "model.compile(keras.optimizers.Adam(0.0))",
    "model.fit(test, epochs=2); None",
    "model.mutual_information(test)",
    "from keras_infomodels.progress import progress\n[i for i in progress(range(3))]",
)


@pytest.mark.slow
def test_notebook_shows_tables_figures_and_one_progress_bar(monkeypatch):
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [cell["outputs"] for cell in notebook.cells]
    results = {
        number: output["data"]
        for number, each in enumerate(outputs)
        for output in each
        if output["output_type"] == "execute_result"
    }
    assert "infogan_mnist</td>" in results[1]["text/html"]
    assert "MMDVAE of data (28, 28, 1)" in results[2]["text/html"]
    assert results[3]["image/png"].startswith("iVBOR")
    assert "text/html" not in results[3]
    assert "lower bound" in results[7]["text/html"]
    text = "".join(o["text"] for o in outputs[6] if o["output_type"] == "stream")
    lines = text.split("\n")
    assert [line for line in lines if line.startswith("Epoch")] == ["Epoch 1/2", "Epoch 2/2"]
    assert len(lines) < 12
    assert results[8]["text/plain"] == "[0, 1, 2]"
    assert not [o for o in outputs[8] if "Warning" in o.get("text", "")]
