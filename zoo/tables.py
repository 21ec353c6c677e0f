"""The `[model]` table of a recipe as a model: {"class": name, argument: value or table, ...}."""

import inspect
import typing
from collections.abc import Mapping

import keras
import pydantic

from keras_infomodels import preset_checks, preset_configs, registry
from keras_infomodels.models.tables import nearest

__all__ = ["check_table", "count_steps", "make"]

NONE = "none"
"""What stands for None, which TOML does not have."""


def check_table(table: Mapping, place: str):
    """Refuses a table that names a class of no table, or arguments that it does not take.

    Args:
        table: dict. Completed: every object in it has its `class`.
        place: str. Where it stands in the recipe, for the error.

    Raises:
        ValueError: with the nearest name, or with the type that is asked for.
    """
    known = registry.classes()
    name = table["class"]
    if name not in known:
        raise ValueError(f"{place}.class {name!r} is no class; {nearest(str(name), known)}")
    taken = _arguments(known[name])
    for key, value in table.items():
        if key == "class":
            continue
        if key not in taken:
            raise ValueError(f"{place} ({name}) has no setting {key!r}; {nearest(key, taken)}")
        _check_value(value, taken[key], f"{place}.{key}")


def count_steps(table: Mapping, steps: int, epochs: int) -> dict:
    """A table with the steps of every {"epochs": n} in it; a run has `steps` in `epochs`."""

    def counted(value):
        if _is_epochs(value):
            return steps * value["epochs"] // epochs
        return count_steps(value, steps, epochs) if isinstance(value, Mapping) else value

    return {key: counted(value) for key, value in table.items()}


def make(table: Mapping) -> keras.Model:
    """The object that a checked table describes."""
    document, known = _document(table), registry.classes()
    preset_checks.check_config(document, known)
    return preset_configs.construct(document, known)


def _document(value):
    """A table as presets hold it."""
    if isinstance(value, list | tuple):
        return [_document(item) for item in value]
    if not isinstance(value, Mapping):
        return None if value == NONE else value
    rest = {key: _document(item) for key, item in value.items() if key != "class"}
    return {"class_name": value["class"], "config": rest} if "class" in value else rest


def _check_value(value, annotation, place: str):
    if _is_epochs(value):
        _check_type(value["epochs"], int, f"{place}.epochs")
    elif isinstance(value, Mapping) and "class" in value:
        check_table(value, place)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_value(item, inspect.Parameter.empty, f"{place}.{key}")
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            _check_value(item, inspect.Parameter.empty, f"{place}[{index}]")
    elif value != NONE:
        _check_type(value, annotation, place)


def _check_type(value, annotation, place: str):
    """By the constructor's annotation, where it is of plain values."""
    if annotation is inspect.Parameter.empty:
        return
    try:
        adapter = pydantic.TypeAdapter(annotation)
    except pydantic.PydanticSchemaGenerationError:
        return
    try:
        adapter.validate_python(value, strict=not isinstance(value, list))
    except pydantic.ValidationError as error:
        (first, *_) = error.errors()
        raise ValueError(f"{place}: {first['msg'].lower()}, got {value!r}.") from None


def _is_epochs(value) -> bool:
    return isinstance(value, Mapping) and set(value) == {"epochs"}


def _arguments(cls: type) -> dict[str, object]:
    """The arguments of a constructor, and those that it passes on, with their annotations."""
    found = {}
    for each in (cls, *getattr(cls, "passes_arguments_to", ())):
        hints = typing.get_type_hints(each.__init__)
        for name, parameter in inspect.signature(each).parameters.items():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                found.setdefault(name, hints.get(name, inspect.Parameter.empty))
    if issubclass(cls, keras.Model):
        found |= {"dtype": str, "name": str}
    return found
