"""The pages of docs/: links, made pages, the Python in them, and the site."""

import inspect
import re
import runpy
import subprocess
import sys
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


ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


REPOSITORY = "https://github.com/keras-infomodels/keras-infomodels/blob/main/"
RAW = "https://raw.githubusercontent.com/keras-infomodels/keras-infomodels/main/"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        own = next((path.removeprefix(a) for a in (REPOSITORY, RAW) if path.startswith(a)), None)
        if own is None and path.startswith(("https://", "http://")):
            continue
        target = page if not path else page.parent / path if own is None else ROOT / own
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_has_no_relative_links():
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    assert len(links) >= 20
    assert [link for link in links if not link.startswith("https://")] == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_results_tables_are_in_the_notebook():
    """Each figure of the page of tables stands in the notebook, with how it was made."""
    notebook = (DOCS / "notebook.md").read_text()
    for figure in re.findall(r"-?\d+\.\d+ ± \d+\.\d+", (DOCS / "results.md").read_text()):
        assert figure in notebook, figure


def python_blocks(page):
    """The Python of a page, but for what needs PyTorch."""
    blocks = re.findall(
        r"```(?:python|\{code-cell\} ipython3)\n(.*?)```", page.read_text(), re.DOTALL
    )
    return [code for code in blocks if "import torch" not in code]


GUIDES = [
    "README.md",
    "docs/guide.md",
    "docs/first_infogan.md",
    "docs/pictures.md",
    "docs/own_encoder.md",
    "docs/codes.md",
    "docs/deploy.md",
    "docs/publishing.md",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", GUIDES)
def test_docs_python_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_INFOMODELS_ZOO_URL", "")
    monkeypatch.setattr(ki.registry, "_registered", {})
    write_pictures(tmp_path / "photos")
    ki.export.to_tflite(ki.from_preset("infogan_mnist"), "infogan.tflite")
    names = {"ki": ki, "keras": keras}
    for code in python_blocks(ROOT / name):
        code = re.sub(r"epochs=\d+", "epochs=1", code)
        exec(compile(code, name, "exec"), names)


def write_pictures(folder):
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(80):
        matplotlib.image.imsave(folder / f"{number:03}.png", draws.random((64, 64, 3)))


@pytest.mark.slow
def test_site_builds_without_warnings_and_with_every_public_name(tmp_path):
    """Without its notebooks, which `test_docs_python_blocks_run` runs, and without the explorer."""
    arguments = ["-b", "html", "-W", "-q", "-D", "nb_execution_mode=off", "-d", str(tmp_path / "d")]
    ignored = ["-D", "suppress_warnings=myst-nb.lexer"]
    command = [sys.executable, "-m", "sphinx", *arguments, *ignored, str(DOCS), str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    broken, _ = script("check_site.py")["broken_links"](tmp_path)
    assert {link.rpartition(" ")[2] for link in broken} <= {"explorer/index.html"}
    pages = "".join(path.read_text() for path in (tmp_path / "reference").glob("*.html"))
    for module in ki.__all__:
        for name in getattr(getattr(ki, module), "__all__", ()):
            value = getattr(getattr(ki, module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert re.search(rf'id="[\w.]*\.{name}"', pages), name
    assert "keras_infomodels.models.InfoGAN.infer_codes" in pages
    assert " at 0x" not in pages


def test_check_site_finds_files_and_anchors_that_are_not_there(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text('<p id="here">')
    page = '<a href="other/#here"></a><a href="other/#there"></a><img src="no.png">'
    (tmp_path / "index.html").write_text(page + '<a href="https://example.org"></a>')
    broken, others = script("check_site.py")["broken_links"](tmp_path)
    assert broken == ["index.html: other/#there", "index.html: no.png"]
    assert others == 1


def test_every_public_name_has_a_text():
    for module in ki.__all__:
        for name in getattr(getattr(ki, module), "__all__", ()):
            value = getattr(getattr(ki, module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert inspect.getdoc(value), name
