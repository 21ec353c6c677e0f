"""Data that a trained model is measured on: those of its recipe, if nothing else is named."""

import os
from pathlib import Path

from keras_infomodels.zoo.recipes import Recipe

__all__ = ["data_for"]


def data_for(
    source: str | Path, dataset: str | None, split: str | None, image_size: tuple | None = None
) -> tuple[str | None, str, dict]:
    """Returns the data set, the split and the options of reading for a model.

    Args:
        source: str or Path. Model, as `load_model` takes it.
        dataset: str. Name or path of a data set. `None` is that of the model's recipe.
        split: str. Split. `None` is the test split of the recipe, or "test" for another data set.
        image_size: (height, width). Size that images of another folder are resized to.

    Returns:
        Name or path of the data set, None if neither is known; split; arguments of `datasets.load`.
    """
    data = _data_of(source)
    if data is not None and (dataset is None or _is_same(dataset, data.name)):
        return dataset or data.name, split or data.test, data.options()
    is_folder = dataset is not None and os.path.isdir(os.path.expanduser(dataset))
    return dataset, split or "test", {"image_size": image_size} if is_folder else {}


def _data_of(source: str | Path):
    """Table `[data]` of the recipe of a preset; None without a recipe."""
    from keras_infomodels import zoo

    if Path(source).suffix == ".keras" or os.path.exists(os.path.join(source, "saved_model.pb")):
        return None
    file = zoo.locate(source) / "recipe.toml"
    return Recipe.load(file).data if file.is_file() else None


def _is_same(a: str, b: str) -> bool:
    paths = [os.path.realpath(os.path.expanduser(name)) for name in (a, b)]
    return a == b or (paths[0] == paths[1] and os.path.exists(paths[0]))
