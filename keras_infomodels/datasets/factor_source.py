"""Data sets whose images are drawn from factors."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from keras_infomodels.datasets import nouns, tfds_source
from keras_infomodels.datasets.factor_information import image_information
from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.scenes import LARGEST, SIDE, Scenes
from keras_infomodels.datasets.source import Options
from keras_infomodels.datasets.sprites import Sprites

__all__ = ["DRAWN", "FactorSource", "draw_split"]

_PARTS = {"train": range(8), "validation": (8,), "test": (9,)}
"""Last digits of the sum of a combination's factors, by split."""


class DrawnSet(Protocol):
    """Protocol of a data set that computes images from values of their factors."""

    factors: Factors

    def images(self, factors: np.ndarray) -> np.ndarray:
        """Draws images, uint8 (n, height, width, channels), from int factors (n, k)."""


def draw_split(factors: Factors, part: str, count: int) -> np.ndarray:
    """Draws combinations of factors for a split, without repetition.

    The result is the same in every call. The last digit of the sum of a combination's factors
    determines its split: 0 to 7 is "train", 8 is "validation" and 9 is "test". So no combination is
    in two splits, and every value of a factor occurs in each split.

    Args:
        factors: `Factors`. Names and sizes of the factors.
        part: str. "train", "validation" or "test".
        count: int. Number n of combinations.

    Returns:
        int64 array (n, k) in random order. A smaller n gives the first rows of a larger one.

    Raises:
        ValueError: If the split has fewer combinations.
    """
    # Raw integers, because NumPy's distributions may change between versions.
    random = np.random.PCG64([list(_PARTS).index(part), factors.count])
    drawn = np.zeros(0, np.int64)
    for _ in range(64):
        more = (random.random_raw(2 * count + 64) % factors.count).astype(np.int64)
        digit = factors.combination(more).sum(axis=1) % 10
        drawn = np.concatenate([drawn, more[np.isin(digit, _PARTS[part])]])
        _, first = np.unique(drawn, return_index=True)
        drawn = drawn[np.sort(first)]
        if len(drawn) >= count:
            return factors.combination(drawn[:count])
    raise ValueError(f"The split {part} has fewer than {count} of {factors.count} combinations.")


def _sizes(train: int, others: int) -> dict[str, int]:
    return {"train": train, "validation": others, "test": others}


DRAWN = {
    "nouns": _sizes(50_000, 5_000),
    "scenes": _sizes(20_000, 2_000),
    "sprites": _sizes(50_000, 15_000),
}
"""Number of images in each split of each set."""


class FactorSource:
    """Source of a data set whose images are drawn from factors, with the splits of `draw_split`.

    Args:
        name: str. A key of `DRAWN`.
        options: `Options`. Only `image_size` is used; for nouns also `data_dir` and `download`.
        drawn: `DrawnSet`. `None` creates the set of this name when it is needed.
        sizes: dict of int. Number of images in each split. `None` takes those of `DRAWN`.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        drawn: DrawnSet | None = None,
        sizes: dict[str, int] | None = None,
    ):
        self.name = name
        self.options = options
        self._drawn = drawn
        self._sizes = DRAWN[name] if sizes is None else sizes

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "FactorSource | None":
        return cls(os.fspath(name), options) if name in DRAWN else None

    def sizes(self) -> dict[str, int]:
        self._set()  # raises an error with instructions if its file is missing
        return dict(self._sizes)

    def class_names(self) -> list[str] | None:
        return None

    def factors(self) -> Factors:
        return self._set().factors

    def read(self, split: str) -> tuple[np.ndarray, None]:
        return self.read_factors(split)[0], None

    def read_factors(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        part, rows = tfds_source.parse_split(split, self._sizes)
        drawn = self._set()
        factors = draw_split(drawn.factors, part, self._sizes[part])[rows]
        images = drawn.images(factors)
        size = self.options.image_size
        if size is not None and tuple(size) != images.shape[1:3] and len(images):
            images = resize(images, self.options).numpy()
        return images, factors

    def draw(self, factors: np.ndarray) -> np.ndarray:
        """Draws images, uint8 (n, height, width, channels), from any int factors (n, k)."""
        return self._set().images(factors)

    def information(self, **fixed: int) -> dict[str, float]:
        """Computes I(image; factor) of each factor; see `image_information`."""
        return image_information(self._set(), **fixed)

    def prepare(self) -> Path | None:
        """Downloads the set's file if it is missing; returns its folder, or None without a file."""
        if self.name != "nouns":
            return None
        self._set()
        return nouns.file_path(self.options.data_dir).parent

    def _set(self) -> DrawnSet:
        if self._drawn is None:
            options = self.options
            if self.name == "nouns":
                self._drawn = nouns.read(options.data_dir, options.download)
            else:
                self._drawn = Sprites() if self.name == "sprites" else self._scenes()
        return self._drawn

    def _scenes(self) -> Scenes:
        """Scenes of the size that is asked for if it is larger: resized they would be blurred."""
        sides = set(self.options.image_size or ())
        larger = len(sides) == 1 and SIDE < max(sides) <= LARGEST
        return Scenes(sides.pop()) if larger else Scenes()
