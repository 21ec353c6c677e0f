"""What a source of images is: a class that reads one kind of data, in a file of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from keras_infomodels.datasets.factor_space import Factors

__all__ = ["FactoredSource", "Options", "Source"]


@dataclass(frozen=True)
class Options:
    """How a set is to be found and read; a source takes what it needs.

    Attributes:
        data_dir, download, image_size, fit, channels, background, skip_broken, cache: see
            `loading.load`.
    """

    data_dir: str | Path | None = None
    download: bool = False
    image_size: tuple[int, int] | None = None
    fit: str = "crop"
    channels: int | None = None
    background: str | tuple[int, int, int] = "white"
    skip_broken: bool = False
    cache: str | Path | None = None


class Source(Protocol):
    """One set of images, with splits. `loading.SOURCES` lists the classes."""

    @classmethod
    def find(cls, name: str, options: Options) -> "Source | None":
        """The set of a name or path, or None for a name that is not of this kind.

        Raises:
            FileNotFoundError: a path of this kind where there is nothing.
        """

    def sizes(self) -> dict[str, int]:
        """Number of images in each split, by the split's name."""

    def class_names(self) -> list[str] | None:
        """Name of each class, in the order of the labels; None where classes have no names."""

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Images and labels of a split such as "train[:90%]", as `loading.load_arrays` has them.

        Raises:
            ValueError: no such split, or data that are no images.
        """


@runtime_checkable
class FactoredSource(Source, Protocol):
    """A source whose sets may have factors beside the images."""

    def factors(self) -> Factors | None:
        """Names and sizes of the set's factors; None for a set without any."""

    def read_factors(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images as `read` returns them, and their factors, int64 (n, k)."""
