import hashlib
import json
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from keras_infomodels import cli, datasets
from keras_infomodels.datasets import nouns
from keras_infomodels.datasets.factor_source import FactorSource
from keras_infomodels.datasets.source import Options

REAL = os.environ.get("KERAS_INFOMODELS_TEST_DATA")
"""A folder with the published file as nouns/image-data.json."""

PALETTE = ["", "ff0000", "00ff00", "0000ff", "102030"]
BACKGROUNDS = ["d5d7e1", "e1d7d5"]


def part(top, left, rows):
    """A part of the file's layout from a box of palette entries, in runs of at most 255."""
    width = len(rows[0])
    head = [0, top, left + width, top + len(rows) - 1, left]
    runs = []
    for row in rows:
        for color in row:
            if runs and runs[-1][1] == color and runs[-1][0] < 255:
                runs[-1][0] += 1
            else:
                runs.append([1, color])
    data = bytes(head + [value for run in runs for value in run]).hex()
    return {"filename": "a-part", "data": f"0x{data}"}


BOXES = {
    "bodies": [(20, 4, [[1] * 10] * 12), (21, 5, [[2, 0, 2]] * 11), (31, 0, [[3] * 32])],
    "accessories": [(22, 6, [[0, 3, 0], [3, 3, 3]]), (0, 0, [[]])],
    "heads": [(0, 0, [[4] * 32] * 21), (3, 7, [[1, 0, 0, 2]]), (19, 3, [[2] * 4] * 3)],
    "glasses": [(10, 2, [[2, 3], [0, 1]]), (20, 30, [[1, 2]])],
}


@pytest.fixture
def tiny():
    """The file's content for a few parts, and its checksum."""
    images = {key: [part(*box) for box in boxes] for key, boxes in BOXES.items()}
    content = json.dumps({"palette": PALETTE, "bgcolors": BACKGROUNDS, "images": images}).encode()
    return content, hashlib.sha256(content).hexdigest()


def paint(combination):
    """One figure, pixel by pixel."""
    background, *parts = combination
    image = np.empty((32, 32, 3), np.uint8)
    image[:] = list(bytes.fromhex(BACKGROUNDS[background]))
    for boxes, number in zip(BOXES.values(), parts, strict=True):
        top, left, rows = boxes[number]
        for y, row in enumerate(rows):
            for x, color in enumerate(row):
                if color:
                    image[top + y, left + x] = list(bytes.fromhex(PALETTE[color]))
    return image


def test_nouns_images_equal_figures_painted_pixel_by_pixel(tiny):
    drawn = nouns.Nouns(*tiny)
    assert drawn.factors.names == ("background", "body", "accessory", "head", "glasses")
    assert drawn.factors.sizes == (2, 3, 2, 3, 2)
    every = drawn.factors.combination(np.arange(drawn.factors.count))
    images = drawn.images(every)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, [paint(row) for row in every])
    with pytest.raises(ValueError, match="glasses is from 0 to 1"):
        drawn.images([[0, 0, 0, 0, 2]])
    assert drawn.images(np.zeros((0, 5), int)).shape == (0, 32, 32, 3)


def test_load_nouns_refuses_a_file_that_is_not_the_published_one(tiny, tmp_path):
    (tmp_path / "nouns").mkdir()
    (tmp_path / "nouns" / "image-data.json").write_bytes(tiny[0])
    with pytest.raises(ValueError, match=rf"SHA-256 {tiny[1]}.*infomodels prepare nouns"):
        datasets.load("nouns", data_dir=tmp_path)


def test_load_nouns_says_what_to_do_where_the_file_is_missing(tmp_path):
    for call in (datasets.load, datasets.split_names, datasets.factors):
        with pytest.raises(FileNotFoundError, match="infomodels prepare nouns") as error:
            call("nouns")
        assert str(tmp_path / "tfds" / "nouns" / "image-data.json") in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"else/nouns/image-data\.json"):
        datasets.load("nouns", data_dir=tmp_path / "else")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a folder's files, and the folder."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def test_download_writes_only_the_published_file(tiny, server, tmp_path):
    url, folder = server
    content, sha256 = tiny
    (folder / "file.json").write_bytes(content)
    path = tmp_path / "data" / "nouns" / "image-data.json"
    with pytest.raises(OSError, match=rf"SHA-256 {sha256} in place of a03f22.*put it in {path}"):
        nouns.download(path, f"{url}/file.json")
    with pytest.raises(OSError, match=r"cannot be downloaded \(404.*put it in"):
        nouns.download(path, f"{url}/none.json", sha256)
    (folder / "large.json").write_bytes(content + b" " * 2**22)
    with pytest.raises(OSError, match="SHA-256"):
        nouns.download(path, f"{url}/large.json", sha256)
    assert not path.parent.exists() or not any(path.parent.iterdir())
    nouns.download(path, f"{url}/file.json", sha256)
    assert path.read_bytes() == content


def test_prepare_fetches_nouns_once(tiny, server, tmp_path, monkeypatch, capsys):
    url, folder = server
    (folder / "file.json").write_bytes(tiny[0])
    monkeypatch.setattr(nouns.download, "__defaults__", (f"{url}/file.json", tiny[1]))
    monkeypatch.setattr(nouns.Nouns.__init__, "__defaults__", (tiny[1],))
    assert cli.main(["prepare", "nouns"]) == 0
    assert str(tmp_path / "tfds" / "nouns") in capsys.readouterr().out
    (folder / "file.json").unlink()
    assert datasets.prepare("nouns") == tmp_path / "tfds" / "nouns"
    assert datasets.factors("nouns").sizes == (2, 3, 2, 3, 2)


def test_factor_source_reads_a_tiny_nouns(tiny):
    drawn = nouns.Nouns(*tiny)
    sizes = {"train": 40, "validation": 4, "test": 2}
    source = FactorSource("nouns", Options(), drawn, sizes)
    images, factors = source.read_factors("train[:50%]")
    assert images.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(images, drawn.images(factors))
    with pytest.raises(ValueError, match="fewer than 100 of 72"):
        FactorSource("nouns", Options(), drawn, {"train": 100}).read("train")


@pytest.mark.skipif(not REAL, reason="KERAS_INFOMODELS_TEST_DATA is not set")
def test_load_published_nouns():
    known = datasets.factors("nouns", data_dir=REAL)
    assert known.sizes == (2, 30, 143, 254, 23)
    seen = []
    for split, count in (("train", 50_000), ("validation", 5_000), ("test", 5_000)):
        images, factors = datasets.load_arrays(
            split=split, name="nouns", data_dir=REAL, factors=True
        )
        assert images.shape == (count, 32, 32, 3)
        assert [len(np.unique(column)) for column in factors.T] == list(known.sizes)
        seen.append(known.index(factors))
    assert len(np.unique(np.concatenate(seen))) == 60_000
    (figure,) = datasets.load("nouns", "test[:1]", data_dir=Path(REAL))
    assert figure.shape == (1, 32, 32, 3)
