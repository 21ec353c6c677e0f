"""TensorFlow Datasets as a data source."""

import gzip
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import getitem, itemgetter
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from keras_infomodels.datasets.factor_space import Factors
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.source import Options
from keras_infomodels.io import waiting_for
from keras_infomodels.names import guess

__all__ = ["OTHERS", "TfdsSource", "is_known", "parse_split"]

OTHERS = ("fashion_mnist_mini", "mnist_mini", "scenes", "sprites", "nouns", "cars3d")
"""Names of sets of other sources, for the error of a name that nobody has."""


def read(
    name: str,
    split: str,
    options: Options,
    factors: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads a data set into the arrays of `loading.load_arrays`.

    Images are resized one by one while they are read, so only the result is in memory. Bytes that
    are all 0 or 1, as in dSprites, become 0 and 255 before resizing, so that edges become gray.

    Args:
        name: str. Name in the catalog of TFDS.
        split: str. Split in the syntax of TFDS.
        options: `Options`. With `download` a missing set is prepared.
        factors: bool. `True` returns factors in place of labels.
    """
    image_size = options.image_size
    builder = _prepared_builder(name, options.data_dir, options.download)
    features, image_key = builder.info.features, _image_key(builder, image_size)
    paths = [("label",)] if "label" in features else []
    if factors:
        paths = list(_factor_features(features).values())
    wanted = {image_key: True}
    for first, *rest in paths:
        wanted[first] = {*wanted.get(first, ()), *rest} if rest else True
    decoders = tfds.decode.PartialDecoding(wanted)
    try:
        dataset = builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=decoders,
            # TFDS' cache would hold every image in full size, and the data are read only once.
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    except ValueError as error:
        raise _split_error(split, builder.info.splits) from error
    scale = 255 if image_size is not None and _is_mask(dataset, image_key) else 1

    def select(example):
        image = example[image_key]
        if image_size is not None:
            image = resize(image * tf.cast(scale, image.dtype), options)
            image = tf.ensure_shape(image, (*image_size, image.shape[-1]))
        values = [tf.cast(reduce(getitem, path, example), tf.int64) for path in paths]
        return image, tf.stack(values) if values else tf.zeros(0, tf.int64)

    batches = dataset.map(select, num_parallel_calls=tf.data.AUTOTUNE).batch(256).prefetch(1)
    images, beside = _fill(batches, int(dataset.cardinality()))
    if factors:
        return images, beside
    return images, beside[:, 0] if paths else None


def _fill(batches: tf.data.Dataset, count: int) -> tuple[np.ndarray, ...]:
    """Joins batches by writing each into an array of the final size."""
    arrays, start = None, 0
    for batch in batches.as_numpy_iterator():
        if arrays is None:
            arrays = tuple(np.empty((count, *part.shape[1:]), part.dtype) for part in batch)
        for array, part in zip(arrays, batch, strict=True):
            array[start : start + len(part)] = part
        start += len(batch[0])
    return arrays


def _is_mask(dataset: tf.data.Dataset, image_key: str) -> bool:
    """Returns True if the bytes of the first images are all 0 or 1."""
    high = [image.max() for image in _first_images(dataset, image_key) if image.dtype == np.uint8]
    return max(high, default=0) == 1


def _first_images(dataset: tf.data.Dataset, image_key: str) -> Iterator[np.ndarray]:
    yield from dataset.map(itemgetter(image_key)).take(64).as_numpy_iterator()


def _factor_features(features: tfds.features.FeaturesDict) -> dict[str, tuple[str, ...]]:
    """Name and path of each factor in an example, in the order of the features.

    Factors are the classes named `label_*` and the boolean attributes of faces.
    """
    found = {
        key.removeprefix("label_"): (key,)
        for key, feature in features.items()
        if key.startswith("label_") and isinstance(feature, tfds.features.ClassLabel)
    }
    for key, feature in features.items():
        if key == "attributes" and isinstance(feature, tfds.features.FeaturesDict):
            booleans = [name for name, each in feature.items() if each.np_dtype == np.bool_]
            found |= {name: (key, name) for name in booleans}
    return found


def is_known(name: str) -> bool:
    """Returns True if TensorFlow Datasets has a set of this name."""
    try:
        tfds.builder_cls(name)
    except (tfds.core.DatasetNotFoundError, ValueError):
        return False
    return True


def parse_split(split: str, sizes: dict[str, int]) -> tuple[str, slice]:
    """Parses a split in the syntax of TFDS.

    Args:
        split: str. Such as "train[:90%]".
        sizes: dict of int. Number of examples of each part.

    Returns:
        Name of the part, and a slice of its rows.

    Raises:
        ValueError: If the split does not exist, or adds several parts.
    """
    try:
        instruction = tfds.core.ReadInstruction.from_spec(split)
        (absolute,) = instruction.to_absolute(
            {
                part: tfds.core.SplitInfo(
                    name=part, shard_lengths=[n], num_bytes=0, filename_template=None
                )
                for part, n in sizes.items()
            }
        )
    except (ValueError, KeyError) as error:
        counts = ", ".join(f"{part} has {count:,} images" for part, count in sizes.items())
        raise ValueError(f"{_split_error(split, sizes)} {counts}.") from error
    return absolute.splitname, slice(absolute.from_, absolute.to)


def _split_error(split: str, known: Iterable[str]) -> ValueError:
    return ValueError(
        f"split is one of {', '.join(known)}, or a slice such as 'train[:90%]'; got {split!r}."
        f"{guess(split.partition('[')[0], known)}"
    )


def _prepared_builder(
    name: str, data_dir: str | Path | None, download: bool
) -> tfds.core.DatasetBuilder:
    builder = _builder(name, data_dir)
    if builder.is_prepared():
        return builder
    if data_dir is not None and (raw := Path(data_dir).expanduser() / builder.name).is_dir():
        names = _canonical_files(builder)
        missing = [name for name in names if _locate(raw, name) is None]
        if not missing:
            return _prepare_alone(name, None, lambda builder: _prepare_from(raw, builder))
        if len(missing) < len(names) and not download:
            raise FileNotFoundError(
                f"{raw} lacks {', '.join(missing)}: put the canonical files of {name} there, "
                f"or download them with `infomodels prepare {name}`."
            )
    if not download:
        where = Path(data_dir) if data_dir is not None else Path(builder.data_dir)
        raise FileNotFoundError(
            f"The data set {name} is not prepared in {where}. Either download it once with "
            f"`infomodels prepare {name}` (or download=True); or point data_dir (--data-dir) at a "
            f"folder of prepared TFDS data; or at one with the canonical files in {builder.name}/"
            f"{_file_hint(builder)}."
        )
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    return _prepare_alone(
        name, data_dir, lambda builder: builder.download_and_prepare(download_config=config)
    )


def _prepare_alone(
    name: str, data_dir: str | Path | None, prepare: Callable[[tfds.core.DatasetBuilder], None]
) -> tfds.core.DatasetBuilder:
    """Returns the builder of a set, which one process prepares while others wait."""
    builder = _builder(name, data_dir)
    # ROOT/NAME/VERSION, or ROOT/NAME/CONFIG/VERSION
    root = Path(builder.data_dir).parents[builder.info.full_name.count("/")]
    with waiting_for(root / f".{builder.name}.lock"):
        builder = _builder(name, data_dir)
        if not builder.is_prepared():
            prepare(builder)
        return builder


def _builder(name: str, data_dir: str | Path | None) -> tfds.core.DatasetBuilder:
    if data_dir is None:
        # TFDS itself reads the variable only once, when it is imported.
        data_dir = os.environ.get("TFDS_DATA_DIR")
    try:
        data_dir = None if data_dir is None else os.path.expanduser(data_dir)
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"{name!r} is neither a folder nor a set of TensorFlow Datasets, which are listed at "
            f"https://www.tensorflow.org/datasets/catalog.{_guess_set(name)}"
        ) from error


def _guess_set(name: str) -> str:
    known = tfds.list_builders(with_community_datasets=False)
    # A folder beside the user is meant rather than one of a thousand names.
    return guess(name, _folders()) or guess(name, [*OTHERS, *known])


def _folders() -> list[str]:
    """Names of the folders in the working directory, but for hidden ones."""
    try:
        with os.scandir() as entries:
            found = [each.name for each in entries if each.is_dir()]
    except OSError:  # it was removed, or may not be read
        return []
    return sorted(name for name in found if not name.startswith("."))


def _image_key(builder: tfds.core.DatasetBuilder, image_size: tuple[int, int] | None) -> str:
    for key, feature in builder.info.features.items():
        if isinstance(feature, tfds.features.Image):
            if image_size is None and None in feature.shape[:2]:
                raise ValueError(
                    f"The images of {builder.name} differ in size; resize them with "
                    "image_size=(height, width)."
                )
            return key
    raise ValueError(
        f"{builder.name} is not a data set of images: it has {list(builder.info.features)}."
    )


def _canonical_files(builder: tfds.core.DatasetBuilder) -> list[str]:
    return [info.filename for info in builder.url_infos.values()]


def _file_hint(builder: tfds.core.DatasetBuilder) -> str:
    names = _canonical_files(builder)
    return f" ({', '.join(names)})" if 0 < len(names) <= 4 else ""


def _locate(folder: Path, filename: str) -> Path | None:
    candidates = (folder / filename, folder / f"{filename}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _prepare_from(raw: Path, builder: tfds.core.DatasetBuilder):
    """Prepares a set by TFDS from local files, whose checksums are verified."""
    with tempfile.TemporaryDirectory() as folder:
        for filename in _canonical_files(builder):
            source, target = _locate(raw, filename), Path(folder) / filename
            if source.name == filename:
                target.symlink_to(source.resolve())
            else:
                with gzip.open(source) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain)
        config = tfds.download.DownloadConfig(manual_dir=folder, try_download_gcs=False)
        try:
            # A temporary folder, because TFDS caches unpacked files by name, and the files of MNIST
            # and Fashion-MNIST have the same names.
            builder.download_and_prepare(
                download_dir=Path(folder) / ".downloads", download_config=config
            )
        except NonMatchingChecksumError as error:
            raise ValueError(
                f"A file in {raw} is not the published one of {builder.name}: its checksum "
                "differs. Copy it again, or take it out and download it with "
                f"`infomodels prepare {builder.name}`."
            ) from error


class TfdsSource:
    """Source of TensorFlow Datasets, for every name that no other source knows.

    Args:
        name: str. Name in the catalog of TFDS.
        options: `Options`. Options of finding and reading the data.
    """

    def __init__(self, name: str, options: Options):
        self.name = name
        self.options = options

    @classmethod
    def find(cls, name: str | Path, options: Options) -> "TfdsSource":
        return cls(os.fspath(name), options)

    def sizes(self) -> dict[str, int]:
        return {part: info.num_examples for part, info in self._builder().info.splits.items()}

    def class_names(self) -> list[str] | None:
        return getattr(self._builder().info.features.get("label"), "names", None)

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        return read(self.name, split, self.options)

    def image_shape(self) -> tuple[int | None, int | None, int]:
        """Returns (height, width, channels) of the images; None for a size that differs."""
        builder = self._builder()
        shape = builder.info.features[_image_key(builder, (1, 1))].shape
        return (*shape[:2], shape[2] or 3)

    def factors(self) -> Factors | None:
        features = self._builder().info.features
        paths = _factor_features(features)
        sizes = [getattr(reduce(getitem, p, features), "num_classes", 2) for p in paths.values()]
        return Factors(tuple(paths), tuple(sizes)) if paths else None

    def read_factors(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        return read(self.name, split, self.options, factors=True)

    def prepare(self) -> Path:
        """Prepares the data if they are missing, and returns their folder."""
        return Path(self._builder().data_dir)

    def _builder(self) -> tfds.core.DatasetBuilder:
        return _prepared_builder(self.name, self.options.data_dir, self.options.download)
