"""Writes docs/api/: a page a module, from the signatures and docstrings of its public names.

python docs/make_api.py
"""

import ast
import inspect
import itertools
import re
import sys
import textwrap
import types
from pathlib import Path

import keras_infomodels

FOLDER = Path(__file__).parent / "api"
PACKAGE = keras_infomodels.__name__

_HELPERS = {
    "audit_parts",
    "begin_validation",
    "calibration_images",
    "card_words",
    "check_array",
    "check_labels",
    "complete",
    "describe_metrics",
    "drawing_seed",
    "inference_parts",
    "latent_inputs",
    "log",
    "quantization_costs",
    "renew_config",
    "shorten",
    "traced",
    "unpack",
    "validation_information",
}
"""Methods that only other parts of the library call; a subclass does not write them."""

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Example):$\n((?:^(?: {4}.*)?$\n?)+)", re.M)
_ITEM = re.compile(r"^([\w*][\w*]*(?:, [\w*]+)*): ", re.M)


def pages() -> dict[str, str]:
    """The text of each page by its file's name."""
    modules = sorted(n for n in keras_infomodels.__all__ if inspect.ismodule(_get(n)))
    modules.insert(modules.index("evaluation") + 1, "evaluation.disentanglement")
    modules.insert(modules.index("information") + 1, "information.bounds")
    index = [f"# API\n\n{_text(keras_infomodels)}\n\nMade by `python docs/make_api.py`.\n"]
    index += [f"- [{PACKAGE}.{name}]({name}.md): {_first(_get(name))}" for name in modules]
    index += ["\nAt hand in the package itself, too:\n"]
    for name in sorted(set(keras_infomodels.__all__) - set(modules)):
        home = _get(name).__module__.split(".")[1]
        index.append(f"- [`{PACKAGE}.{name}`]({home}.md#{name.lower()}): {_first(_get(name))}")
    return {"README.md": "\n".join(index) + "\n"} | {f"{name}.md": _page(name) for name in modules}


def _get(name: str):
    value = keras_infomodels
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _page(name: str) -> str:
    module = _get(name)
    names = sorted(n for n in module.__all__ if not inspect.ismodule(getattr(module, n)))
    public = [getattr(module, n) for n in names]
    parts = [f"# {PACKAGE}.{name}\n\n{_text(module)}\n"]
    for own, value in zip(names, public, strict=True):
        if inspect.isclass(value):
            parts.append(_class(own, value, public))
        elif inspect.isfunction(value):
            parts.append(f"## {own}\n\n{_signature(own, value)}\n\n{_text(value)}\n")
        else:
            parts.append(f"## {own}\n\n{_markdown(_text_of_constant(own))}\n")
    return "\n".join(parts)


def _class(name: str, cls: type, public: list) -> str:
    bases = [f"`{base.__name__}`" for base in cls.__bases__ if base in public]
    head = f"\n\nA subclass of {', '.join(bases)}." if bases else ""
    parts = [f"## {name}\n\n{_signature(name, cls)}{head}\n\n{_text(cls)}\n"]
    for method, value in _methods(cls, public).items():
        what = "A property."
        if not isinstance(value, property):
            # Functions of a family's folder are methods, too, and name the model or its class.
            what = _signature(method, getattr(value, "__func__", value), "model", "cls") + "\n"
        parts.append(f"### {name}.{method}\n\n{what}\n{_text(value)}\n")
    return "\n".join(parts)


def _methods(cls: type, public: list) -> dict:
    """Methods and hooks of a class, and of its bases of this library that have no entry.

    Left out are helpers, and hooks that a base with an entry describes already.
    """
    found, described = {}, set()
    for base in cls.__mro__:
        if not base.__module__.startswith(PACKAGE):
            break
        if described or (base is not cls and base in public):
            described |= {name for name, value in vars(base).items() if value.__doc__} | {""}
        else:
            found = dict(vars(base)) | found
    described -= {"fit"}  # of a GAN it may stop by itself
    kinds = (property, classmethod, staticmethod, types.FunctionType)
    return {
        name: value
        for name, value in found.items()
        if name[0] != "_"
        and isinstance(value, kinds)
        and value.__doc__
        and name not in _HELPERS | described
    }


def _signature(name: str, value, *hidden: str) -> str:
    """Names and defaults, as keras.io shows them; the docstrings say what they are."""
    function, parameters = value, []
    if inspect.isclass(value):
        owner = next(base for base in value.__mro__ if "__init__" in vars(base))
        # Keras changes its own constructors while models are made.
        function = owner.__init__ if owner.__module__.startswith(PACKAGE) else None
    if function:
        parameters = list(inspect.signature(function).parameters.values())
    # `cls` is an ordinary argument of a function outside of a class.
    bound = ("self", "cls") if "." in getattr(function, "__qualname__", "") else ("self",)
    if parameters and parameters[0].name in (*bound, *hidden):
        parameters = parameters[1:]
    shown = [_shown(p) for p in parameters]
    line = f"{name}{inspect.Signature(shown)}"
    text = textwrap.fill(line, 92, subsequent_indent="    ", break_long_words=False)
    return f"```python\n{text}\n```"


def _shown(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if inspect.isfunction(default):
        default = _Name(default.__name__)
    return parameter.replace(annotation=parameter.empty, default=default)


class _Name(str):
    """A name that is shown without quotes; a function's own repr holds its address."""

    __repr__ = str.__str__


def _text(value) -> str:
    return _markdown(inspect.cleandoc(value.__doc__ or ""))


def _first(value) -> str:
    return inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _markdown(text: str) -> str:
    """A docstring with its sections as lists."""
    return _SECTION.sub(_section, text + "\n").strip()


def _section(match: re.Match) -> str:
    title, body = match[1], textwrap.dedent(match[2]).strip()
    if title in ("Args", "Attributes", "Raises"):
        body = _ITEM.sub(r"- `\1`: ", body)
    if title == "Example":
        body = f"```python\n{body}\n```"
    return f"**{title}**\n\n{body}\n\n"


def _text_of_constant(name: str) -> str:
    """The string below the assignment, wherever in the library that is."""
    for module in [m for key, m in sorted(sys.modules.items()) if key.startswith(PACKAGE)]:
        body = ast.parse(inspect.getsource(module)).body
        for line, below in itertools.pairwise(body):
            assigned = isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name
            if assigned and isinstance(below, ast.Expr):
                return inspect.cleandoc(ast.literal_eval(below.value))
    return ""


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        path.unlink()
    for name, page in pages().items():
        (FOLDER / name).write_text(page)
    print(FOLDER)
