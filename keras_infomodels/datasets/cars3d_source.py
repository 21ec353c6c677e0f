"""Cars3D: views of 183 cars (Reed et al., 2015), from the published MATLAB files."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.io

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.source import Options

__all__ = ["Cars3dSource"]

_ARCHIVE = "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz"


class Cars3dSource:
    """Source of Cars3D: files `car_*_mesh.mat`, one per car, with 4 elevations x 24 azimuths.

    There is one split, "train", ordered by car. So "train[:90%]" and "train[90%:]" show different
    cars, except for the car at the border.

    Args:
        folder: Path. Folder with the files, or with the unpacked archive.
        options: `Options`. Only `image_size` is used; `None` is (64, 64), as in
            disentanglement_lib.
    """

    def __init__(self, folder: Path, options: Options):
        self.folder = folder
        self.options = replace(options, image_size=options.image_size or (64, 64))

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "Cars3dSource | None":
        if name != "cars3d":
            return None
        root = options.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        return cls(Path(root).expanduser() / "cars3d", options)

    def sizes(self) -> dict[str, int]:
        return {"train": self.factors().count}

    def class_names(self) -> list[str] | None:
        return None

    def factors(self) -> Factors:
        return Factors(("elevation", "azimuth", "object_type"), (4, 24, len(self._files())))

    def read(self, split: str) -> tuple[np.ndarray, None]:
        return self.read_factors(split)[0], None

    def read_factors(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        files, (elevations, azimuths, _) = self._files(), self.factors().sizes
        _, rows = tfds_source.parse_split(split, self.sizes())
        views = elevations * azimuths
        index = np.arange(len(files) * views)[rows]
        images = np.empty((len(index), *self.options.image_size, 3), np.uint8)
        for number in np.unique(index // views):
            inside = index // views == number
            pictures = _read(files[number], (azimuths, elevations))[index[inside] % views]
            images[inside] = resize(pictures, self.options).numpy()
        azimuth, elevation = np.divmod(index % views, elevations)
        return images, np.stack([elevation, azimuth, index // views], axis=1)

    def _files(self) -> list[Path]:
        found = sorted(self.folder.rglob("*_mesh.mat"), key=lambda path: path.name)
        found = [path for path in found if not path.name.startswith(".")]
        if not found:
            raise FileNotFoundError(
                f"There are no files car_*_mesh.mat in {self.folder}. Download {_ARCHIVE} and "
                "unpack its folder data/cars there, or point data_dir (--data-dir) at a folder "
                "with these files in cars3d/."
            )
        return found


def _read(path: Path, views: tuple[int, int]) -> np.ndarray:
    """Images of one car, uint8 (azimuths * elevations, height, width, 3)."""
    try:
        array = scipy.io.loadmat(path, variable_names=["im"])["im"]
    # SciPy raises ValueError or NotImplementedError for other files, and anything for damaged ones.
    except Exception as error:
        raise ValueError(
            f"{path} is not a file of Cars3D, or is damaged; unpack it again."
        ) from error
    if array.dtype != np.uint8 or array.ndim != 5 or array.shape[2:] != (3, *views):
        raise ValueError(
            f"The images of {path} are bytes (height, width, 3, {views[0]}, {views[1]}), got "
            f"{array.dtype} of shape {array.shape}; unpack it again."
        )
    return array.transpose(3, 4, 0, 1, 2).reshape(-1, *array.shape[:3])
