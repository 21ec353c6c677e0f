import numpy as np
import pytest
import scipy.io

from keras_infomodels import datasets


@pytest.fixture
def root(tmp_path):
    """Three cars in the published layout, whose pixels tell car, azimuth and elevation."""
    folder = tmp_path / "data" / "cars3d" / "cars"
    folder.mkdir(parents=True)
    for car in range(3):
        images = np.empty((128, 128, 3, 24, 4), np.uint8)
        images[:, :, 0] = 10 * car
        images[:, :, 1] = np.arange(24)[:, None]
        images[:, :, 2] = np.arange(4)
        masks = np.zeros((1, 1, 24, 4), np.uint8)
        scipy.io.savemat(folder / f"car_{car:03}_mesh.mat", {"im": images, "mask": masks})
    (folder / "._car_000_mesh.mat").write_bytes(b"of macOS")
    return tmp_path / "data"


def test_load_reads_cars3d_with_its_factors(root):
    known = datasets.factors("cars3d", data_dir=root)
    assert known.names == ("elevation", "azimuth", "object_type")
    assert known.sizes == (4, 24, 3)
    assert datasets.split_names("cars3d", data_dir=root) == ["train"]
    images, factors = datasets.load_arrays("cars3d", data_dir=root, factors=True)
    assert images.shape == (288, 64, 64, 3)
    assert len(np.unique(known.index(factors))) == 288
    np.testing.assert_array_equal(images[:, 0, 0] // [10, 1, 1], factors[:, ::-1])
    part, rows = datasets.load_arrays("cars3d", "train[90:200]", data_dir=root, factors=True)
    np.testing.assert_array_equal(part, images[90:200])
    np.testing.assert_array_equal(rows, factors[90:200])
    small, none = datasets.load_arrays("cars3d", "train[:2]", data_dir=root, image_size=(16, 8))
    assert small.shape == (2, 16, 8, 3)
    assert none is None


def test_load_cars3d_names_what_is_missing_or_damaged(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"scottreed\.info.*data/cars"):
        datasets.load("cars3d")
    with pytest.raises(FileNotFoundError, match=r"scottreed\.info"):
        datasets.prepare("cars3d")
    path = root / "cars3d" / "cars" / "car_001_mesh.mat"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"car_001_mesh\.mat is not a file of Cars3D"):
        datasets.load("cars3d", data_dir=root)
    scipy.io.savemat(path, {"im": np.zeros((4, 4, 3, 4, 24), np.uint8)})
    with pytest.raises(ValueError, match=r"car_001_mesh\.mat are bytes .*got uint8 of shape"):
        datasets.load("cars3d", data_dir=root)
