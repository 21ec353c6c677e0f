"""Sets that are drawn from their factors: any image by its factors, no file of images."""

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
"""The splits, and the last digits that the sum of a combination's factors may have."""


class DrawnSet(Protocol):
    """A set whose images are functions of their factors."""

    factors: Factors

    def images(self, factors: np.ndarray) -> np.ndarray:
        """Images uint8 (n, height, width, channels) of integers (n, k)."""


def draw_split(factors: Factors, part: str, count: int) -> np.ndarray:
    """Draws the combinations of a split, without repetition and always the same.

    A combination belongs to one split: by the last digit of the sum of its factors, from 0 to 7 to
    "train", 8 to "validation" and 9 to "test". So no combination of one split is in another one,
    and each value of each factor is in all of them.

    Args:
        factors: Factors.
        part: str. "train", "validation" or "test".
        count: int. Number n of combinations.

    Returns:
        int64 (n, k), in random order, of which the first are the same for every n.

    Raises:
        ValueError: more combinations than there are.
    """
    # Raw numbers, because those of NumPy's distributions may change between its versions.
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
"""Numbers of images in the splits of each set."""


class FactorSource:
    """A set that is drawn from its factors, with the splits of `draw_split`.

    Args:
        name: str. One of `DRAWN`.
        options: Options. `image_size` is used, and `data_dir` and `download` for nouns.
        drawn: DrawnSet. None takes the one of the name when it is needed.
        sizes: dict. Number of images in each split. None takes those of the name.
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
        self._set()  # says what to do where its file is not there
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
        """Images uint8 of any factors, integers (n, k)."""
        return self._set().images(factors)

    def information(self, **fixed: int) -> dict[str, float]:
        """I(image; factor) of each factor: see `image_information`."""
        return image_information(self._set(), **fixed)

    def prepare(self) -> Path | None:
        """The folder of the set's file, which is fetched if it is not there; None without any."""
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
