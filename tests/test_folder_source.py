"""Folders of images as people have them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_infomodels import datasets
from keras_infomodels.datasets import folder_source


def put(path, shade=80, shape=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, shade, np.uint8)).save(path)


def labels_of(folder, split):
    return datasets.load_arrays(folder, split)[1].tolist()


def test_class_names_number_a_class_alike_in_all_splits(tmp_path):
    for part, classes in (("train", "abc"), ("test", "bcd")):
        for name in classes:
            put(tmp_path / part / name / "0.png")
    assert folder_source.class_names(tmp_path) == ["a", "b", "c", "d"]
    assert labels_of(tmp_path, "train") == [0, 1, 2]
    assert labels_of(tmp_path, "test") == [1, 2, 3]


def test_read_skips_hidden_files_and_folders(tmp_path):
    for name in ("b/0.png", "c/1.png"):
        put(tmp_path / "train" / name)
    for name in (".ipynb_checkpoints/0.png", "__MACOSX/b/0.png", "b/._0.png", "b/.a/0.png"):
        put(tmp_path / "train" / name)
    (tmp_path / "train" / "a_without_images").mkdir()
    assert labels_of(tmp_path, "train") == [0, 1]


def test_read_names_an_image_beside_class_folders(tmp_path):
    put(tmp_path / "cats" / "0.png")
    put(tmp_path / "loose.png")
    with pytest.raises(ValueError, match=r"loose\.png lies beside the class folders \(cats\)"):
        datasets.load_arrays(tmp_path)


@pytest.mark.parametrize("cut", [0, 40])
def test_read_names_a_broken_image_or_skips_it(tmp_path, cut):
    for i in range(3):
        put(tmp_path / f"{i}.png", 50 * i)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[:cut])
    with pytest.raises(ValueError, match=r"1\.png is no image.*skip_broken=True"):
        datasets.load(tmp_path)
    with pytest.warns(UserWarning, match=r"left out: .*1\.png"):
        images, _ = datasets.load_arrays(tmp_path, skip_broken=True)
    assert images[:, 0, 0, 0].tolist() == [0, 100]
    with pytest.raises(ValueError, match="None of the 1 images"):
        datasets.load_arrays(tmp_path, "train[1:2]", skip_broken=True)


def test_read_takes_tiff_and_webp_and_grey_among_colors(tmp_path):
    """WebP is lossless here; a 16-bit TIFF keeps its higher byte, as a PNG in TensorFlow."""
    put(tmp_path / "0.png", 10)
    put(tmp_path / "1.TIF", 20)
    Image.fromarray(np.full((6, 5), 30 * 256 + 7, np.uint16)).save(tmp_path / "2.tiff")
    color = np.broadcast_to(np.uint8([40, 50, 60]), (6, 5, 3))
    Image.fromarray(color).save(tmp_path / "3.webp", lossless=True)
    images, _ = datasets.load_arrays(tmp_path)
    expected = [[10, 10, 10], [20, 20, 20], [30, 30, 30], [40, 50, 60]]
    assert images[:, 0, 0].tolist() == expected
    Image.fromarray(np.zeros((6, 5), np.float32)).save(tmp_path / "4.tif")
    with pytest.raises(ValueError, match=r"4\.tif is no image"):
        datasets.load_arrays(tmp_path)


def test_load_arrays_takes_masks_of_a_folder(tmp_path):
    put(tmp_path / "0.png", 1)
    put(tmp_path / "1.png", 0)
    assert datasets.load_arrays(tmp_path)[0][:, 0, 0, 0].tolist() == [255, 0]


def test_load_arrays_takes_paths_and_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "Bücher 模" / "0.png")
    for name in ("~/Bücher 模", tmp_path / "Bücher 模", Path("~/Bücher 模")):
        assert len(datasets.load_arrays(name)[0]) == 1
    for name in ("~/nothing", tmp_path / "nothing", "./nothing"):
        with pytest.raises(FileNotFoundError, match=r"There is no folder .*nothing"):
            datasets.load(name)
    assert datasets.split_names("~/Bücher 模") == ["train"]


def test_read_says_which_folders_beside_splits_are_left_out(tmp_path):
    put(tmp_path / "train" / "0.png")
    put(tmp_path / "val" / "0.png")
    with pytest.warns(UserWarning, match="left out: val"):
        datasets.load_arrays(tmp_path)
