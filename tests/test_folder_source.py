"""Folders of images as people have them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_infomodels import datasets
from keras_infomodels.datasets import folder_source
from keras_infomodels.datasets.source import Options


def put(path, shade=80, shape=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, shade, np.uint8)).save(path)


def labels_of(folder, split):
    return datasets.load_arrays(folder, split)[1].tolist()


def test_class_names_number_a_class_alike_in_all_splits(tmp_path):
    for part, classes in (("train", "abc"), ("test", "bcd")):
        for name in classes:
            put(tmp_path / part / name / "0.png")
    assert datasets.class_names(tmp_path) == ["a", "b", "c", "d"]
    assert labels_of(tmp_path, "train") == [0, 1, 2]
    assert labels_of(tmp_path, "test") == [1, 2, 3]


def test_find_takes_a_folder_of_data_dir_by_its_name(tmp_path):
    put(tmp_path / "my_photos" / "train" / "a" / "0.png", shade=77)
    images, _ = datasets.load_arrays("my_photos", "train", data_dir=tmp_path)
    assert images.max() == 77
    (tmp_path / "my_photos" / "1.0.0").mkdir()
    (tmp_path / "my_photos" / "1.0.0" / "dataset_info.json").write_text("{}")
    assert folder_source.FolderSource.find("my_photos", Options(tmp_path)) is None


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
    with pytest.warns(UserWarning, match=r"skipped: .*1\.png"):
        images, _ = datasets.load_arrays(tmp_path, skip_broken=True)
    assert images[:, 0, 0, 0].tolist() == [0, 100]
    with pytest.raises(ValueError, match="None of the 1 images"):
        datasets.load_arrays(tmp_path, "train[1:2]", skip_broken=True)


def test_read_takes_tiff_and_webp_and_grey_among_colors(tmp_path):
    put(tmp_path / "0.png", 10)
    put(tmp_path / "1.TIF", 20)
    color = np.broadcast_to(np.uint8([40, 50, 60]), (6, 5, 3))
    Image.fromarray(color).save(tmp_path / "3.webp", lossless=True)
    images, _ = datasets.load_arrays(tmp_path)
    assert images[:, 0, 0].tolist() == [[10, 10, 10], [20, 20, 20], [40, 50, 60]]
    grey, _ = datasets.load_arrays(tmp_path, channels=1)
    assert grey[:, 0, 0].tolist() == [[10], [20], [round(0.299 * 40 + 0.587 * 50 + 0.114 * 60)]]
    Image.fromarray(np.zeros((6, 5), np.float32)).save(tmp_path / "4.tif")
    with pytest.raises(ValueError, match=r"4\.tif is no image that can be read: .*not supported"):
        datasets.load_arrays(tmp_path)


def test_read_keeps_16_bits(tmp_path):
    """Of grey and color; an 8-bit picture among them has its value of 255 in 65535."""
    deep = 30 * 256 + 7
    Image.fromarray(np.full((4, 3), deep, np.uint16)).save(tmp_path / "0.tiff")
    Image.fromarray(np.full((4, 3), deep, np.uint16)).save(tmp_path / "1.png")
    colors = np.broadcast_to(np.uint16([deep, 1, 65535]), (4, 3, 3))
    (tmp_path / "2.png").write_bytes(tf.io.encode_png(colors).numpy())
    put(tmp_path / "3.png", 10, (4, 3))
    images, _ = datasets.load_arrays(tmp_path)
    expected = np.array([[deep] * 3, [deep] * 3, [deep, 1, 65535], [2570] * 3]) / 65535
    np.testing.assert_allclose(images[:, 0, 0], expected, atol=1e-7)
    sized, _ = datasets.load_arrays(tmp_path, image_size=(2, 2), fit="pad")
    np.testing.assert_allclose(sized[:, 0, 0], expected, atol=1e-4)


def test_read_turns_pictures_upright(tmp_path):
    """All eight orientations of EXIF, of 8 and of 16 bits, against Pillow's own turning."""
    pixels = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / "0.png", exif=exif)
        deep = Image.fromarray(pixels.astype(np.uint16) * 257)
        deep.save(tmp_path / "1.png", exif=exif)
        turned = ImageOps.exif_transpose(Image.open(tmp_path / "0.png"))
        images, _ = datasets.load_arrays(tmp_path)
        for image in images[..., 0]:
            np.testing.assert_allclose(image * 255, np.asarray(turned), atol=1e-4)


def test_read_composites_transparency_on_the_background(tmp_path):
    half = np.broadcast_to(np.uint8([100, 0, 0, 128]), (4, 3, 4))
    Image.fromarray(half).save(tmp_path / "0.png")
    Image.fromarray(half).quantize(4).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(tf.io.encode_png(half.astype(np.uint16) * 257).numpy())
    share = 128 / 255
    for name, color in (("white", (255, 255, 255)), ("#00ff00", (0, 255, 0)), ((9, 8, 7),) * 2):
        images, _ = datasets.load_arrays(tmp_path, background=name)
        expected = share * np.array([100, 0, 0]) + (1 - share) * np.array(color)
        np.testing.assert_allclose(images[:, 0, 0] * 255, [expected] * 3, atol=1.5)


