"""Folders of images as a data source."""

import concurrent.futures
import hashlib
import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from keras_infomodels.datasets import tfds_source
from keras_infomodels.datasets.decoding import Header, Look, check_look, decode, read_header
from keras_infomodels.datasets.picture_files import PictureFiles, in_order, stamp, unreadable
from keras_infomodels.datasets.source import Options
from keras_infomodels.io import fill_folder
from keras_infomodels.names import guess
from keras_infomodels.progress import progress

__all__ = ["FolderSource"]

IN_MEMORY = 2**31
"""Largest number of bytes of decoded images that are kept in memory."""

_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
"""Names of the folders of each split."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_NO_PICTURES = (".txt", ".md", ".json", ".csv", ".xml", ".yaml", ".yml", ".npz", ".npy", ".html")
"""Endings of other files, about which no warning is given."""

_DIFFERENT_SIZES = 3
_WITHOUT_A_BAR = 2000
"""Largest number of files without a progress bar."""


class FolderSource:
    """Source of a folder of images, with optional subfolders for splits and classes.

    A slice such as "train[:80%]" takes this share of every class, in the order of file names. So
    images that were recorded in sequence stay in the same part.

    Args:
        folder: Path. The folder.
        options: `Options`. All but `data_dir` and `download` are used.
    """

    def __init__(self, folder: Path, options: Options):
        self.folder = folder
        self.options = options

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "FolderSource | None":
        text = os.fspath(name)
        is_path = isinstance(name, Path) or os.sep in text or text.startswith((".", "~"))
        folder = Path(text).expanduser()
        if folder.is_dir() and (is_path or not tfds_source.is_known(text)):
            return cls(folder, options)
        if not is_path and options.data_dir is not None and not tfds_source.is_known(text):
            inside = Path(options.data_dir).expanduser() / text
            # A user's own set that TFDS has prepared there is read by TFDS.
            if inside.is_dir() and not any(inside.glob("**/dataset_info.json")):
                return cls(inside, options)
        # A name with a slash may be a set of TFDS, such as "emnist/letters".
        if is_path and (isinstance(name, Path) or not tfds_source.is_known(text.split("/")[0])):
            raise FileNotFoundError(f"There is no folder {folder}.")
        return None

    def sizes(self) -> dict[str, int]:
        return {part: sum(1 for _ in _images(root)) for part, root in self._parts().items()}

    def class_names(self) -> list[str] | None:
        """Returns the sorted names of the subfolders with images, over all splits.

        A class has the same label in every split, even if a split lacks other classes.
        """
        folders = [path for root in self._parts().values() for path in _subfolders(root)]
        return sorted({path.name for path in folders if _has_image(path)}) or None

    def image_shape(self) -> tuple[int | None, int | None, int]:
        """Returns (height, width, channels) of all images; None for a size that differs."""
        paths = [path for root in self._parts().values() for path in _images(root)]
        if not paths:
            raise ValueError(f"{self.folder} has no images; they end in {', '.join(_SUFFIXES)}.")
        _, headers = self._headers(sorted(paths))
        sizes = {header.size for header in headers}
        size = sizes.pop() if len(sizes) == 1 else (None, None)
        grey = all(header.grey for header in headers)
        return (*size, self.options.channels or (1 if grey else 3))

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        paths, labels = self._select(split)
        images, kept = self._decoded(paths)
        return images, None if labels is None else labels[kept]

    def _parts(self) -> dict[str, Path]:
        """Returns the folders of the splits, or the whole folder as "train"."""
        found = {}
        for part, names in _PARTS.items():
            folders = [self.folder / name for name in names if (self.folder / name).is_dir()]
            if len(folders) > 1:
                raise ValueError(f"{folders[0]} and {folders[1]} are one split; merge them.")
            if folders:
                found[part] = folders[0]
        return found or {"train": self.folder}

    def _select(self, split: str) -> tuple[list[Path], np.ndarray | None]:
        """Returns the files of a split and their labels."""
        roots = self._parts()
        part, bracket, _ = split.partition("[")
        root = roots.get(part)
        if root is None:
            raise ValueError(
                f"{self.folder} has the splits {', '.join(roots)}; got {split!r}."
                f"{guess(part, roots)}"
            )
        self._warn_of_folders(roots)
        others = Counter()
        paths = sorted(_images(root, others))
        if not paths:
            raise ValueError(f"{root} has no images; they end in {', '.join(_SUFFIXES)}.")
        _warn_of_files(root, others)
        labels = self._labels(root, paths)
        if bracket and labels is not None:
            order = _spread(labels)
            paths, labels = [paths[i] for i in order], labels[order]
        _, rows = tfds_source.parse_split(split, {part: len(paths)})
        if not paths[rows]:
            count = len(paths)
            raise ValueError(
                f"The split {split!r} of {self.folder} has no images: {part!r} has {count}, and at "
                "least 10 are needed for training, validation and test."
            )
        return paths[rows], None if labels is None else labels[rows]

    def _labels(self, root: Path, paths: list[Path]) -> np.ndarray | None:
        loose = [path for path in paths if path.parent == root]
        if len(loose) == len(paths):
            return None
        classes = self.class_names()
        if loose:
            raise ValueError(
                f"{loose[0]} lies beside the class folders ({', '.join(classes[:5])}), so it has "
                "no class; move it into one of them or out of the folder."
            )
        numbers = {name: number for number, name in enumerate(classes)}
        return np.array([numbers[path.relative_to(root).parts[0]] for path in paths], np.int64)

    def _warn_of_folders(self, roots: dict[str, Path]):
        if self.folder in roots.values():
            return
        others = [path for path in _subfolders(self.folder) if path not in roots.values()]
        others = sorted(path.name for path in others if _has_image(path))
        if others:
            warnings.warn(
                f"{self.folder} has the splits {', '.join(roots)}, so the images in its other "
                f"folders are skipped: {', '.join(others[:5])}. Splits are named "
                f"{', '.join(_PARTS)}.",
                stacklevel=5,
            )

    def _headers(self, paths: list[Path]) -> tuple[list[int], list[Header]]:
        """Reads the headers of files; returns the rows of readable ones and their headers."""
        return self._each(paths, read_header, "Looking at")

    def _decoded(self, paths: list[Path]) -> tuple[np.ndarray, list[int]]:
        """Returns the images of files as one array, and the rows of the readable ones."""
        rows, headers = self._headers(paths)
        look, paths = self._look(headers), [paths[row] for row in rows]
        shape = (len(paths), *(look.image_size or headers[0].size), look.channels)
        dtype = np.uint16 if look.deep else np.uint8
        if self.options.cache is not None:
            images, kept = self._cached(paths, look, shape, dtype)
        elif math.prod(shape) * dtype().itemsize > IN_MEMORY:
            return PictureFiles(paths, look, shape, dtype), rows
        else:
            images = np.empty(shape, dtype)
            kept = self._fill(images, paths, look)
            images = images if len(kept) == len(paths) else images[kept]
        return images, [rows[row] for row in kept]

    def _fill(self, images: np.ndarray, paths: list[Path], look: Look) -> list[int]:
        """Decodes files into the rows of an array, and returns the rows that could be read."""

        def store(item):
            row, path = item
            images[row] = decode(path, look)

        return self._each(paths, store, "Reading", items=list(enumerate(paths)))[0]

    def _cached(self, paths: list[Path], look: Look, shape, dtype) -> tuple[np.ndarray, list[int]]:
        """Returns what `_decoded` returns, from a cache on disk that is written once."""
        facts = [(str(path), *stamp(path)) for path in paths]
        digest = hashlib.sha256(repr((facts, look)).encode()).hexdigest()[:32]
        # A subfolder, because `fill_folder` removes unfinished folders beside the target.
        folder = Path(self.options.cache).expanduser() / "keras_infomodels_pictures" / digest

        def fill(new: Path):
            images = np.lib.format.open_memmap(new / "images.npy", "w+", dtype, shape)
            rows = self._fill(images, paths, look)
            images.flush()
            np.save(new / "rows.npy", np.array(rows, np.int64))

        fill_folder(folder, (folder / "rows.npy").is_file, fill)
        images = np.load(folder / "images.npy", mmap_mode="r")
        rows = np.load(folder / "rows.npy").tolist()
        return images if len(rows) == len(paths) else images[rows], rows

    def _look(self, headers: list[Header]) -> Look:
        options = self.options
        background = check_look(options.fit, options.channels, options.background)
        sizes = Counter(header.size for header in headers)
        size = options.image_size
        if size is None and len(sizes) > 1:
            common = ", ".join(
                f"{h}x{w} ({n})" for (h, w), n in sizes.most_common(_DIFFERENT_SIZES)
            )
            raise ValueError(
                f"The images of {self.folder} differ in size: {common}, ... Resize them with "
                "image_size=(height, width), on the command line --image-size."
            )
        channels = 1 if all(header.grey for header in headers) else 3
        return Look(
            size if size is None else tuple(size),
            options.fit,
            channels=options.channels or channels,
            background=background,
            deep=any(header.deep for header in headers),
        )

    def _each(
        self, paths: list[Path], function: Callable, deed: str, items: list | None = None
    ) -> tuple[list[int], list]:
        """Calls a function for each file in parallel; returns the rows without errors and results.

        Args:
            paths: list of Path. Files, for error messages.
            function: function of an item.
            deed: str. Text of the progress bar.
            items: list. Arguments of the function. `None` passes the paths.

        Raises:
            ValueError: If the function raises an error, unless `skip_broken`.
        """
        rows, results, broken = [], [], []

        def attempt(item):
            try:
                return function(item), None
            # Pillow raises OSError for most damaged files, and others for some TIFFs and PNGs.
            except Exception as error:
                return None, error

        with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor() as pool:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            found = zip(paths, in_order(pool, attempt, items or paths), strict=True)
            silent = len(paths) <= _WITHOUT_A_BAR or None
            for row, (path, (result, error)) in enumerate(
                progress(
                    found, f"{deed} {self.folder.name}", len(paths), disable=silent, unit=" files"
                )
            ):
                if error is None:
                    rows.append(row)
                    results.append(result)
                elif self.options.skip_broken:
                    broken.append(path)
                else:
                    raise unreadable(path, error) from error
        if not results:
            raise ValueError(f"None of the {len(broken)} images beside {broken[0]} can be read.")
        if broken:
            names = ", ".join(str(path) for path in broken[:3])
            more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
            warnings.warn(f"Images that cannot be read are skipped: {names}{more}.", stacklevel=7)
        return rows, results


def _images(root: Path, others: Counter | None = None) -> Iterator[Path]:
    """Yields the images below a folder, without hidden files and folders.

    Args:
        root: Path. The folder.
        others: Counter. Counts the endings of other files. `None` counts nothing.
    """
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in files:
            if _is_hidden(name):
                continue
            suffix = os.path.splitext(name)[1].lower()
            if suffix in _SUFFIXES:
                yield Path(parent, name)
            elif others is not None and suffix not in _NO_PICTURES and name != "LICENSE":
                others[suffix or name] += 1


def _is_hidden(name: str) -> bool:
    # macOS puts "._NAME" beside a file, and __MACOSX into archives.
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _subfolders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not _is_hidden(path.name)]


def _has_image(folder: Path) -> bool:
    return next(_images(folder), None) is not None


def _warn_of_files(root: Path, others: Counter):
    if others:
        kinds = ", ".join(f"{suffix} ({count})" for suffix, count in others.most_common(5))
        warnings.warn(
            f"{others.total()} files in {root} are skipped, because their endings are not of "
            f"images: {kinds}. Images end in {', '.join(_SUFFIXES)}.",
            stacklevel=5,
        )


def _spread(labels: np.ndarray) -> np.ndarray:
    """Orders rows so that every prefix has the same share of each class."""
    share = np.empty(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        share[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.argsort(share, kind="stable")
