"""The pages of docs/ that commands make are what these commands make."""

import re
import runpy
from pathlib import Path

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
