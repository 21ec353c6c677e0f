"""The pages of docs/ that commands make are what these commands make."""

import re
import runpy
from pathlib import Path

import keras
import matplotlib.image
import numpy as np
import pytest

import keras_infomodels as ki
from keras_infomodels import zoo

DOCS = Path(__file__).parents[1] / "docs"


def script(name):
    return runpy.run_path(str(DOCS / name))


def test_make_gallery_makes_the_gallery_page():
    page = script("make_gallery.py")["gallery"]()
    assert (DOCS / "gallery.md").read_text() == page, "run `make docs`"
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert "../zoo/presets/infogan_mnist/code_digit.png" in links
    for link in links:
        assert (DOCS / link).is_file()
    # Every preset that can be loaded from here is in it, with every picture.
    for folder in {path.parent for path in zoo.PRESETS.glob("*/config.json")}:
        assert f'ki.from_preset("{folder.name}")' in page
        assert {link.rpartition("/")[2] for link in links if folder.name in link} >= {
            path.name for path in folder.glob("*.png")
        }


@pytest.fixture(scope="module")
def infogan():
    return ki.from_preset("infogan_mnist")


@pytest.mark.parametrize("picture", ["samples", "code_digit", "code_c1"])
def test_make_gallery_lines_make_their_pictures(picture, infogan, tmp_path):
    line = script("make_gallery.py")["line"](picture)
    path = ki.plots.save(eval(line, {"ki": ki, "model": infogan}), tmp_path / "new.png")
    new, old = (
        matplotlib.image.imread(file)
        for file in (path, zoo.PRESETS / "infogan_mnist" / f"{picture}.png")
    )
    assert new.shape == old.shape
    # Another machine may round a few pixels otherwise; another code or seed changes most.
    assert np.mean(np.abs(new - old) > 0.02) < 0.01


@pytest.mark.parametrize("name", ["samples", "code_c1", "reconstructions", "latent_map", "other"])
def test_make_gallery_lines_name_functions_of_plots(name):
    function, arguments = re.match(
        r"ki\.plots\.(\w+)\((.*?)\)", script("make_gallery.py")["line"](name)
    ).groups()
    assert function in ki.plots.__all__
    assert arguments.startswith("model")


def test_make_api_makes_the_api_pages():
    pages = script("make_api.py")["pages"]()
    assert {path.name for path in (DOCS / "api").iterdir()} == set(pages), "run `make docs`"
    for name, page in pages.items():
        assert (DOCS / "api" / name).read_text() == page, "run `make docs`"
        assert " at 0x" not in page
    for name in ki.models.__all__:
        assert f"\n## {name}\n" in pages["models.md"]
    assert "\n### InfoGAN.infer_codes\n" in pages["models.md"]
    assert "\ninfer_codes(x)\n" in pages["models.md"]
    assert "\n- `latent_dim`:" in pages["networks.md"]
    # Every public name has a text.
    entry = r"^## \w+\n\n(?:```\w*\n[^`]*```\n\n)?(?=#|\Z)"
    assert not re.findall(entry, "\n".join(pages.values()), re.MULTILINE)


ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_results_tables_are_in_the_notebook():
    """Each figure of the page of tables stands in the notebook, with how it was made."""
    notebook = (DOCS / "notebook.md").read_text()
    for figure in re.findall(r"-?\d+\.\d+ ± \d+\.\d+", (DOCS / "results.md").read_text()):
        assert figure in notebook, figure


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_docs_python_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ki.registry, "_registered", {})
    ki.export.to_tflite(ki.from_preset("infogan_mnist"), "infogan.tflite")
    names = {"ki": ki, "keras": keras}
    for code in python_blocks(ROOT / name):
        exec(compile(code.replace("epochs=20", "epochs=1"), name, "exec"), names)