def test_read_takes_palettes_cmyk_and_the_first_frame(tmp_path):
    color = Image.new("RGB", (5, 6), (200, 100, 50))
    color.quantize(2).save(tmp_path / "0.png")
    color.convert("CMYK").save(tmp_path / "1.tif")
    color.save(tmp_path / "2.gif", save_all=True, append_images=[Image.new("RGB", (5, 6))])
    color.save(tmp_path / "3.bmp")
    Image.new("1", (5, 6), 1).save(tmp_path / "4.png")
    images, _ = datasets.load_arrays(tmp_path)
    np.testing.assert_allclose(images[:4, 2, 2], [[200, 100, 50]] * 4, atol=1)
    assert images[4, 2, 2].tolist() == [255, 255, 255]


def test_read_fits_pictures_of_another_aspect(tmp_path):
    """A picture of 4x8: left half 0, right half 200, a black rim of 2 columns at both ends."""
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 4:6] = 200
    Image.fromarray(pixels).save(tmp_path / "0.png")
    sizes = {"image_size": (4, 4), "background": "red"}
    cropped, _ = datasets.load_arrays(tmp_path, **sizes)
    np.testing.assert_array_equal(cropped[0, ..., 0], [[0, 0, 200, 200]] * 4)
    padded, _ = datasets.load_arrays(tmp_path, fit="pad", **sizes)
    assert (padded[0, [0, 3]] == round(0.299 * 255)).all()
    assert padded[0, 1:3, 2].min() > 90 > padded[0, 1:3, :2].max()
    stretched, _ = datasets.load_arrays(tmp_path, fit="stretch", **sizes)
    assert stretched[0, 0, 2] > 150
    assert stretched[0, 0, 3] < 50
    with pytest.raises(ValueError, match="fit is one of crop, pad, stretch; got 'cover'"):
        datasets.load_arrays(tmp_path, fit="cover")
    with pytest.raises(ValueError, match="background is the name of a color"):
        datasets.load_arrays(tmp_path, background="no color")


def test_read_names_the_sizes_of_pictures_that_differ(tmp_path):
    put(tmp_path / "0.png", shape=(6, 5))
    put(tmp_path / "1.png", shape=(6, 5))
    put(tmp_path / "2.png", shape=(7, 5))
    with pytest.raises(ValueError, match=r"differ in size: 6x5 \(2\), 7x5 \(1\).*--image-size"):
        datasets.load_arrays(tmp_path)
    assert datasets.image_shape(tmp_path) == (None, None, 1)
    assert datasets.load_arrays(tmp_path, image_size=(4, 4))[0].shape == (3, 4, 4, 1)


def test_read_counts_other_files_in_one_warning(tmp_path):
    put(tmp_path / "0.png")
    for name in ("a.heic", "b.HEIC", "c.mov", "notes.txt", ".hidden", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(UserWarning, match=r"3 files .*\.heic \(2\), \.mov \(1\)"):
        datasets.load_arrays(tmp_path)


def test_read_refuses_a_picture_of_too_many_pixels(tmp_path):
    put(tmp_path / "0.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"1\.png is no image that can be read"):
        datasets.load_arrays(tmp_path, image_size=(4, 4))


def test_a_slice_takes_its_share_of_every_class(tmp_path):
    """By the order of file names, so that neighbors stay together."""
    for name, count in (("a", 10), ("b", 20)):
        for i in range(count):
            put(tmp_path / name / f"{i:02}.png", 2 * i + 40)
    train, labels = datasets.load_arrays(tmp_path, "train[:80%]")
    assert np.bincount(labels).tolist() == [8, 16]
    for label, count in ((0, 8), (1, 16)):
        assert sorted(train[labels == label][:, 0, 0, 0]) == [2 * i + 40 for i in range(count)]
    rest, _ = datasets.load_arrays(tmp_path, "train[80%:]")
    assert sorted(rest[:, 0, 0, 0]) == sorted([56, 58, 72, 74, 76, 78])


def test_folders_of_splits_have_usual_names(tmp_path):
    for name in ("train", "val", "testing"):
        put(tmp_path / name / "0.png")
    assert datasets.split_names(tmp_path) == ["train", "validation", "test"]


def batches(dataset):
    images, labels = zip(*((x.numpy(), y.numpy()) for x, y in dataset), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("kind", ["cache", "streamed"])
def test_load_reads_pictures_that_memory_does_not_hold(tmp_path, monkeypatch, kind):
    """The same batches in the same order of two epochs."""
    for i in range(20):
        put(tmp_path / "set" / "ab"[i % 2] / f"{i}.png", 10 * i)
    options = {"batch_size": 8, "labels": True, "seed": 3}
    plain = datasets.load(tmp_path / "set", **options)
    expected = [batches(plain), batches(plain)]
    if kind == "cache":
        options["cache"] = tmp_path / "cache"
    else:
        monkeypatch.setattr(folder_source, "IN_MEMORY", 100)
    assert len(datasets.load_arrays(tmp_path / "set")[0]) == 20
    for _ in range(2):
        dataset = datasets.load(tmp_path / "set", **options)
        assert len(dataset) == 3
        for images, labels in expected:
            found = batches(dataset)
            np.testing.assert_array_equal(found[0], images)
            np.testing.assert_array_equal(found[1], labels)
    fingerprint = dataset.fingerprint()
    put(tmp_path / "set" / "a" / "0.png", 99, (6, 5))
    assert datasets.load(tmp_path / "set", **options).fingerprint() != fingerprint


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
    put(tmp_path / "other" / "0.png")
    with pytest.warns(UserWarning, match="skipped: other"):
        datasets.load_arrays(tmp_path)
