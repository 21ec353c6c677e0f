"""Tables of a recipe: `[data]` and `[training]` as dataclasses, and their form in TOML."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pydantic
import tomlkit
from pydantic import Field

from keras_infomodels.names import guess, nearest

__all__ = ["Data", "Training", "inlined", "merged", "named", "typed", "without_none"]

_Count = Annotated[int, Field(gt=0)]

_STRICT = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

_table = pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)


@_table
class Data:
    """Table `[data]` of a recipe: the data set and its splits.

    A file may have `shards`, a folder that `infomodels shard` has written, in the place of `name`.

    Attributes:
        name: str. Name or path of the data set, as in `datasets.load`.
        train: str. Training split in the syntax of TFDS.
        validation: str. Validation split.
        test: str. Test split, which is used once, after training.
        image_size: [height, width]. Size to resize images to. `None` keeps their size.
        labeled: int. Number of training images that keep their label, the same number for each
            class; the others are unlabeled. `None` means training without labels.
        labeled_per_batch: int. Labeled images in every batch, in addition to its `batch_size`.
        skip_broken: bool. `True` skips broken images; see `datasets.load`.
        fit: str. Treatment of images with another aspect ratio: "crop", "pad" or "stretch"; see
            `datasets.load`.
        channels: int. 1 for gray, 3 for color; see `datasets.load`.
        background: str or list. Color behind transparent images; see `datasets.load`.
        cache: str. Folder for decoded images; see `datasets.load`.
    """

    name: str
    train: str = "train[:90%]"
    validation: str = "train[90%:]"
    test: str = "test"
    image_size: Annotated[list[_Count], Field(min_length=2, max_length=2)] | None = None
    labeled: _Count | None = None
    labeled_per_batch: _Count = 64
    skip_broken: bool = False
    fit: Literal["crop", "pad", "stretch"] = "crop"
    channels: Literal[1, 3] | None = None
    background: str = "white"
    cache: str | None = None

    def options(self) -> dict:
        """Returns the arguments of `datasets.load` that say how images are read."""
        names = ("image_size", "skip_broken", "fit", "channels", "background", "cache")
        return {name: getattr(self, name) for name in names}


@_table
class Training:
    """Table `[training]` of a recipe.

    Attributes:
        epochs: int. Number of epochs.
        batch_size: int. Number of examples in a batch.
        seed: int. Seed of the initial weights, the order of the data and the noise.
        optimizer: table. `class`, the name of a Keras optimizer or "FusedAdam", and the arguments
            of the optimizer. The default is Adam, or `FusedAdam` if the model has a `dtype`.
        discriminator_optimizer: table. Optimizer of the discriminators, in the same form.
        schedule: str. Learning rate: "cosine" (falls to 0 over the run), "late_cosine" (falls to 0
            over the second half), "constant", or "plateau" (halved if val_loss has not improved for
            3 epochs, also for discriminators).
        weight_average: float. Momentum of `callbacks.WeightAverage`. `None` keeps the last weights.
        patience: int. Training stops after this number of epochs without a better val_loss, and
            restores the best weights. `None` trains for all epochs.
        fit_prior: bool. `True` fits the prior of an autoencoder to the latent variables of training
            images after training; see `InfoVAE.fit_prior`.
        starts: int. Number of short runs with different seeds before the training of an InfoGAN.
            The training uses the seed whose category has the largest `information_real_<code>`,
            which needs no labels.
        start_epochs: int. Number of epochs of each short run.
        jit_compile: bool. `True` compiles the training step by XLA, which draws other random
            numbers. `False` leaves the choice to Keras, which uses XLA on a GPU only.
    """

    epochs: _Count = 20
    batch_size: _Count = 128
    seed: int = 0
    optimizer: dict = dataclasses.field(default_factory=dict)
    discriminator_optimizer: dict | None = None
    schedule: Literal["cosine", "late_cosine", "constant", "plateau"] = "cosine"
    weight_average: Annotated[float, Field(gt=0, lt=1)] | None = None
    patience: _Count | None = None
    fit_prior: bool = False
    starts: _Count = 1
    start_epochs: _Count = 1
    jit_compile: bool = False


def named(data):
    """Returns the table `[data]` with the folder `shards` as its `name`."""
    if not isinstance(data, Mapping) or "shards" not in data:
        return data
    from keras_infomodels.datasets.shard_source import INDEX

    rest = dict(data)
    folder = rest.pop("shards")
    if "name" in rest:
        raise ValueError(
            f"data has the name {rest['name']!r} and the shards {folder!r}; leave one out."
        )
    if not isinstance(folder, str) or not (Path(folder).expanduser() / INDEX).is_file():
        raise ValueError(
            f"data.shards is a folder with {INDEX}, as `infomodels shard` writes it, and "
            f"{folder!r} is none; other data are given by data.name."
        )
    return {"name": folder, **rest}


def typed(cls: type, values, name: str):
    """Converts a table to a dataclass, and checks names and types."""
    fields = [field.name for field in dataclasses.fields(cls)]
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is a table, got {values!r}.")
    if unknown := sorted(set(values) - set(fields)):
        raise ValueError(f"{name} has no setting {unknown[0]!r}; {nearest(unknown[0], fields)}")
    try:
        return cls(**values)
    except pydantic.ValidationError as error:
        (first, *_) = error.errors()
        place = ".".join([name, *map(str, first["loc"])])
        given = "" if first["type"].startswith("missing") else f", got {first['input']!r}"
        known = re.findall(r"'([^']*)'", first.get("ctx", {}).get("expected", ""))
        near = guess(first["input"], known)
        raise ValueError(f"{place}: {first['msg'].lower()}{given}.{near}") from None


def merged(a: Mapping, b: Mapping) -> dict:
    """Merges two tables; the second takes precedence.

    If its `class` differs, the arguments in the first table are dropped.
    """
    table = dict(a)
    for key, value in b.items():
        old = table.get(key)
        same = isinstance(value, Mapping) and isinstance(old, Mapping)
        same = same and value.get("class", "Adam") == old.get("class", "Adam")
        table[key] = merged(old, value) if same else value
    return table


def inlined(value, within_list: bool = False):
    """Formats small tables inline, such as {"epochs": n} and tables within lists."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return [{k: inlined(v, True) for k, v in item.items()} for item in value]
    if not isinstance(value, Mapping):
        return value
    if not within_list and set(value) != {"epochs"}:
        return {key: inlined(item) for key, item in value.items()}
    table = tomlkit.inline_table()
    table.update({key: inlined(item, True) for key, item in value.items()})
    return table


def without_none(value):
    """Removes keys with the value None from nested tables and lists."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value
