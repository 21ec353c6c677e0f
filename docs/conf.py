"""Settings of the site; `make site` builds it."""

import inspect
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import keras_infomodels  # noqa: E402

project = "keras-infomodels"
author = copyright = "The keras-infomodels developers"
release = keras_infomodels.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_templates", "jupyter_execute"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "keras-infomodels"
html_static_path = ["_static"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_in_temp = True  # the files that a notebook writes
nb_output_stderr = "remove"
nb_merge_streams = True

default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True, "inherited-members": True}
autosummary_ignore_module_all = False
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_ivar = True

REPOSITORY = "https://github.com/keras-infomodels/keras-infomodels/blob/main/"
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

_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Example):$")
_ITEM = re.compile(r"(\s*[\w*]+(?:, [\w*]+)*: )(.*)")
_EXAMPLE = [".. rubric:: Example", "", ".. code-block:: python", ""]
_CODE = re.compile(r"(`[^`]+`)")


def link_to_repository(app, docname, source):
    """Turns links that leave docs/ into addresses; pictures stay, and are copied."""
    source[0] = re.sub(r"(?<!!)(\[[^\]\[]*\])\(\.\./([^)]+)\)", rf"\1({REPOSITORY}\2)", source[0])


def to_restructured(app, what, name, obj, options, lines):
    """Turns a docstring with Markdown's backticks, tables and bare code into reStructuredText."""
    section, literal, result = "", False, []
    for line in inspect.cleandoc("\n".join(lines)).splitlines():
        title = _SECTION.match(line)
        if line and line[0] != " ":
            section = title[1] if title else ""
        was_literal, literal = literal, False
        if title:
            result += _EXAMPLE if section == "Example" else [line]
        elif not line or section == "Example":
            result.append(line)
            literal = was_literal
        elif not section and line.startswith(("    ", "|")):
            result += (
                ["    " + line] if was_literal else ["", ".. code-block:: text", "", "    " + line]
            )
            literal = True
        elif section and (item := _ITEM.fullmatch(line)):
            result.append(item[1] + _escaped(item[2]))
        else:
            begins_list = (
                line.startswith("- ") and result and result[-1][:2] not in ("", "- ", "  ")
            )
            result += ["", _escaped(line)] if begins_list else [_escaped(line)]
    lines[:] = result


def _escaped(text: str) -> str:
    """Text in which nothing but `code` and the bullets of a list has a meaning."""
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"([*|_\\])", r"\\\1", part) for part in parts[::2]]
    # A method of the result, such as `.mean()`, has several targets: code without a link.
    parts[1::2] = [f"`{part}`" if part.startswith("`.") else part for part in parts[1::2]]
    # `Estimate`s: the end of code stands before a space or a mark.
    parts[2::2] = [re.sub(r"^(?=\w)", r"\\ ", part) for part in parts[2::2]]
    return "".join(parts)


def skip_foreign(app, what, name, obj, skip, options):
    """Leaves out helpers, and what Keras and Python document themselves."""
    if what == "class" and name in _HELPERS:
        return True
    function = obj.fget if isinstance(obj, property) else getattr(obj, "__func__", obj)
    foreign = not (getattr(function, "__module__", None) or "").startswith("keras_infomodels")
    return True if foreign and (callable(function) or isinstance(obj, property)) else None


def own_signature(app, what, name, obj, options, signature, returns):
    """The constructor's arguments of a layer or a model, whose `__new__` Keras has replaced."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    owner = next(base for base in obj.__mro__ if "__init__" in vars(base))
    _, *parameters = inspect.signature(owner.__init__).parameters.values()
    plain = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)), None


def setup(app):
    app.connect("source-read", link_to_repository)
    app.connect("autodoc-process-docstring", to_restructured, priority=400)
    app.connect("autodoc-process-signature", own_signature)
    app.connect("autodoc-skip-member", skip_foreign)
