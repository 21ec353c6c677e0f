"""Images of another aspect, against files that Pillow brings to the same size."""

import numpy as np
import pytest
from PIL import Image

from keras_infomodels import datasets
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.source import Options


def smooth(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 200 / height, columns * 200 / width, 100 + 0 * rows]
    return np.round(np.stack(channels, -1)).astype(np.uint8)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(40, 24), (24, 40), (30, 30)])
def test_resize_agrees_with_pictures_of_a_folder(tmp_path, fit, shape):
    Image.fromarray(smooth(*shape)).save(tmp_path / "0.png")
    options = {"image_size": (12, 16), "fit": fit, "background": "red"}
    expected, _ = datasets.load_arrays(tmp_path, **options)
    found = resize(smooth(*shape)[None], Options(**options)).numpy()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    # Bicubic beside bilinear, and a crop rounded to whole pixels.
    assert np.abs(found[:, 1:-1, 1:-1].astype(int) - expected[:, 1:-1, 1:-1]).mean() < 5
    if fit == "pad":
        assert (found == [255, 0, 0]).all(-1).mean() == (expected == [255, 0, 0]).all(-1).mean()


def test_resize_keeps_floats_in_their_range():
    images = np.random.default_rng(0).random((2, 9, 7, 1)).astype(np.float32)
    found = resize(images, Options(image_size=(20, 20), fit="pad", background="black")).numpy()
    assert found.shape == (2, 20, 20, 1)
    assert 0 <= found.min() <= found.max() <= 1
    assert (found[:, :, :2] == 0).all()
