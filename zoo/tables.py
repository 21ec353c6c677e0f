"""Table `[model]` of a recipe as a model: {"class": name, argument: value or table, ...}."""

import inspect
import typing
from collections.abc import Mapping

import keras
import pydantic

from keras_infomodels import preset_checks, preset_configs, registry
from keras_infomodels.names import nearest

__all__ = ["check_table", "count_steps", "make"]

NONE = "none"
"""Text that stands for None, which TOML does not have."""


def check_table(table: Mapping, place: str):
    """Raises ValueError if a table names an unknown class, or arguments that it does not take.

    Args:
        table: dict. Completed table: every object in it has its `class`.
        place: str. Place of the table in the recipe, for error messages.

    Raises:
        ValueError: If a name or type is not allowed. The message has the nearest name, or the
            expected type.
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
    """Replaces every {"epochs": n} in a table by a number of steps.

    A whole run has `steps` steps in `epochs` epochs.
    """

    def counted(value):
        if _is_epochs(value):
            return steps * value["epochs"] // epochs
        return count_steps(value, steps, epochs) if isinstance(value, Mapping) else value

    return {key: counted(value) for key, value in table.items()}


def make(table: Mapping) -> keras.Model:
    """Creates the object that a checked table describes."""
    document, known = _document(table), registry.classes()
    preset_checks.check_config(document, known)
    return preset_configs.construct(document, known)


def _document(value):
    """Converts a table to the form of presets."""
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
    """Checks plain values by the constructor's annotation."""
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
    """Arguments of a constructor, and those that it passes on, with their annotations."""
    found = {}
    for each in (cls, *getattr(cls, "passes_arguments_to", ())):
        hints = typing.get_type_hints(each.__init__)
        for name, parameter in inspect.signature(each).parameters.items():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                found.setdefault(name, hints.get(name, inspect.Parameter.empty))
    if issubclass(cls, keras.Model):
        found |= {"dtype": str, "name": str}
    return found
