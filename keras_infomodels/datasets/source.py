"""Protocol of a data source: a class that reads one kind of data, in a file of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from keras_infomodels.datasets.factor_space import Factors

__all__ = ["FactoredSource", "Options", "Source"]


@dataclass(frozen=True)
class Options:
    """Options of finding and reading a data set, described in `loading.load`.

    A source uses the options that it needs.
    """

    data_dir: str | Path | None = None
    download: bool = False
    image_size: tuple[int, int] | None = None
    fit: str = "crop"
    channels: int | None = None
    background: str | tuple[int, int, int] = "white"
    skip_broken: bool = False
    cache: str | Path | None = None

    def __post_init__(self):
        if isinstance(self.image_size, int):
            object.__setattr__(self, "image_size", (self.image_size, self.image_size))


class Source(Protocol):
    """Protocol of a data set of images with splits.

    `loading.SOURCES` lists the classes.
    """

    @classmethod
    def find(cls, name: str, options: Options) -> "Source | None":
        """Returns the data set of a name or path; None for a name of another kind.

        Raises:
            FileNotFoundError: If a path of this kind does not exist.
        """

    def sizes(self) -> dict[str, int]:
        """Returns the number of images in each split, by the split's name."""

    def class_names(self) -> list[str] | None:
        """Returns the names of the classes in the order of the labels; None if they have none."""

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Reads images and labels of a split such as "train[:90%]"; see `loading.load_arrays`.

        Raises:
            ValueError: If the split does not exist, or the data are not images.
        """


@runtime_checkable
class FactoredSource(Source, Protocol):
    """Protocol of a source whose data sets may have factors."""

    def factors(self) -> Factors | None:
        """Returns the names and sizes of the factors; None for a set without factors."""

    def read_factors(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Reads images like `read`, and their factors, int64 array (n, k)."""
